"""contrib/systemd/queuekit.service, started by systemd itself, in its whole sandbox."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploying.conftest import JOBS
from tests.deploying.machine import CHECKOUT, Machine, wait_until, why_not

UNIT = "queuekit.service"
QUEUE = """
production:
  imports: jobs
  workers: { processes: 2, polling_interval: 0.05 }
  dispatchers: {}
"""

# The Python of the tests may be in a home folder, which the unit hides. A watchdog that the tests
# need not wait for is all the rest that differs.
DROP_IN = f"""[Service]
Environment=PYTHONPATH={CHECKOUT} PYTHONDONTWRITEBYTECODE=1
ProtectHome=read-only
WatchdogSec=5
RestartSec=1
"""
JOBS_MORE = """
import time

@queuekit.job
def wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.05)

@queuekit.job
def speak_to_the_kernel() -> None:
    import socket
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
"""


def install() -> str:
    """Shell commands, run in the root of the machine's file system."""
    python = Path(sys.executable).absolute()
    opened = " ".join(shlex.quote(f".{path}") for path in Path(sys.base_prefix).resolve().parents)
    files = {
        "srv/app/jobs.py": JOBS + JOBS_MORE,
        "srv/app/config/queue.yml": QUEUE,
        f"etc/systemd/system/{UNIT}": (CHECKOUT / "contrib/systemd/queuekit.service").read_text(),
        f"etc/systemd/system/{UNIT}.d/test.conf": DROP_IN,
    }
    return "\n".join(
        [
            f"chmod o+x {opened}",
            "chroot . useradd --system --no-create-home app",
            "mkdir -p srv/app/config srv/app/storage srv/app/.venv/bin",
            f"mkdir -p etc/systemd/system/{UNIT}.d",
            f"printf '#!/bin/sh\\nexec {shlex.quote(str(python))} \"$@\"\\n' "
            "> srv/app/.venv/bin/python3",
            "chmod 755 srv/app/.venv/bin/python3",
            *(f"cat > {name} <<'THE END'\n{text}\nTHE END" for name, text in files.items()),
            f"(cd srv/app && PYTHONPATH={CHECKOUT} {python} -m queuekit install)",
            "chroot . chown app:app /srv/app/storage",
        ]
    )


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with the service running on it; each test leaves it running."""
    if why := why_not():
        pytest.skip(f"systemd cannot be booted here ({why}): the service is NOT TRIED")
    with Machine(install(), UNIT) as machine:
        wait_until(lambda: machine.show(UNIT, "SubState") == "running", machine.explain)
        yield machine


def jobs(machine: Machine, *arguments: str) -> str:
    status, said = machine.run(
        *("sh", "-c", 'cd /srv/app && exec setpriv --reuid app --regid app --clear-groups "$@"'),
        *("sh", "env", "QUEUEKIT_ENV=production", f"PYTHONPATH={CHECKOUT}"),
        *("/srv/app/.venv/bin/python3", "bin/jobs", *arguments),
    )
    assert status == 0, said
    return said


def state(machine: Machine) -> Any:
    return json.loads(jobs(machine, "status", "--json"))


#: Two workers, a dispatcher, and a scheduler, since the installed file has a task for production.
CHILDREN = 4


def main_pid(machine: Machine) -> str:
    return machine.show(UNIT, "MainPID")


def children(machine: Machine) -> list[str]:
    return machine.run("pgrep", "-P", main_pid(machine))[1].split()


def test_it_has_started_when_every_process_has_registered(machine: Machine) -> None:
    kinds = [process["kind"] for process in state(machine)["processes"]]
    assert sorted(kinds) == ["Dispatcher", "Scheduler", "Supervisor", "Worker", "Worker"]
    assert machine.show(UNIT, "StatusText") == "4 processes"


def test_in_the_sandbox_jobs_write_into_storage_and_nowhere_else(machine: Machine) -> None:
    for path in ("/srv/app/storage/inside", "/srv/app/outside", "/etc/outside", "/tmp/private"):
        jobs(machine, "enqueue", "jobs.write", path)
    jobs(machine, "enqueue", "jobs.speak_to_the_kernel")
    wait_until(lambda: sum(state(machine)["jobs"][s] for s in ("failed", "finished")) == 5)
    errors = sorted(job["message"] for job in json.loads(jobs(machine, "failed", "--json")))
    assert errors == [
        "[Errno 30] Read-only file system: '/etc/outside'",
        "[Errno 30] Read-only file system: '/srv/app/outside'",
        "[Errno 97] Address family not supported by protocol",
    ]
    assert machine.run("cat", "/srv/app/storage/inside") == (0, "written")
    assert machine.run("test", "-e", "/tmp/private")[0] == 1
    assert machine.run("cat", "/run/queuekit/supervisor.pid")[1].strip() == main_pid(machine)


def test_a_reload_replaces_the_processes_and_leaves_the_supervisor(machine: Machine) -> None:
    supervisor, before = main_pid(machine), children(machine)
    assert machine.run("systemctl", "reload", UNIT) == (0, "")
    wait_until(
        lambda: len(children(machine)) == CHILDREN and not set(children(machine)) & set(before)
    )
    wait_until(lambda: machine.show(UNIT, "ActiveState") == "active")
    assert main_pid(machine) == supervisor


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_a_supervisor_that_dies_or_hangs_is_replaced_with_its_children(
    machine: Machine, signal: str
) -> None:
    before = [main_pid(machine), *children(machine)]
    machine.run("kill", f"-{signal}", before[0])
    wait_until(
        lambda: (
            machine.show(UNIT, "SubState") == "running"
            and main_pid(machine) != before[0]
            and len(children(machine)) == CHILDREN
        ),
        machine.explain,
    )
    assert not set(before) & {main_pid(machine), *children(machine)}
    assert all(machine.run("kill", "-0", pid)[0] != 0 for pid in before)


def test_a_stop_lets_jobs_finish(machine: Machine) -> None:
    finished = state(machine)["jobs"]["finished"]
    jobs(machine, "enqueue", "jobs.wait_for", "/srv/app/storage/gate")
    wait_until(lambda: any(process["claims"] for process in state(machine)["processes"]))
    assert machine.run("systemctl", "stop", "--no-block", UNIT) == (0, "")
    wait_until(lambda: machine.show(UNIT, "StatusText") == "Stopping")
    machine.run("touch", "/srv/app/storage/gate")
    wait_until(lambda: machine.show(UNIT, "ActiveState") == "inactive")
    assert (machine.show(UNIT, "Result"), machine.show(UNIT, "ExecMainStatus")) == ("success", "0")
    assert state(machine)["jobs"]["finished"] == finished + 1
    assert machine.run("systemctl", "start", UNIT) == (0, "")
