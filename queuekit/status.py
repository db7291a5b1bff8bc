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
class Status:
    """Everything at about one moment: each part is a query of its own."""

    processes: tuple[Process, ...]
    jobs: Mapping[str, int]
    queues: tuple[Queue, ...]


def gather() -> Status:
    """Ask the database. Raises DatabaseError."""
    database = application.database()
    return Status(_processes(database), _jobs(database), tuple(queues.list()))


def _processes(database: Database) -> tuple[Process, ...]:
    return tuple(_process(row, database) for row in database.query("processes.list"))


def _process(row: Row, database: Database) -> Process:
    row_id, kind, pid, hostname, supervisor_id, metadata, silent_for, created, claims = row
    started_at = database.from_database(created)
    assert started_at is not None
    return Process(
        id=row_id,
        kind=kind,
        pid=pid,
        hostname=hostname,
        supervisor_id=supervisor_id,
        metadata=json.loads(metadata),
        seconds_since_heartbeat=float(silent_for),
        started_at=started_at,
        claims=int(claims),
    )


def _jobs(database: Database) -> dict[str, int]:
    """Every state with its number of jobs, in the order of a job's life."""
    counts: Counter[str] = Counter()
    for state, _, number in database.query("jobs.counts"):
        counts[state] += int(number)
    known = ("scheduled", "ready", "claimed", "failed", "finished")
    return {state: counts[state] for state in (*known, *sorted(counts.keys() - set(known)))}
