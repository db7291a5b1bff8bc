"""The pidfile: whatever ends a supervisor, the next one gets it, and no second one beside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from queuekit import events
from queuekit.errors import PidfileError
from queuekit.processes.pidfile import Pidfile

CHECKOUT = Path(__file__).resolve().parents[2]

#: Takes the pidfile, says so, and waits until its standard input is closed.
HOLDER = """
import sys
from pathlib import Path
from queuekit.processes.pidfile import Pidfile

pidfile = Pidfile(Path(sys.argv[1]))
"""
UNTIL_TOLD = """
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python that runs `code`, until the end of the block at most."""
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=CHECKOUT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@contextmanager
def holder(path: Path, code: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that has taken the pidfile, and then run `code`."""
    with process(HOLDER + code + UNTIL_TOLD, path) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.pid"


def refusal(path: Path) -> str:
    with pytest.raises(PidfileError) as caught:
        Pidfile(path)
    return str(caught.value)


def assert_taken_over(path: Path) -> None:
    pidfile = Pidfile(path)
    assert path.read_text() == f"{os.getpid()}\n"
    pidfile.release()
    assert not path.exists()


class TestHolding:
    def test_it_says_whom_to_signal(self, path: Path) -> None:
        with holder(path) as supervisor:
            assert path.read_text() == f"{supervisor.pid}\n"

    def test_a_second_supervisor_is_refused_and_told_of_the_first(self, path: Path) -> None:
        with holder(path) as supervisor:
            expected = f"{path} belongs to a supervisor that runs (pid {supervisor.pid})"
            assert refusal(path) == expected
            assert path.read_text() == f"{supervisor.pid}\n"

    def test_also_in_the_same_process(self, path: Path) -> None:
        pidfile = Pidfile(path)
        assert f"pid {os.getpid()}" in refusal(path)
        pidfile.release()

    def test_reading_it_in_the_supervisor_does_not_give_it_away(self, path: Path) -> None:
        with holder(path, "Path(sys.argv[1]).read_text()"):
            assert "belongs to a supervisor that runs" in refusal(path)

    def test_of_ten_that_start_at_once_one_gets_it(self, path: Path) -> None:
        code = f"""
import sys
sys.stdin.readline()
try:
    exec({HOLDER!r})
    print("held", flush=True)
    sys.stdin.read()
except Exception as error:
    print(type(error).__name__, flush=True)
"""
        with ExitStack() as stack:
            starting = [stack.enter_context(process(code, path)) for _ in range(10)]
            for each in starting:
                assert each.stdin is not None
                each.stdin.write("now\n")
                each.stdin.flush()
            said = [each.stdout.readline() for each in starting if each.stdout is not None]
        assert sorted(said) == ["PidfileError\n"] * 9 + ["held\n"]


class TestTakingOver:
    def test_from_one_that_was_killed(self, path: Path) -> None:
        with holder(path) as supervisor:
            supervisor.kill()
            supervisor.wait()
            assert path.exists()
            assert_taken_over(path)

    def test_from_one_that_was_killed_and_whose_children_still_run(self, path: Path) -> None:
        forking = """
import os, signal
child = os.fork()
if child == 0:
    signal.pause()
print(child)
"""
        with process(HOLDER + forking + UNTIL_TOLD, path) as supervisor:
            assert supervisor.stdout is not None
            child = int(supervisor.stdout.readline())
            try:
                assert supervisor.stdout.readline() == "held\n"
                supervisor.kill()
                supervisor.wait()
                os.kill(child, 0)
                assert_taken_over(path)
            finally:
                os.kill(child, signal.SIGKILL)

    @pytest.mark.parametrize("content", ["1\n", "", "4194304", f"{os.getppid()}\n"])
    def test_from_a_pid_that_is_stale_or_somebody_elses(self, path: Path, content: str) -> None:
        path.write_text(content)
        assert_taken_over(path)

    def test_a_longer_pid_leaves_no_trace(self, path: Path) -> None:
        path.write_text("1234567890123\n")
        assert_taken_over(path)


class TestReleasing:
    def test_it_is_removed_once(self, path: Path) -> None:
        pidfile = Pidfile(path)
        pidfile.release()
        path.write_text("7\n")
        pidfile.release()
        assert path.read_text() == "7\n"

    def test_a_forked_child_cannot_remove_it(self, path: Path) -> None:
        pidfile = Pidfile(path)
        child = os.fork()
        if child == 0:
            pidfile.abandon()
            pidfile.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert path.read_text() == f"{os.getpid()}\n"
        assert "belongs to a supervisor that runs" in refusal(path)
        pidfile.release()

    def test_the_file_of_a_successor_stays(self, path: Path) -> None:
        pidfile = Pidfile(path)
        path.unlink()
        with holder(path) as successor:
            pidfile.release()
            assert path.read_text() == f"{successor.pid}\n"

    def test_a_file_that_is_gone_is_none_to_worry_about(self, path: Path) -> None:
        pidfile = Pidfile(path)
        path.unlink()
        pidfile.release()

    def test_a_folder_that_is_gone_is_reported_and_ends_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        pidfile = Pidfile(folder / "jobs.pid")
        (folder / "jobs.pid").unlink()
        folder.rmdir()
        folder.write_text("")
        reported: list[events.Event] = []
        events.subscribe(reported.append)
        try:
            pidfile.release()
        finally:
            events.unsubscribe(reported.append)
        (event,) = reported
        assert isinstance(event, events.ErrorOccurred)
        assert event.where == "removing the pidfile"


class TestRefusing:
    def test_a_missing_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "none/jobs.pid"
        expected = f"cannot use the pidfile {path}: there is no folder {tmp_path}/none"
        assert refusal(path) == expected

    def test_a_folder(self, tmp_path: Path) -> None:
        assert refusal(tmp_path) == f"cannot use the pidfile {tmp_path}: it is a folder"

    def test_a_file_in_place_of_the_folder(self, path: Path) -> None:
        path.write_text("")
        expected = f"cannot use the pidfile {path}/x.pid: Not a directory"
        assert refusal(path / "x.pid") == expected

    @pytest.mark.parametrize("there", [True, False])
    def test_a_symbolic_link_whatever_it_leads_to(self, path: Path, there: bool) -> None:
        target = path.with_name("target")
        if there:
            target.write_text("1\n")
        path.symlink_to(target)
        expected = f"cannot use the pidfile {path}: it is a symbolic link; name the file itself"
        assert refusal(path) == expected
        assert target.exists() == there

    def test_a_pipe_without_waiting_for_it(self, path: Path) -> None:
        os.mkfifo(path)
        assert refusal(path) == f"cannot use the pidfile {path}: it is not a regular file"

    @pytest.mark.parametrize("content", ["workers: {}\n", "12 34\n", "1" * 21, "\n", "\xff"])
    def test_a_file_that_holds_something_else(self, path: Path, content: str) -> None:
        path.write_text(content)
        assert refusal(path) == (
            f"cannot use the pidfile {path}: it holds something other than a pid, and is left alone"
        )
        assert path.read_text() == content

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_file_of_another_user(self, path: Path) -> None:
        path.write_text("1\n")
        os.chown(path, 65534, 65534)
        assert refusal(path) == (
            f"cannot use the pidfile {path}: it is owned by the user 65534, and this is the user "
            "0; if no supervisor uses it, remove it"
        )

    def test_a_folder_that_may_not_be_written(self, path: Path) -> None:
        path.parent.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            assert refusal(path) == f"cannot use the pidfile {path}: Permission denied"
        finally:
            os.seteuid(user)

    def test_a_file_system_that_is_read_only(self, path: Path) -> None:
        mount = f"mount -t tmpfs -o ro none {path.parent}"
        if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
            pytest.skip("this machine lets nobody mount a file system of their own")
        command = [sys.executable, "-c", HOLDER, str(path)]
        ended = subprocess.run(
            ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", *command],
            cwd=CHECKOUT,
            text=True,
            capture_output=True,
        )
        expected = f"PidfileError: cannot use the pidfile {path}: Read-only file system"
        assert ended.stderr.splitlines()[-1].endswith(expected)

    def test_a_system_without_file_locks(self, path: Path) -> None:
        code = "import sys; sys.modules['fcntl'] = None" + HOLDER
        with process(code, path) as windows:
            _, err = windows.communicate(timeout=30)
        assert err.splitlines()[-1].endswith(
            "PidfileError: a pidfile needs file locks that this system lacks: "
            "run without supervisor_pidfile"
        )
