"""What is going on: the processes, the jobs by state, the queues. This is what `bin/jobs status`
shows.

    status = queuekit.status.gather()
    status.jobs["failed"]
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queuekit import application, queues
from queuekit.database import Database, Row
from queuekit.queues import Queue

MOST_RUNNING = 100


@dataclass(frozen=True, slots=True)
class Process:
    """A registered process. Times are by the database's clock; `metadata` is what its kind says of
    itself: queues, threads, intervals. `supervisor_id` is the row id of the one that started it."""

    id: int
    kind: str
    pid: int
    hostname: str
    supervisor_id: int | None
    metadata: Mapping[str, Any]
    seconds_since_heartbeat: float
    started_at: datetime
    claims: int


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that is claimed: it runs or, when it was claimed ahead, waits for a thread in its
    worker, for a second at most; the database does not know which. `seconds` counts from the claim.
    `done` and `total` are what it has said of its progress, None when it has not."""

    job_id: str
    class_name: str
    queue: str
    attempt: int
    process_id: int
    claimed_at: datetime
    seconds: float
    done: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at about one moment: each part is a query of its own. `running` has the jobs that
    were claimed first, at most MOST_RUNNING; `jobs["claimed"]` is how many there are."""

    processes: tuple[Process, ...]
    jobs: Mapping[str, int]
    queues: tuple[Queue, ...]
    running: tuple[RunningJob, ...] = ()


def gather() -> Status:
    """Ask the database. Raises DatabaseError."""
    database = application.database()
    return Status(_processes(database), _jobs(database), tuple(queues.list()), _running(database))


def _processes(database: Database) -> tuple[Process, ...]:
    return tuple(_process(row, database) for row in database.query("processes.list"))


def _process(row: Row, database: Database) -> Process:
    row_id, kind, pid, hostname, supervisor_id, metadata, silent_for, created, claims = row
    return Process(
        id=row_id,
        kind=kind,
        pid=pid,
        hostname=hostname,
        supervisor_id=supervisor_id,
        metadata=json.loads(metadata),
        seconds_since_heartbeat=float(silent_for),
        started_at=database.moment_from_database(created),
        claims=int(claims),
    )


def _jobs(database: Database) -> dict[str, int]:
    """Every state with its number of jobs, in the order of a job's life."""
    counts: Counter[str] = Counter()
    for state, _, number in database.query("jobs.counts"):
        counts[state] += int(number)
    known = ("scheduled", "ready", "blocked", "claimed", "failed", "finished")
    return {state: counts[state] for state in (*known, *sorted(counts.keys() - set(known)))}


def _running(database: Database) -> tuple[RunningJob, ...]:
    rows = database.query("claimed.running", limit=MOST_RUNNING)
    return tuple(_running_job(row, database) for row in rows)


def _running_job(row: Row, database: Database) -> RunningJob:
    job_id, class_name, queue, attempt, process_id, claimed, seconds, done, total = row
    return RunningJob(
        job_id=str(job_id),
        class_name=class_name,
        queue=queue,
        attempt=attempt,
        process_id=process_id,
        claimed_at=database.moment_from_database(claimed),
        seconds=float(seconds),
        done=done,
        total=total,
    )
