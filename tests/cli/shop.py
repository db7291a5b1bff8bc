"""An application for a test: a folder with jobs, its queue, and the command line in it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from queuekit.database import Database, open_database
from queuekit.executions import turn
from queuekit.executions.errors import describe_error
from queuekit.ids import new_job_id

CHECKOUT = Path(__file__).resolve().parents[2]
BIN_JOBS = str(CHECKOUT / "bin/jobs")

JOBS = """
import queuekit

@queuekit.job(queue="mailers")
def welcome(user_id: int, greeting: str = "Hello") -> None: ...

@queuekit.job(priority=7)
def anything(*args: object, **kwargs: object) -> None: ...

@queuekit.job(unique=queuekit.Unique("day"))
def once(day: str) -> None: ...

@queuekit.job(name="nightly report")
def report() -> None: ...

def not_a_job() -> None: ...
"""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shop:
    """An application whose current folder is `folder`. `url` is its queue's, by default its own."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/storage/queue.sqlite3"
        (folder / "app").mkdir()
        (folder / "app/jobs.py").write_text(JOBS)
        self._database: Database | None = None

    # The command line

    def jobs(self, *arguments: str, stdin: str | bytes = "", **variables: str) -> Result:
        """Run bin/jobs in the application's folder."""
        ended = subprocess.run(
            [sys.executable, BIN_JOBS, *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=60,
        )
        return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def begin(self, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
        """Begin bin/jobs, for tests that meet it while it runs."""
        return subprocess.Popen(
            [sys.executable, BIN_JOBS, *arguments],
            cwd=self.folder,
            env=self.environment(),
            text=True,
            **streams,
        )

    def jobs_on_terminal(
        self, *arguments: str, typed: str = "", columns: int = 80, **variables: str
    ) -> tuple[int, str]:
        """Run bin/jobs on a terminal; its status and everything that the terminal was sent."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = self.begin_with(arguments, variables, theirs)
        os.close(theirs)
        os.write(ours, typed.encode())
        text = b"".join(iter(lambda: _read(ours), b"")).decode()
        os.close(ours)
        return process.wait(timeout=60), text.replace("\r\n", "\n")

    def begin_with(
        self, arguments: Sequence[str], variables: dict[str, str], terminal: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, BIN_JOBS, *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NO_COLOR", "COLUMNS", "LINES")
        }
        return kept | {"TERM": "xterm", "QUEUEKIT_DATABASE_URL": self.url} | variables

    # What is in the queue

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = open_database(self.url)
        return self._database

    def enqueue(
        self,
        number: int = 1,
        *,
        queue: str = "default",
        class_name: str = "app.jobs.anything",
        arguments: str = '{"args":[],"kwargs":{}}',
    ) -> list[str]:
        """Write jobs without asking whether there are such. Returns their ids."""
        ids = [new_job_id() for _ in range(number)]
        rows = [
            {
                "uuid": job_id,
                "queue_name": queue,
                "class_name": class_name,
                "arguments": arguments,
                "priority": 0,
            }
            for job_id in ids
        ]
        self.database.query("jobs.enqueue", jobs=json.dumps(rows), places_later=False, wakes=None)
        return ids

    def work(self, error: BaseException | None = None) -> None:
        """Do what a worker does: end every ready job, as finished, or failed with an error."""
        worker = self.register("Worker")
        claimed = self.claim(worker)
        stored = None if error is None else describe_error(error)
        outcome = turn.FINISHED if error is None else turn.FAILED
        self.turn(worker, [turn.Result(job.row_id, outcome, stored) for job in claimed], limit=0)
        self.database.query("processes.deregister", process_id=worker)

    def register(self, kind: str, metadata: dict[str, Any] | None = None) -> int:
        rows = self.database.query(
            "processes.register",
            kind=kind,
            pid=4711,
            hostname="shop-1",
            supervisor_id=None,
            metadata=json.dumps(metadata or {}),
        )
        process_id: int = rows[0][0]
        return process_id

    def claim(self, worker: int, limit: int = 10_000) -> tuple[turn.ClaimedJob, ...]:
        return self.turn(worker, [], limit=limit).claimed

    def turn(self, worker: int, results: Sequence[turn.Result], *, limit: int) -> turn.Turn:
        return turn.take(
            self.database, worker, results, queue=None, limit=limit, preserve_finished=True
        )

    def count(self, state: str) -> int:
        """How many jobs are in this state."""
        return sum(row[2] for row in self.database.query("jobs.counts") if row[0] == state)

    def close(self) -> None:
        if self._database is not None:
            self._database.disconnect()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody has the terminal open any more
        return b""
