"""One job's whole story: every attempt of it, from when it was enqueued to how it ended. And the
end of all stories: `clear_finished_in_batches`, which config/recurring.yml calls every hour.

This module is `queuekit.jobs`:

    for attempt in queuekit.jobs.history(job_id):
        print(attempt.attempt, attempt.state, attempt.outcome, attempt.error)
    queuekit.jobs.discard(job_id)        # it is not wanted any more

What was cleared is gone: with `preserve_finished_jobs` off, or after `clear_finished_jobs_after`,
only the attempts remain that have not ended, or failed.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import datetime

from queuekit import application, events
from queuekit.database import Connection, Database, Row
from queuekit.errors import JobNotFoundError
from queuekit.executions import failed, semaphores
from queuekit.executions.errors import StoredError, read_error
from queuekit.executions.finished import clear_in_batches as clear_finished_in_batches
from queuekit.ids import canonical

__all__ = ["Attempt", "clear_finished_in_batches", "discard", "history"]

#: A job that is to be discarded may be moved on by others meanwhile, from scheduled to ready, say.
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job: one row.

    `state` is where it is: scheduled, ready, blocked, claimed, failed or finished; `outcome` how it
    finished: finished, discarded, or retried, which means that there is a next attempt.
    `executions` counts the runs before this one since the counters were reset. `ended_at` is when
    it finished or failed. The process is the one that has it claimed now; its pid and host are
    None when it is registered no more. `arguments` is their stored form, JSON, with what is
    redacted: `queuekit.arguments.redacted` leaves that out. `concurrency_key` is that of its
    concurrency limit.
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
    concurrency_key: str | None = None


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


def discard(job_id: str) -> None:
    """Give up a job that waits: for its time, for a worker, or for a slot of its concurrency limit.

    It counts as finished, with the outcome discarded, and its slot goes to the next. A failed job
    is given up as `queuekit.failed.discard` does it.

    Raises JobNotFoundError, with nothing done, when it is claimed by a process, when it has ended,
    and when there is no job with this id.
    """
    for _ in range(_TRIES):
        latest = history(job_id)[-1]
        if latest.state == "failed":
            failed.discard(job_id)
            return
        _check_that_it_waits(latest)
        if _discard(latest):
            events.emit(events.JobsDiscarded(count=1))
            return
    raise JobNotFoundError(
        f"the job {job_id} was somewhere else each time that it was to be discarded"
    )


def _check_that_it_waits(latest: Attempt) -> None:
    if latest.state == "claimed":
        raise JobNotFoundError(
            f"the job {latest.job_id} is claimed by process {latest.process_id}: "
            "only jobs that wait or have failed can be discarded"
        )
    if latest.state == "finished":
        raise JobNotFoundError(f"the job {latest.job_id} has ended already: {latest.outcome}")


def _discard(latest: Attempt) -> bool:
    """Discard it where it was seen. Returns whether it was there still."""
    database = application.database()
    answers: builtins.list[bool] = []

    def work(connection: Connection) -> bool:
        if latest.state == "blocked":
            gone = _discard_blocked(database, connection, latest)
        else:
            gone = _discard_waiting(database, connection, latest)
        # Sent again because the answer to the commit was lost, it finds what itself has done.
        answers.append(gone)
        return gone or (any(answers) and _is_discarded(database, connection, latest))

    return database.transact(work)


def _is_discarded(database: Database, connection: Connection, latest: Attempt) -> bool:
    rows = connection.run(database.named("jobs.history"), {"uuid": latest.job_id})
    return all(_attempt(row, database).outcome == "discarded" for row in rows[-1:])


def _discard_waiting(database: Database, connection: Connection, latest: Attempt) -> bool:
    """One that is scheduled or ready. Its row is taken before its key, as by whoever claims it."""
    preserve = application.configuration().preserve_finished_jobs
    parameters = {"job_id": latest.row_id, "preserve_finished": preserve}
    rows = connection.run(database.named("jobs.discard"), parameters)
    slots = semaphores.of_jobs(database, connection, [row[0] for row in rows])
    if slots:
        semaphores.hand_over(database, connection, dict.fromkeys(slots.values()), freed=slots)
    return bool(rows)


def _discard_blocked(database: Database, connection: Connection, latest: Attempt) -> bool:
    preserve = application.configuration().preserve_finished_jobs
    keys = {latest.row_id: latest.concurrency_key or ""}
    return bool(semaphores.discard(database, connection, keys, preserve))


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
        concurrency_key,
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
        concurrency_key=concurrency_key,
    )
