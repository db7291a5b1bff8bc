"""Enqueueing runs, each at most once, whoever else enqueues them at the same time.

One transaction writes the rows of all runs that are due, in the order of their keys, and the jobs
of those that nobody had written before: whoever loses enqueues nothing, and says nothing. What a
database refuses is tried again one by one, so that a bad task is no other's trouble; its run is
given up then. A connection that is lost is another matter: nothing is given up, the caller tries
again.

A job is described before the transaction begins: that runs the application's code, which must not
hold locks. Like those of `enqueue_all`, jobs are enqueued without enqueue callbacks. Another
library's task is enqueued after the commit of its row: where that fails, the run is lost, and never
repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queuekit import application, events
from queuekit.database import Connection, Database
from queuekit.description import Description
from queuekit.enqueueing import write_within
from queuekit.errors import (
    ConflictError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)
from queuekit.ids import new_job_id
from queuekit.receipts import Receipt
from queuekit.recurring import rows, targets
from queuekit.recurring.agenda import Run
from queuekit.recurring.targets import ForeignTarget
from queuekit.recurring.task import RecurringTask

#: What says nothing of the runs: the same would be said of any others.
_OF_THE_DATABASE = (
    DatabaseUnavailableError,
    DatabaseRefusedError,
    NotPreparedError,
    ConflictError,
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A run, and what it enqueues: a job of ours, or another library's task."""

    run: Run
    token: str
    job: Description | None = None
    hand_on: Callable[[], object] | None = None

    @property
    def row(self) -> rows.RunRow:
        return rows.RunRow(self.run.task.key, self.run.at, self.token, self.job and self.token)


def enqueue(database: Database, runs: Sequence[Run]) -> list[Run]:
    """Enqueue these runs, but for those that others have enqueued. Returns those that it did.

    Errors of single runs are reported. Raises what the database says of itself: then the runs are
    to be tried again, all of them.
    """
    prepared = [ready for run in runs if (ready := _prepare(run)) is not None]
    if not prepared:
        return []
    try:
        return _enqueue_together(database, prepared)
    except _OF_THE_DATABASE:
        raise
    except Exception as error:
        return _enqueue_one_by_one(database, prepared, error)


def _prepare(run: Run) -> _Prepared | None:
    try:
        return _prepared(run)
    except Exception as error:  # the application's code says what its job's queue and limit are
        _report(run.task, error)
        return None


def _prepared(run: Run) -> _Prepared:
    task = targets.with_arguments(run.task)
    imports, folder = application.configuration().imports, application.folder()
    target = targets.find(task, imports, folder)
    if isinstance(target, ForeignTarget):
        return _Prepared(run, new_job_id(), hand_on=target.enqueue)
    job = target.describe()
    return _Prepared(run, job.job_id, job)


def _enqueue_together(database: Database, prepared: Sequence[_Prepared]) -> list[Run]:
    def work(connection: Connection) -> list[_Prepared]:
        recorded = rows.record(database, connection, (ready.row for ready in prepared))
        ours = [ready for ready in prepared if (ready.run.task.key, ready.run.at) in recorded]
        jobs = [ready.job for ready in ours if ready.job is not None]
        if jobs:
            _note_existing(database, connection, ours, write_within(database, connection, jobs))
        return ours

    # Sent again, it would find its own rows where only the answer to the commit was lost.
    ours = database.transact(work, resend=False)
    return [ready.run for ready in ours if _hand_on(ready)]


def _note_existing(
    database: Database,
    connection: Connection,
    ours: Sequence[_Prepared],
    receipts: Sequence[Receipt],
) -> None:
    """A run whose job was there already, by its unique key, is a run of that job."""
    written = (ready for ready in ours if ready.job is not None)
    existing = [
        ready.row._replace(job_id=receipt.job_id)
        for ready, receipt in zip(written, receipts, strict=True)
        if receipt.is_existing
    ]
    if existing:
        rows.reassign(database, connection, existing)


def _enqueue_one_by_one(
    database: Database, prepared: Sequence[_Prepared], error: Exception
) -> list[Run]:
    if len(prepared) == 1:
        _report(prepared[0].run.task, error)
        return []
    done: list[Run] = []
    for ready in prepared:
        try:
            done += _enqueue_together(database, [ready])
        except _OF_THE_DATABASE:
            raise
        except Exception as error:
            _report(ready.run.task, error)
    return done


def _hand_on(ready: _Prepared) -> bool:
    """Whether the run is enqueued: it is, unless another library does not take it."""
    if ready.hand_on is not None:
        try:
            ready.hand_on()
        except Exception as error:
            _report(ready.run.task, error)
            return False
    return True


def _report(task: RecurringTask, error: Exception) -> None:
    where = f"enqueueing the recurring task {task.key}"
    events.emit(events.ErrorOccurred(where=where, error=error))
