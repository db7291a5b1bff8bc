"""contrib/systemd/queuekit.service: systemd accepts it, and the supervisor keeps its part of it."""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuekit.config import Configuration
from tests.deploying.conftest import CHECKOUT, Deployed, skip_unless_namespaces, wait_until

SERVICE = CHECKOUT / "contrib/systemd/queuekit.service"

#: Seconds that the supervisor gives to processes that it has told to quit.
QUITTING = 5.0

systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian: systemd): the service file is NOT VERIFIED",
)


def settings(name: str) -> list[str]:
    """The values that the service file gives to a setting."""
    lines = (line.partition("=") for line in SERVICE.read_text().splitlines())
    return [value for key, _, value in lines if key == name]


def setting(name: str) -> str:
    (value,) = settings(name)
    return value


@systemd
def test_systemd_finds_nothing_to_complain_about() -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", SERVICE], capture_output=True, text=True, timeout=60
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@systemd
def test_systemd_finds_it_well_protected() -> None:
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout
    if int(version.split()[1]) < 250:
        pytest.skip("this systemd rates running services only")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", SERVICE],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert rated.returncode == 0, rated.stdout


def test_systemd_waits_longer_than_the_supervisor_does() -> None:
    assert float(setting("TimeoutStopSec")) > Configuration().shutdown_timeout + QUITTING
    assert (setting("KillMode"), setting("KillSignal")) == ("mixed", "SIGTERM")


def test_only_the_supervisor_speaks_for_it() -> None:
    assert (setting("Type"), setting("NotifyAccess")) == ("notify", "main")
    assert setting("OOMPolicy") == "continue"


class ServiceManager:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.bind(str(path))

    def listen_for(self, line: str) -> None:
        """Go on listening until it has heard this."""
        while line not in self.heard:
            self.heard += self.socket.recv(4096).decode().splitlines()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    manager = ServiceManager(tmp_path / "notify")
    yield manager
    manager.socket.close()


def test_the_service_from_ready_to_the_end(deployed: Deployed, manager: ServiceManager) -> None:
    watched = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000000"}
    with deployed.running(*shlex.split(setting("ExecStart")), **watched) as service:
        manager.listen_for("READY=1")
        kinds = [process["kind"] for process in deployed.status()["processes"]]
        assert sorted(kinds) == ["Dispatcher", "Supervisor", "Worker"]
        for _ in range(3):
            manager.heard.clear()
            manager.listen_for("WATCHDOG=1")
        service.terminate()
        manager.listen_for("STOPPING=1")
        assert service.wait(30) == 0


def test_it_is_not_ready_before_the_last_child_has_registered(
    deployed: Deployed, manager: ServiceManager
) -> None:
    """One worker is held up by the database, after everything else has come up."""
    deployed.run("bin/jobs", "prepare")
    lock = sqlite3.connect(deployed.folder / "storage/queue.sqlite3", isolation_level=None)
    lock.execute(
        "create trigger one_worker_only before insert on queuekit_processes "
        "when new.kind = 'Worker' and exists "
        "(select 1 from queuekit_processes where kind = 'Worker') "
        "begin select raise(abort, 'not yet'); end"
    )
    queue = "imports: jobs\nworkers: { processes: 2, polling_interval: 0.05 }\ndispatchers: {}\n"
    (deployed.folder / "config/queue.yml").write_text(queue)
    with deployed.running(
        *shlex.split(setting("ExecStart")), NOTIFY_SOCKET=str(manager.path)
    ) as service:
        wait_until(lambda: len(deployed.status()["processes"]) == 3)
        manager.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            manager.listen_for("READY=1")
        lock.execute("drop trigger one_worker_only")
        lock.close()
        manager.socket.settimeout(60)
        manager.listen_for("READY=1")
        assert len(deployed.status()["processes"]) == 4
        service.terminate()
        assert service.wait(30) == 0


def test_what_it_waits_for_and_why_it_did_not_reload_is_in_its_status(
    deployed: Deployed, manager: ServiceManager
) -> None:
    deployed.run("bin/jobs", "prepare")
    lock = sqlite3.connect(deployed.folder / "storage/queue.sqlite3", isolation_level=None)
    lock.execute("begin exclusive")
    with deployed.running(
        *shlex.split(setting("ExecStart")), NOTIFY_SOCKET=str(manager.path)
    ) as service:
        manager.listen_for("STATUS=Waiting for the database")
        lock.close()
        manager.listen_for("READY=1")
        (deployed.folder / "config/queue.yml").write_text("- workers\n")
        service.send_signal(signal.SIGHUP)
        manager.listen_for(
            "STATUS=Not reloaded: config/queue.yml: got a list, expected a mapping of settings"
        )
        service.terminate()
        assert service.wait(30) == 0


def test_a_supervisor_that_stands_still_starves_the_watchdog(
    deployed: Deployed, manager: ServiceManager
) -> None:
    watched = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000000"}
    with deployed.running(*shlex.split(setting("ExecStart")), **watched) as service:
        manager.listen_for("READY=1")
        service.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: stat_of(service.pid) == "T")
            manager.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    manager.socket.recv(4096)
            # More than the watchdog allows, with processes that go on as if nothing was wrong.
            manager.socket.settimeout(2.0)
            with pytest.raises(TimeoutError):
                manager.socket.recv(4096)
        finally:
            service.send_signal(signal.SIGCONT)


def stat_of(pid: int) -> str:
    """The state of a process: R, S, T ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_sqlite_can_be_written_inside_the_sandbox_and_nothing_else(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Mounts as ProtectSystem=strict, ReadWritePaths and RuntimeDirectory make them."""
    skip_unless_namespaces("-m")
    run = tmp_path / "run/queuekit"
    run.mkdir(parents=True)
    assert setting("ProtectSystem") == "strict"
    assert "-/srv/app/storage" in setting("ReadWritePaths").split()
    writable = [f"{deployed.folder}/storage", str(run)]
    mounts = [f"mount --bind {folder} {folder}" for folder in writable]
    script = " && ".join([*mounts, "mount -o remount,bind,ro /", 'exec "$@"'])
    deployed.enqueue("jobs.write", f"{deployed.folder}/storage/inside")
    deployed.enqueue("jobs.write", f"{deployed.folder}/outside")
    with deployed.running(
        *("unshare", "-m", "sh", "-c", script, "sh"),
        *("setpriv", "--no-new-privs", "--bounding-set=-all"),
        *shlex.split(setting("ExecStart")),
        QUEUEKIT_SUPERVISOR_PIDFILE=str(run / "supervisor.pid"),
    ) as service:
        wait_until(lambda: (deployed.count("finished"), deployed.count("failed")) == (1, 1))
        assert (deployed.folder / "storage/inside").read_text() == "written"
        assert "Read-only file system" in deployed.run("bin/jobs", "failed", "list")
        assert (run / "supervisor.pid").read_text() == f"{service.pid}\n"
    assert service.returncode == 0
    assert not (run / "supervisor.pid").exists()
