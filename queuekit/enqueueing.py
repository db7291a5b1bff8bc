"""Writing jobs: from descriptions to rows and receipts, in one statement and one transaction.

On a connection of our own, on the caller's, or later, when the caller's transaction has committed.

5,000 jobs are one statement with one parameter, a list. A single job that is due at once has one of
its own, and so have jobs that share all but their ids and arguments: both are measurably cheaper
(docs/internals.md has the figures).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from queuekit import application, deferral, events, packing
from queuekit.database import Connection, Database, DuplicateError, Row
from queuekit.database.callers import CallersConnection
from queuekit.database.hints import READY, SCHEDULED, written
from queuekit.description import Description, Options, describe
from queuekit.errors import DatabaseError, EnqueueError
from queuekit.executions import semaphores, unique_keys
from queuekit.executions.semaphores import Slots
from queuekit.executions.unique_keys import Holder, Wanted
from queuekit.receipts import Receipt, receipt_of_one, receipts

if TYPE_CHECKING:
    from queuekit.current import CurrentJob
    from queuekit.executions.turn import NextAttempt

#: Rows travel in parameters of about this many characters: MariaDB takes packets of 16 MB, and what
#: is sent there is quoted twice.
_PARAMETER_SIZE = 2_000_000

_ONE_READY = (READY,)

#: As a generator it would take twice the time, and it is asked of every job.
_waits_for_commit = attrgetter("after_commit")

#: Whether a time so near is over by the database's clock is not known here.
_DOUBTFUL = timedelta(seconds=5)


def enqueue_again(job: CurrentJob, attempt: NextAttempt) -> Receipt:
    """Enqueue the next attempt of a job that ran without a row of its own, in `perform_now`. As any
    retry it is written even when another job has its unique key."""
    described = describe(job.declaration, job.args, job.kwargs, Options(job.queue, job.priority))
    again = described._replace(
        job_id=job.job_id,
        queue=attempt.queue or described.queue,
        priority=described.priority if attempt.priority is None else attempt.priority,
        wait=attempt.wait,
        executions=attempt.executions,
        exception_executions=attempt.exception_executions,
        unique=None,
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
        and any(map(_waits_for_commit, descriptions))
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
            written = _write_by_ourselves(application.database(), descriptions)
        else:
            written = _write_for_caller(CallersConnection(connection), descriptions)
    except DatabaseError as error:
        raise EnqueueError(str(error)) from error
    if events.has_handlers():
        duration = time.perf_counter() - began
        count = sum(receipt.is_enqueued for receipt in written)
        events.emit(events.JobsEnqueued(count=count, duration=duration))
    return written


_writer: Writer = write_to_database


def _write_by_ourselves(database: Database, descriptions: Sequence[Description]) -> list[Receipt]:
    states: Mapping[int, str] = {}
    holders: Mapping[str, Holder] = {}
    try:
        if packing.are_alike(descriptions):
            if len(descriptions) == 1:
                return [_write_one(database, descriptions[0])]
            return _write_alike(database, descriptions)
        if any(description.unique is not None for description in descriptions):
            rows, states, holders = database.transact(
                lambda connection: _write_unique(database, connection, descriptions)
            )
        else:
            rows, states = _write_many(database, descriptions)
    except DuplicateError:
        _refuse_twice(descriptions)
        # Ids are unique, so these rows are our own: the first try was committed, and only the
        # answer to it was lost with the connection.
        ids = json.dumps([description.job_id for description in descriptions])
        rows = database.query("jobs.receipts", uuids=ids)
        states = {row[1]: row[3] for row in rows}
        holders = unique_keys.holders(database.query, _wanted(descriptions))
    return receipts(descriptions, rows, database, states, holders)


def _refuse_twice(descriptions: Sequence[Description]) -> None:
    names = {description.job_id: description.class_name for description in descriptions}
    if len(names) < len(descriptions):
        counts = Counter(description.job_id for description in descriptions)
        ((job_id, _),) = counts.most_common(1)
        raise EnqueueError(
            f"one job of {names[job_id]} is in the list more than once, and would have one id: "
            "bind it anew for each"
        )


def _write_one(database: Database, description: Description) -> Receipt:
    wakes = database.hints.word(_ONE_READY)
    parameters = packing.columns(description)
    parameters["wakes"] = wakes
    row_id = database.insert("jobs.enqueue_one", parameters)
    database.hints.sent(wakes)
    return receipt_of_one(description, row_id)


def _write_alike(database: Database, descriptions: Sequence[Description]) -> list[Receipt]:
    parts = list(packing.entries(descriptions, database.dialect, _PARAMETER_SIZE))
    shared = packing.shared_columns(descriptions[0])
    if len(parts) == 1:
        wakes = database.hints.word(_ONE_READY, merged=False)
        rows = database.query("jobs.enqueue_alike", entries=parts[0], wakes=wakes, **shared)
        database.hints.sent(wakes)
    else:
        query = database.named("jobs.enqueue_alike")

        def write_parts(connection: Connection) -> list[Row]:
            database.wake(READY)
            each = [{**shared, "entries": part, "wakes": None} for part in parts]
            return [row for parameters in each for row in connection.run(query, parameters)]

        rows = database.transact(write_parts)
    row_ids = sorted(row_id for row in rows for row_id in json.loads(row[0]))
    return list(map(receipt_of_one, descriptions, row_ids))


def _write_unique(
    database: Database, connection: Connection, descriptions: Sequence[Description]
) -> tuple[list[Row], Mapping[int, str], Mapping[str, Holder]]:
    """The rows, where those with a concurrency limit were placed, and who had the unique keys of
    those that were not written."""

    def run(name: str, **parameters: object) -> list[Row]:
        return connection.run(database.named(name), parameters)

    wanted = _wanted(descriptions)
    holders = unique_keys.take(run, wanted)
    if any(holder.job_id == wanted[key].job_id for key, holder in holders.items()):
        raise DuplicateError("these jobs were written before")
    new = _without_existing(descriptions, holders)
    rows, states = _write_in(database, connection, new) if new else ([], {})
    discarded = {row_id for row_id, state in states.items() if state == semaphores.DISCARDED}
    kept = {str(row[0]) for row in rows if row[1] not in discarded}
    unique_keys.keep(run, {key: want for key, want in wanted.items() if want.job_id in kept})
    return rows, states, holders


def _wanted(descriptions: Sequence[Description], *, waits: bool = False) -> dict[str, Wanted]:
    """The unique keys, each with the first job that wants it. `waits`: limited jobs do."""
    wanted: dict[str, Wanted] = {}
    for description in descriptions:
        if description.unique is not None and description.unique.key not in wanted:
            key, counts_running, window = description.unique
            wanted[key] = Wanted(
                description.job_id,
                description.queue,
                counts_running,
                window,
                description.is_scheduled,
                waits and description.limit is not None,
            )
    return wanted


def _without_existing(
    descriptions: Sequence[Description], holders: Mapping[str, Holder]
) -> list[Description]:
    """The jobs to write: of those with the same key the first, unless somebody has that."""
    keys = set(holders)
    new = []
    for description in descriptions:
        if description.unique is not None:
            if description.unique.key in keys:
                continue
            keys.add(description.unique.key)
        new.append(description)
    return new


def _write_many(
    database: Database, descriptions: Sequence[Description]
) -> tuple[list[Row], Mapping[int, str]]:
    """The rows, and where those with a concurrency limit were placed."""
    parts = list(packing.rows(descriptions, database, _PARAMETER_SIZE))
    if len(parts) == 1 and all(description.limit is None for description in descriptions):
        wakes = database.hints.word(_kinds(descriptions), merged=False)
        rows = database.query("jobs.enqueue", jobs=parts[0], places_later=False, wakes=wakes)
        database.hints.sent(wakes)
        return rows, {}
    return database.transact(
        lambda connection: _write_in(database, connection, descriptions, parts)
    )


def write_within(
    database: Database, connection: Connection, descriptions: Sequence[Description]
) -> list[Receipt]:
    """Write jobs as part of a transaction of our own that is open on `connection`.

    Raises the DatabaseErrors.
    """
    holders: Mapping[str, Holder] = {}
    if any(description.unique is not None for description in descriptions):
        rows, states, holders = _write_unique(database, connection, descriptions)
    else:
        rows, states = _write_in(database, connection, descriptions)
    return receipts(descriptions, rows, database, states, holders)


def _write_in(
    database: Database,
    connection: Connection,
    descriptions: Sequence[Description],
    parts: Sequence[str] = (),
) -> tuple[list[Row], Mapping[int, str]]:
    """As `_write_many`, in a transaction that is open."""
    query = database.named("jobs.enqueue")
    rows = [
        row
        for jobs in parts or packing.rows(descriptions, database, _PARAMETER_SIZE)
        for row in connection.run(query, {"jobs": jobs, "places_later": False, "wakes": None})
    ]
    database.wake(*_kinds(descriptions))
    placed = [row[1] for row in rows if row[3]]
    if not placed:
        return rows, {}
    keys = semaphores.newest(
        (description.limit.key, Slots(description.limit.to, description.job_id))
        for description in descriptions
        if description.limit is not None
    )
    return rows, semaphores.hand_over(database, connection, keys, placed=placed)


def _write_for_caller(
    connection: CallersConnection, descriptions: Sequence[Description]
) -> list[Receipt]:
    """Jobs with a concurrency limit are scheduled, due now: a slot that they took here would be
    locked, with all others of its key, until the caller commits."""
    holders: Mapping[str, Holder] = {}
    first = descriptions[0]
    if len(descriptions) == 1 and first.is_due_and_new and connection.takes_any_text:
        wakes = _word_for(connection, _ONE_READY)
        rows = connection.query("jobs.enqueue_one", wakes=wakes, **packing.columns(first))
        return [receipt_of_one(first, rows[0][0])]
    if wanted := _wanted(descriptions, waits=True):
        with connection.block():
            holders = unique_keys.take(connection.query, wanted)
            rows = _write_each(connection, _without_existing(descriptions, holders))
            new = {key: want for key, want in wanted.items() if key not in holders}
            unique_keys.keep(connection.query, new)
    else:
        rows = _write_each(connection, descriptions)
    return receipts(descriptions, rows, connection.dialect, {}, holders)


def _write_each(connection: CallersConnection, descriptions: Sequence[Description]) -> list[Row]:
    if not descriptions:
        return []
    parts = packing.rows(descriptions, connection.dialect, _PARAMETER_SIZE)
    wakes = _word_for(connection, _kinds(descriptions, places_later=True))
    each = [{"jobs": jobs, "places_later": True, "wakes": wakes} for jobs in parts]
    return connection.query_each("jobs.enqueue", each)


def _word_for(connection: CallersConnection, kinds: Collection[str]) -> str | None:
    """What the caller's commit is to tell: each transaction for itself, since nobody knows when it
    commits."""
    return written(kinds) if connection.dialect.has_hints and application.sends_hints() else None


def _kinds(descriptions: Sequence[Description], *, places_later: bool = False) -> set[str]:
    """Which kinds of jobs these are for those who wait. What a limit holds back is for nobody: who
    gives it a place tells."""
    kinds: set[str] = set()
    for description in descriptions:
        if description.is_scheduled or (places_later and description.limit is not None):
            kinds.add(SCHEDULED)
        if description.limit is None and _may_be_due(description):
            kinds.add(READY)
    return kinds


def _may_be_due(description: Description) -> bool:
    """By the clock of this host, which may be wrong."""
    if description.at is not None:
        return description.at <= datetime.now(UTC) + _DOUBTFUL
    return not description.wait
