"""An application of its own for each story: a folder, a configuration, a supervisor, their end.

    application.configure(workers=[{"threads": 5}])
    application.start()
    application.enqueue("jobs.note", "hello")
    application.wait_until_ran("hello")
    application.stop()

What it must then have kept is in `promises`. Everything waits for a condition, with a deadline that
only a broken promise reaches; the error then shows what the processes have logged.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from queuekit import arguments, status
from queuekit.description import Description
from queuekit.enqueueing import Receipt, write
from queuekit.errors import DatabaseError
from queuekit.ids import new_job_id

CHECKOUT = Path(__file__).parents[2]
JOBS = Path(__file__).parent / "app" / "jobs.py"
POLICIES = Path(__file__).parent / "app" / "policies.py"

PATIENCE = 90.0
"""Seconds after which a promise counts as broken: far more than a busy machine needs."""


@dataclass(frozen=True)
class Installation:
    """Where queuekit comes from: the Python that has it, and how its commands are called."""

    python: Path
    jobs: tuple[Path, ...]
    path: str = ""


FROM_CHECKOUT = Installation(
    Path(sys.executable), (Path(sys.executable), CHECKOUT / "bin" / "jobs"), str(CHECKOUT)
)


class Application:
    """One application.

    1. A folder with `jobs.py` and `config/queue.yml`, in which everything is run.
    2. Starts the supervisor with `bin/jobs`; what it and its children print is in `log`.
    3. Enqueues, and waits for what jobs do and for what the database says.
    4. `close` kills whatever is left of it.

    `prefix` is a command that its processes are started by, such as one that changes the host;
    `surroundings` are variables that its processes get.
    """

    def __init__(
        self, folder: Path, database_url: str, installation: Installation = FROM_CHECKOUT
    ) -> None:
        self.folder = folder
        self.installation = installation
        self.database_url = database_url
        self.log = folder / "log"
        self.prefix: list[str] = []
        self.surroundings: dict[str, str] = {}
        self.supervisor: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []
        for name in ("config", "open"):
            (folder / name).mkdir(parents=True)
        shutil.copyfile(JOBS, folder / "jobs.py")
        self.log.touch()
        self.configure()

    # Its folder

    def configure(self, **settings: Any) -> None:
        """Write config/queue.yml. JSON is YAML, too."""
        usual = {"database_url": self.database_url, "shutdown_timeout": 60}
        one_of_each: dict[str, Any] = {"workers": {}, "dispatchers": {}}
        self.write("config/queue.yml", json.dumps(usual | one_of_each | settings))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def open(self, gate: str = "gate") -> None:
        """Let the jobs go on that wait for this."""
        (self.folder / "open" / gate).touch()

    def ran(self) -> list[str]:
        """What jobs have said, in this order."""
        return [text for _, text in self.ran_where()]

    def ran_where(self) -> list[tuple[int, str]]:
        """What jobs have said, with the process that ran them."""
        path = self.folder / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), text) for pid, _, text in (line.partition(" ") for line in lines)]

    # Its processes

    def start(self, *options: str) -> None:
        """Start the supervisor, and return as soon as all that is configured has registered."""
        self.launch(*options)
        wait_until(self._has_registered, self, "all processes register")

    def launch(self, *options: str) -> None:
        """Start the supervisor. It leads a process group of its own, like a terminal's."""
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [*self.prefix, *self.installation.jobs, "start", *options],
                cwd=self.folder,
                env=environment() | self.surroundings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._groups.append(self.supervisor.pid)

    def _has_registered(self) -> bool:
        assert self.supervisor is not None
        if self.supervisor.poll() is not None:
            raise AssertionError(f"the supervisor has ended\n{self.printed()}")
        supervisors = self.processes("Supervisor")
        found = [process for process in supervisors if process.pid == self.supervisor.pid]
        if not found:
            return False
        metadata = found[0].metadata
        wanted = sum(metadata[kind] for kind in ("workers", "dispatchers", "schedulers"))
        return len([p for p in self.processes() if p.supervisor_id == found[0].id]) == wanted

    def send(self, number: signal.Signals) -> None:
        assert self.supervisor is not None
        self.supervisor.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell the supervisor to stop, and return when it has ended."""
        self.send(number)
        self.wait_for_end()

    def wait_for_end(self) -> int:
        """Wait until the supervisor has ended; its exit status."""
        supervisor = self.supervisor
        assert supervisor is not None
        wait_until(lambda: supervisor.poll() is not None, self, "the supervisor ends")
        return supervisor.wait()

    def close(self) -> None:
        for group in self._groups:
            kill_group(group)
        if self.supervisor is not None:
            self.supervisor.wait()

    def printed(self) -> str:
        """All that the supervisor and its children have printed."""
        return self.log.read_text(errors="replace")

    def alive(self) -> list[int]:
        """The processes that still live of all that this application has started."""
        return [pid for group in self._groups for pid in members(group)]

    # Its jobs

    def python(self, code: str, succeeds: bool = True) -> str:
        """Run code in a process of its own, in the folder. What it printed, on both streams."""
        return self.execute(self.installation.python, "-c", code, succeeds=succeeds)

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        """Run `bin/jobs`. What it printed, on both streams."""
        return self.execute(*self.installation.jobs, *arguments, succeeds=succeeds)

    def execute(self, *command: str | Path, succeeds: bool = True) -> str:
        """Run a program in the folder. What it printed, on both streams."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*self.prefix, *command],
            cwd=self.folder,
            env=environment() | {"PYTHONPATH": self.installation.path} | self.surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert (done.returncode == 0) is succeeds, done.stdout
        return done.stdout

    def enqueue(
        self,
        class_name: str,
        *args: Any,
        queue: str = "default",
        priority: int = 0,
        wait: timedelta | float | None = None,
    ) -> Receipt:
        """Enqueue a job under the name that a worker will look for, declared or not."""
        return enqueue_all([(class_name, args)], queue=queue, priority=priority, wait=wait)[0]

    def wait_until_ran(self, *texts: str) -> None:
        """Wait until jobs have said all of these."""
        wanted = Counter(texts)
        wait_until(lambda: wanted <= Counter(self.ran()), self, f"jobs say {list(texts)}")

    def wait_until_printed(self, text: str, times: int = 1) -> None:
        wait_until(lambda: self.printed().count(text) >= times, self, f"the log says {text!r}")

    def wait_until_jobs(self, **counts: int) -> None:
        """Wait until so many jobs are in these states, and none in any other."""
        expected = {state: count for state, count in counts.items() if count}
        wait_until(lambda: self.jobs() == expected, self, f"the jobs are {expected}")

    def jobs(self) -> dict[str, int]:
        """How many jobs are in each state, where there are any."""
        return {state: count for state, count in status.gather().jobs.items() if count}

    def processes(self, kind: str | None = None) -> list[status.Process]:
        """The registered processes, of one kind where it is given."""
        everything = status.gather().processes
        return [process for process in everything if kind in (None, process.kind)]

    def worker(self) -> status.Process:
        """The only worker."""
        (worker,) = self.processes("Worker")
        return worker

    def wait_until_replaced(self, old: status.Process) -> None:
        """Wait until another process of this kind has registered, and this one is gone."""
        wait_until(
            lambda: (
                [p for p in self.processes(old.kind) if p.id > old.id]
                and old.id not in [p.id for p in self.processes()]
            ),
            self,
            f"{old.kind} {old.pid} is replaced",
        )


def enqueue_all(
    jobs: Iterable[tuple[str, tuple[Any, ...]]],
    *,
    queue: str = "default",
    priority: int = 0,
    wait: timedelta | float | None = None,
) -> list[Receipt]:
    """Enqueue jobs by name, through the public way; the test's process has never imported them."""
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    return write(
        [
            describe(name, arguments.dump(args, {}), queue=queue, priority=priority, wait=seconds)
            for name, args in jobs
        ]
    )


def describe(
    class_name: str,
    stored_arguments: str,
    *,
    queue: str = "default",
    priority: int = 0,
    wait: float | None = None,
) -> Description:
    """A row as it will stand in the table, whatever no declaration would have let through."""
    return Description(
        job_id=new_job_id(),
        queue=queue,
        class_name=class_name,
        arguments=stored_arguments,
        priority=priority,
        wait=wait,
        at=None,
        max_process_deaths=None,
        context=None,
        connection=None,
    )


# Waiting, and processes


def wait_until(
    condition: Callable[[], object],
    application: Application,
    promise: str,
    patience: float = PATIENCE,
) -> None:
    """Wait for a condition. A database that is down at the moment makes it untrue."""
    deadline = time.monotonic() + patience
    while not holds(condition):
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come that {promise}\n{described(application)}")
        time.sleep(0.02)


def holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except DatabaseError:
        return False


def described(application: Application) -> str:
    """What is known when a promise is broken."""
    try:
        state = f"jobs: {application.jobs()}\nprocesses: {application.processes()}"
    except DatabaseError as error:
        state = f"database: {error}"
    return f"{state}\nran: {application.ran()[-20:]}\n{application.printed()}"


def environment() -> dict[str, str]:
    """The test's own, without what would make queuekit look elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QUEUEKIT_", "PYTHON", "COV"))
    }


def members(group: int) -> list[int]:
    """The living processes of a process group, without those dead and not collected yet."""
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if state_and_group(int(entry.name))[1:] == (group,)
    ]


def state_and_group(pid: int) -> tuple[str, int] | tuple[()]:
    """State and process group of a living process; empty for one that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ()
    return () if fields[0] in "ZX" else (fields[0], int(fields[2]))


def lives(pid: int) -> bool:
    return state_and_group(pid) != ()


def kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + PATIENCE
    while members(group):
        assert time.monotonic() < deadline, f"process group {group} does not die"
        time.sleep(0.02)
