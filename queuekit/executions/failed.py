"""Failed: ended with an error that nothing handled; kept until somebody decides.

This module is `queuekit.failed`:

    for job in queuekit.failed.list(queue="mailers"):
        print(job.job_id, job.error.message)
    queuekit.failed.retry(job.job_id)
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from queuekit import application, events
from queuekit.database import Connection, Row
from queuekit.database.hints import READY
from queuekit.errors import JobNotFoundError
from queuekit.executions import semaphores
from queuekit.executions.errors import StoredError, read_error
from queuekit.executions.semaphores import Slots
from queuekit.ids import canonical

#: How many jobs one transaction retries or discards.
BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A failed job. `arguments` is their stored form, JSON, with what is redacted."""

    job_id: str
    row_id: int
    attempt: int
    queue: str
    class_name: str
    arguments: str = field(repr=False)
    priority: int
    enqueued_at: datetime
    failed_at: datetime
    error: StoredError


def list(
    *, queue: str | None = None, class_name: str | None = None, limit: int = 100
) -> builtins.list[FailedJob]:
    """The newest failed jobs, of one queue or class where one is named."""
    rows = application.database().query(
        "failed.list", queue_name=queue, class_name=class_name, limit=limit
    )
    return [_failed_job(row) for row in rows]


def count(*, queue: str | None = None, class_name: str | None = None) -> int:
    """How many jobs have failed, of one queue or class where one is named."""
    rows = application.database().query("failed.count", queue_name=queue, class_name=class_name)
    return int(rows[0][0])


def show(job_id: str) -> FailedJob:
    """One failed job. Raises JobNotFoundError when there is no failed job with this id."""
    known_id = canonical(job_id)
    rows = application.database().query("failed.show", uuid=known_id) if known_id else []
    if not rows:
        raise JobNotFoundError(f"no failed job has the id {job_id}")
    return _failed_job(rows[0])


def retry(*job_ids: str) -> None:
    """Run these failed jobs again, as if they were enqueued now: each gets a new attempt.

    Raises JobNotFoundError, with nothing done, when one of them is not a failed job, or was retried
    or discarded by somebody else in the same moment.
    """
    _settle("failed.retry", job_ids, events.JobsRetried)


def discard(*job_ids: str) -> None:
    """Give these failed jobs up. They count as finished, with their errors kept.

    Raises JobNotFoundError, with nothing done, when one of them is not a failed job.
    """
    _settle("failed.discard", job_ids, events.JobsDiscarded)


def retry_all(
    *,
    queue: str | None = None,
    class_name: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Retry every failed job, of one queue or class where one is named, in batches of 500.

    `progress` is called after each batch with its size. Returns how many were retried. Jobs that
    fail again meanwhile are not retried a second time.
    """
    return _settle_all("failed.retry", events.JobsRetried, queue, class_name, progress)


def discard_all(
    *,
    queue: str | None = None,
    class_name: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Discard every failed job, of one queue or class where one is named: see `retry_all`."""
    return _settle_all("failed.discard", events.JobsDiscarded, queue, class_name, progress)


_Event = type[events.JobsRetried] | type[events.JobsDiscarded]


def _settle(query: str, job_ids: tuple[str, ...], event: _Event) -> None:
    found = {show(job_id).row_id: job_id for job_id in dict.fromkeys(job_ids)}
    if found:
        _run_all_or_none(query, found)
        events.emit(event(count=len(found)))


def _run_all_or_none(query: str, found: Mapping[int, str]) -> None:
    """Undo everything when one of these rows is not failed any more: somebody else was faster."""
    database = application.database()

    answers: builtins.list[int] = []

    def settle(connection: Connection) -> None:
        settled = _run_here(connection, query, [*found])
        # Sent again because the answer to the commit was lost, it finds what itself has done.
        is_our_own = settled == 0 and len(found) in answers
        answers.append(settled)
        if settled < len(found) and not is_our_own:
            raise _OvertakenError

    try:
        database.transact(settle)
    except _OvertakenError:
        gone = [job_id for row_id, job_id in found.items() if not _is_failed(job_id, row_id)]
        raise JobNotFoundError(
            f"nothing was done: retried or discarded by somebody else meanwhile: {', '.join(gone)}"
        ) from None


class _OvertakenError(Exception):
    """Somebody else has settled some of the jobs between our look and our doing."""


def _is_failed(job_id: str, row_id: int) -> bool:
    try:
        return show(job_id).row_id == row_id
    except JobNotFoundError:
        return False


def _settle_all(
    query: str,
    event: _Event,
    queue: str | None,
    class_name: str | None,
    progress: Callable[[int], object] | None,
) -> int:
    settled = 0
    for row_ids in _batches(queue, class_name):
        done = _run(query, row_ids)
        settled += done
        if progress is not None:
            progress(done)
    events.emit(event(count=settled))
    return settled


def _batches(queue: str | None, class_name: str | None) -> Iterator[builtins.list[int]]:
    """Row ids of what has failed until now: what fails later has a higher one than the last."""
    newest = application.database().query("failed.newest")[0][0] or 0
    after = 0
    while after < newest:
        rows = application.database().query(
            "failed.batch",
            after=after,
            until=newest,
            queue_name=queue,
            class_name=class_name,
            limit=BATCH_SIZE,
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [row[0] for row in rows]


def _run(query: str, row_ids: builtins.list[int]) -> int:
    return application.database().transact(lambda connection: _run_here(connection, query, row_ids))


def _run_here(connection: Connection, query: str, row_ids: builtins.list[int]) -> int:
    """Retry or discard these jobs; with a concurrency limit they queue for slots like new ones."""
    database = application.database()
    rows = connection.run(database.named(query), _parameters(row_ids))
    if query == "failed.retry":
        database.wake(READY)
    limited = [row for row in rows if row[1:] and row[1] is not None]
    if limited:
        keys = semaphores.newest((key, Slots(to, str(job_id))) for job_id, _, key, to in limited)
        semaphores.hand_over(database, connection, keys, placed=[row[1] for row in limited])
    return len(rows)


def _parameters(row_ids: builtins.list[int]) -> dict[str, Any]:
    return {
        "job_ids": json.dumps(row_ids),
        "preserve_finished": application.configuration().preserve_finished_jobs,
    }


def _failed_job(row: Row) -> FailedJob:
    row_id, job_id, attempt, queue, class_name, arguments, priority, created, error, failed = row
    moment = application.database().moment_from_database
    return FailedJob(
        job_id=str(job_id),
        row_id=row_id,
        attempt=attempt,
        queue=queue,
        class_name=class_name,
        arguments=arguments,
        priority=priority,
        enqueued_at=moment(created),
        failed_at=moment(failed),
        error=read_error(error),
    )
