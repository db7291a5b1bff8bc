"""SQLite's file makes trouble: others lock it, the disk is full, nobody may write it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination
from tests.stories.support import Application, enqueue_all, wait_until

pytestmark = pytest.mark.databases("sqlite")

#: Holds the file's write lock until its standard input ends. A process of its own, because the
#: locks are between processes.
LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
connection.execute("rollback")
"""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as locker:
        assert locker.stdout is not None and locker.stdin is not None
        assert locker.stdout.readline() == b"locked\n"
        yield
        locker.stdin.close()


def file_of(application: Application) -> Path:
    return Path(application.database_url.removeprefix("sqlite:///"))


@pytest.mark.parametrize(
    ("seconds", "busy_timeout", "is_said"),
    [(3, 5000, False), (10, 5000, True), (10, 200, True)],
    ids=["shorter than the busy timeout", "longer", "much longer"],
)
def test_a_file_that_somebody_locks_is_waited_for(
    application: Application, seconds: int, busy_timeout: int, is_said: bool
) -> None:
    application.configure(
        database_url=f"{application.database_url}?busy_timeout={busy_timeout}",
        process_heartbeat_interval=0.5,
        workers={"threads": 2},
    )
    application.start()
    before = [process.id for process in application.processes()]
    enqueue_all([("jobs.wait", ("one",)), ("jobs.wait", ("two",)), ("jobs.note", ("three",))])
    enqueue_all([("jobs.note", ("late",))], wait=1)
    application.wait_until_ran("one began", "two began")

    with locked(file_of(application)):
        application.open()
        locked_at = time.monotonic()
        wait_until(lambda: time.monotonic() > locked_at + seconds, application, f"{seconds} s")
        assert application.jobs().get("finished") is None

    application.wait_until_jobs(finished=4)
    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert [process.id for process in application.processes()] == before
    for who in ("Worker", "Worker's heartbeat", "Dispatcher's heartbeat", "Supervisor"):
        assert application.printed().count(f"] {who} waits for the database") == is_said
    application.stop()
    assert_clean_termination(application)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a file system, which takes root: {done.stderr.strip()}")


@pytest.fixture
def application_on_disk(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    url = f"sqlite:///{disk}/queue.sqlite3"
    yield from make_application(tmp_path / "application", url, monkeypatch)


def fill(disk: Path) -> Path:
    """Write until nothing more fits."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return filler


def test_a_full_disk_is_an_outage_like_any_other(
    application_on_disk: Application, disk: Path
) -> None:
    application = application_on_disk
    application.configure(process_heartbeat_interval=0.5, workers={"threads": 2})
    application.start()
    before = [process.id for process in application.processes()]
    enqueue_all([("jobs.wait", ("one",)), ("jobs.wait", ("two",))])
    application.wait_until_ran("one began", "two began")

    filler = fill(disk)
    with pytest.raises(queuekit.EnqueueError) as raised:
        while True:
            application.enqueue("jobs.note", "x" * 1000, queue="nobody's")
    assert isinstance(raised.value.__cause__, queuekit.DatabaseUnavailableError)
    application.wait_until_printed("waits for the database: ")
    assert "full" in application.printed()
    application.open()
    application.wait_until_ran("one ended", "two ended")
    filler.unlink()

    wait_until(lambda: application.jobs().get("finished") == 2, application, "both are settled")
    assert [process.id for process in application.processes()] == before
    enqueue_all([("jobs.note", ("afterwards",))])
    application.wait_until_ran("afterwards")
    application.stop()
    assert_clean_termination(application)


def test_a_disk_that_was_mounted_read_only_is_waited_for(
    application_on_disk: Application, disk: Path
) -> None:
    application = application_on_disk
    application.enqueue("jobs.note", "prepared")
    queuekit.application.database().disconnect()
    mount("-o", "remount,ro", str(disk))

    application.launch()
    application.wait_until_printed("Supervisor waits for the database: ")
    with pytest.raises(queuekit.EnqueueError):
        application.enqueue("jobs.note", "refused")

    mount("-o", "remount,rw", str(disk))
    application.wait_until_ran("prepared")
    application.stop()
    assert_clean_termination(application)


@pytest.fixture
def unprivileged(application: Application) -> None:
    """Root may write what is read-only; the application's processes shall not."""
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("setpriv, which takes away root's privileges, is not installed")
        application.prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_may_not_be_written_ends_the_start_with_one_line(
    application: Application,
) -> None:
    application.enqueue("jobs.note", "prepared")
    queuekit.application.database().disconnect()
    file_of(application).chmod(0o444)

    application.launch()

    assert application.wait_for_end() == 1
    (line,) = application.printed().splitlines()
    assert "attempt to write a readonly database" in line
    for path in file_of(application).parent.glob("queue.sqlite3*"):  # SQLite copies the mode
        path.chmod(0o644)
    application.start()
    application.wait_until_ran("prepared")
    application.stop()
    assert_clean_termination(application)
