"""One job's whole story: every attempt of it, from when it was enqueued to how it ended.

This module is `queuekit.jobs`:

    for attempt in queuekit.jobs.history(job_id):
        print(attempt.attempt, attempt.state, attempt.outcome, attempt.error)

What was cleared is gone: with `preserve_finished_jobs` off, or after `clear_finished_jobs_after`,
only the attempts remain that have not ended, or failed.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import datetime

from queuekit import application
from queuekit.database import Database, Row
from queuekit.errors import JobNotFoundError
from queuekit.executions.errors import StoredError, read_error
from queuekit.ids import canonical


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job: one row.

    `state` is where it is: scheduled, ready, claimed, failed or finished; `outcome` how it
    finished: finished, discarded, or retried, which means that there is a next attempt.
    `executions` counts the runs before this one since the counters were reset. `ended_at` is when
    it finished or failed. The process is the one that has it claimed now; its pid and host are
    None when it is registered no more. `arguments` is their stored form, JSON, with what is
    redacted: `queuekit.arguments.redacted` leaves that out.
    """

    job_id: str
    row_id: int
    attempt: int
    state: str
    outcome: str | None
    queue: str
    class_name: str
    arguments: str = field(repr=False)
    priority: int
    executions: int
    enqueued_at: datetime
    scheduled_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    error: StoredError | None
    process_id: int | None
    pid: int | None
    hostname: str | None


def history(job_id: str) -> builtins.list[Attempt]:
    """Every attempt of a job that there still is, the first one first.

    Raises JobNotFoundError when there is none.
    """
    database = application.database()
    known_id = canonical(job_id)
    rows = database.query("jobs.history", uuid=known_id) if known_id else []
    if not rows:
        raise JobNotFoundError(f"no job has the id {job_id}")
    return [_attempt(row, database) for row in rows]


def _attempt(row: Row, database: Database) -> Attempt:
    (
        row_id,
        job_id,
        attempt,
        state,
        outcome,
        queue,
        class_name,
        arguments,
        priority,
        executions,
        created,
        scheduled,
        claimed,
        ended,
        error,
        process_id,
        pid,
        hostname,
    ) = row
    return Attempt(
        job_id=str(job_id),
        row_id=row_id,
        attempt=attempt,
        state=state,
        outcome=outcome,
        queue=queue,
        class_name=class_name,
        arguments=arguments,
        priority=priority,
        executions=executions,
        enqueued_at=database.moment_from_database(created),
        scheduled_at=database.moment_from_database(scheduled),
        claimed_at=database.from_database(claimed),
        ended_at=database.from_database(ended),
        error=None if error is None else read_error(error),
        process_id=process_id,
        pid=pid,
        hostname=hostname,
    )
