"""Writing jobs: from descriptions to rows and receipts, in one statement and one transaction.

On a connection of our own, on the caller's, or later, when the caller's transaction has committed.

5,000 jobs are one statement with one parameter, a list. A single job that is due at once is one of
its own, which is measurably cheaper (docs/internals.md has the figures).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from queuekit import application, arguments, deferral, events
from queuekit.database import Connection, Database, DuplicateError, Row
from queuekit.database.callers import CallersConnection
from queuekit.description import Description, Options, describe
from queuekit.errors import DatabaseError, EnqueueError
from queuekit.executions import semaphores
from queuekit.executions.semaphores import Slots

if TYPE_CHECKING:
    from queuekit.current import CurrentJob
    from queuekit.executions.turn import NextAttempt

#: Rows travel in parameters of about this many characters: MariaDB takes packets of 16 MB, and what
#: is sent there is quoted twice.
_PARAMETER_SIZE = 2_000_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What enqueueing returns.

    `job_id` is the job's id for the API and the command line, shared by all its attempts; `row_id`
    the row of this first attempt; `scheduled_at` the time it waits for, None when it runs at once.
    `status` is "enqueued"; "blocked" when it waits for a slot of its concurrency limit; "discarded"
    when its limit says so of a job that finds none; "deferred" when the job is written after the
    commit of the transaction that is open; "aborted" when a callback did not let it happen. Those
    deferred or aborted have no row, and those discarded only where finished jobs are kept.
    """

    job_id: str
    row_id: int | None
    queue: str
    scheduled_at: datetime | None = None
    status: Literal["enqueued", "blocked", "discarded", "deferred", "aborted"] = "enqueued"

    @property
    def is_enqueued(self) -> bool:
        """Whether the job was written, and is going to run."""
        return self.status in ("enqueued", "blocked")


def enqueue_again(job: CurrentJob, attempt: NextAttempt) -> Receipt:
    """Enqueue the next attempt of a job that ran without a row of its own, in `perform_now`."""
    described = describe(job.declaration, job.args, job.kwargs, Options(job.queue, job.priority))
    again = described._replace(
        job_id=job.job_id,
        queue=attempt.queue or described.queue,
        priority=described.priority if attempt.priority is None else attempt.priority,
        wait=attempt.wait,
        executions=attempt.executions,
        exception_executions=attempt.exception_executions,
    )
    return write([again])[0]


def write(descriptions: Sequence[Description], connection: Any = None) -> list[Receipt]:
    """Write jobs, all or none, and return their receipts in the same order.

    In the transaction of `connection` when one is given, else in one of its own: when one of them
    is to wait for a commit, all do.

    Raises EnqueueError, with the database's error as its cause.
    """
    if not descriptions:
        return []
    if (
        connection is None
        and any(description.after_commit for description in descriptions)
        and deferral.defer(descriptions, _write_now)
    ):
        return [
            Receipt(description.job_id, None, description.queue, status="deferred")
            for description in descriptions
        ]
    return _write_now(descriptions, connection)


Writer = Callable[[Sequence[Description], Any], list[Receipt]]


@contextmanager
def written_by(writer: Writer) -> Iterator[None]:
    """A block in which jobs are written by somebody else: tests keep them in memory."""
    global _writer
    before, _writer = _writer, writer
    try:
        yield
    finally:
        _writer = before


def _write_now(descriptions: Sequence[Description], connection: Any = None) -> list[Receipt]:
    return _writer(descriptions, connection)


def write_to_database(descriptions: Sequence[Description], connection: Any) -> list[Receipt]:
    """Write jobs on a connection of our own, or on the caller's. Raises what `write` does."""
    began = time.perf_counter()
    try:
        if connection is None:
            receipts = _write_by_ourselves(application.database(), descriptions)
        else:
            receipts = _write_for_caller(CallersConnection(connection), descriptions)
    except DatabaseError as error:
        raise EnqueueError(str(error)) from error
    if events.has_handlers():
        duration = time.perf_counter() - began
        count = sum(receipt.is_enqueued for receipt in receipts)
        events.emit(events.JobsEnqueued(count=count, duration=duration))
    return receipts


_writer: Writer = write_to_database


def _write_by_ourselves(database: Database, descriptions: Sequence[Description]) -> list[Receipt]:
    states: Mapping[int, str] = {}
    try:
        if _is_one_due_now(descriptions):
            rows = database.query("jobs.enqueue_one", **_columns(descriptions[0]))
        else:
            rows, states = _write_many(database, descriptions)
    except DuplicateError:
        # Ids are unique, so these rows are our own: the first try was committed, and only the
        # answer to it was lost with the connection.
        ids = json.dumps([description.job_id for description in descriptions])
        rows = database.query("jobs.receipts", uuids=ids)
        states = {row[1]: row[3] for row in rows}
    return _receipts(descriptions, rows, database, states)


def _write_many(
    database: Database, descriptions: Sequence[Description]
) -> tuple[list[Row], Mapping[int, str]]:
    """The rows, and where those with a concurrency limit were placed."""
    parts = list(_parts(descriptions, database))
    keys = semaphores.newest(
        (description.limit.key, Slots(description.limit.to, description.job_id))
        for description in descriptions
        if description.limit is not None
    )
    if len(parts) == 1 and not keys:
        return database.query("jobs.enqueue", jobs=parts[0], places_later=False), {}
    query = database.named("jobs.enqueue")

    def work(connection: Connection) -> tuple[list[Row], Mapping[int, str]]:
        rows = [
            row
            for jobs in parts
            for row in connection.run(query, {"jobs": jobs, "places_later": False})
        ]
        placed = [row[1] for row in rows if row[3]]
        if not placed:
            return rows, {}
        return rows, semaphores.hand_over(database, connection, keys, placed=placed)

    return database.transact(work)


def _write_for_caller(
    connection: CallersConnection, descriptions: Sequence[Description]
) -> list[Receipt]:
    """Jobs with a concurrency limit are scheduled, due now: a slot that they took here would be
    locked, with all others of its key, until the caller commits."""
    dialect = connection.dialect
    if _is_one_due_now(descriptions) and connection.takes_any_text:
        rows = connection.query("jobs.enqueue_one", **_columns(descriptions[0]))
    else:
        parts = [{"jobs": jobs, "places_later": True} for jobs in _parts(descriptions, dialect)]
        rows = connection.query_each("jobs.enqueue", parts)
    return _receipts(descriptions, rows, dialect, {})


def _parts(descriptions: Sequence[Description], times: _Times) -> Iterator[str]:
    """The rows as JSON arrays, each of a size that every server takes."""
    part: list[str] = []
    size = 0
    for description in descriptions:
        row = arguments.encode(_row(description, times))
        if part and size + len(row) > _PARAMETER_SIZE:
            yield f"[{','.join(part)}]"
            part, size = [], 0
        part.append(row)
        size += len(row)
    yield f"[{','.join(part)}]"


def _is_one_due_now(descriptions: Sequence[Description]) -> bool:
    return len(descriptions) == 1 and descriptions[0].is_due_and_new


def _row(description: Description, times: _Times) -> dict[str, Any]:
    row = {name: value for name, value in _columns(description).items() if value is not None}
    if description.executions:
        row["executions"] = description.executions
        row["exception_executions"] = description.exception_executions
    if description.limit is not None:
        key, to, duration, on_conflict = description.limit
        row["concurrency_key"] = key
        row["concurrency_limit"] = to
        row["concurrency_duration"] = duration
        if on_conflict is not None:
            row["concurrency_on_conflict"] = on_conflict
    if description.wait is not None:
        row["wait"] = description.wait
    if description.at is not None:
        row["at"] = times.to_database(description.at)
    return row


def _columns(description: Description) -> dict[str, Any]:
    return {
        "uuid": description.job_id,
        "queue_name": description.queue,
        "class_name": description.class_name,
        "arguments": description.arguments,
        "priority": description.priority,
        "max_process_deaths": description.max_process_deaths,
        "context": description.context,
    }


def _receipts(
    descriptions: Sequence[Description],
    rows: list[Row],
    times: _Times,
    states: Mapping[int, str],
) -> list[Receipt]:
    found = {str(row[0]): (row[1], row[2]) for row in rows}
    return [
        _receipt(description, *found[description.job_id], times, states)
        if description.job_id in found or description.limit is None
        # Asked for after a lost answer, and not kept.
        else Receipt(description.job_id, None, description.queue, status="discarded")
        for description in descriptions
    ]


def _receipt(
    description: Description,
    row_id: int,
    scheduled_at: Any,
    times: _Times,
    states: Mapping[int, str],
) -> Receipt:
    state = states.get(row_id)
    if state == semaphores.DISCARDED:
        keeps = application.configuration().preserve_finished_jobs
        return Receipt(
            description.job_id, row_id if keeps else None, description.queue, status="discarded"
        )
    return Receipt(
        description.job_id,
        row_id,
        description.queue,
        times.from_database(scheduled_at) if description.is_scheduled else None,
        "blocked" if state == semaphores.BLOCKED else "enqueued",
    )


class _Times(Protocol):
    """Whoever knows how times travel: a database, or the dialect of a caller's connection."""

    def to_database(self, moment: datetime) -> str | float: ...
    def from_database(self, value: Any) -> datetime | None: ...
