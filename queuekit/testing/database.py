"""Jobs in the real tables, through one connection of the test's, in the test's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from queuekit import application, enqueueing
from queuekit.concluding import Conclusion
from queuekit.database import Connection, Database, Row
from queuekit.database.callers import CallersConnection
from queuekit.database.dialect import Parameters
from queuekit.database.hints import Hints
from queuekit.database.queries import Query, find
from queuekit.description import Description
from queuekit.executions import turn
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import Result
from queuekit.processes.registration import Registration
from queuekit.receipts import Receipt
from queuekit.recurring import rows
from queuekit.recurring.task import RecurringTask
from queuekit.testing.jobs import Jobs, TestedJob
from queuekit.testing.running import failure, run_here, success

T = TypeVar("T")


@contextmanager
def on_connection(connection: Any) -> Iterator[DatabaseJobs]:
    """A block in which all of queuekit uses this DB-API connection: enqueueing, `queuekit.failed`,
    `queuekit.jobs`, everything. Nothing is committed: begin a transaction before it, roll it back
    after it.

    The database must have queuekit's tables. Jobs of other threads go the same way, so the
    connection must bear that. Raises EnqueueOptionError for an object that is no connection.
    """
    database = _ConnectionDatabase(connection)
    with application.replaced(database), _observed(DatabaseJobs(database)) as jobs:
        yield jobs


@contextmanager
def _observed(jobs: DatabaseJobs) -> Iterator[DatabaseJobs]:
    with enqueueing.written_by(jobs.write):
        yield jobs


class DatabaseJobs(Jobs):
    """The jobs of a test in the tables of its database."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        #: Jobs that are to run at once, and are blocked by one that has not ended.
        self._held_back: list[TestedJob] = []

    @property
    def enqueued(self) -> list[TestedJob]:
        return [self._job(row) for row in self._database.query("jobs.waiting")]

    def dynamic_tasks(self) -> list[RecurringTask]:
        return [row.task() for row in rows.dynamic(self._database)]

    def write(self, descriptions: Sequence[Description], connection: Any) -> list[Receipt]:
        """Write jobs as ever, and run those that are to run at once."""
        moved = [described._replace(wait=self._moved(described.wait)) for described in descriptions]
        receipts = enqueueing.write_to_database(moved, connection)
        if self.is_performing:
            ids = {receipt.job_id for receipt in receipts if receipt.is_enqueued}
            ids.update(job.job_id for job in self._held_back)
            self._perform_at_once([job for job in self.enqueued if job.job_id in ids])
        return receipts

    def _perform_at_once(self, jobs: Sequence[TestedJob]) -> None:
        """Run those of these jobs that are to run at once, and whoever they have held back: a job
        may enqueue another that waits for its slot."""
        chosen = [job for job in jobs if self.performs_at_once(job)]
        self._held_back = []
        while chosen:
            left = self._perform_in_turn(chosen)
            held_back = [*left, *self._held_back]
            if len(left) == len(chosen):
                self._held_back = held_back
                return
            chosen, self._held_back = held_back, []

    def _run(self, job: TestedJob) -> bool:
        worker = Registration(self._database, "Worker", {"test": True})
        try:
            row_id = job.claimed.row_id
            if not self._database.query("testing.claim", job_id=row_id, process_id=worker.id):
                return False
            self._performed.append(job)
            try:
                result = self._success(job.claimed, run_here(job.claimed, worker.id))
            except BaseException as error:
                self._settle(worker.id, failure(job.claimed, error))
                raise
            self._settle(worker.id, result)
            return True
        finally:
            worker.leave()

    def _success(self, claimed: ClaimedJob, conclusion: Conclusion) -> Result:
        again = conclusion.next_attempt
        if again is not None and again.wait:
            again = replace(again, wait=self._moved(again.wait) or 0.0)
            conclusion = replace(conclusion, next_attempt=again)
        return success(claimed, conclusion)

    def _moved(self, wait: float | None) -> float | None:
        """A wait from the test's time, which the database counts from its own. A time that is over
        by its clock would make the job ready, whatever the test's says."""
        return None if wait is None else max(wait + self._offset.total_seconds(), 0.0)

    def _settle(self, process_id: int, result: Result) -> None:
        preserve = application.configuration().preserve_finished_jobs
        turn.take(
            self._database, process_id, [result], queue=None, limit=0, preserve_finished=preserve
        )

    def _job(self, row: Row) -> TestedJob:
        *columns, state = row
        claimed = ClaimedJob(*columns)
        at = self._database.from_database(claimed.scheduled_at) if state == "scheduled" else None
        return TestedJob.of(claimed, at)


class _ConnectionDatabase(Database):
    """A database reached through one connection, in the transaction that is open on it."""

    def __init__(self, connection: Any) -> None:
        self._callers = CallersConnection(connection)
        self.dialect = self._callers.dialect
        self.hints = Hints(are_sent=False)

    def query(self, name: str, /, *, resend: bool = True, **parameters: Any) -> list[Row]:
        return self._callers.query(name, **parameters)

    def insert(self, name: str, parameters: Parameters) -> int:
        return int(self._callers.query(name, **parameters)[0][0])

    def transact(self, work: Callable[[Connection], T], *, resend: bool = True) -> T:
        return work(_Statements(self._callers))

    def wake(self, *kinds: str) -> None:
        """Nobody else sees the test's transaction."""

    def named(self, name: str) -> Query:
        return find(self.dialect.name, name)

    def disconnect(self) -> None:
        """The connection is the test's."""


class _Statements:
    """The connection as transactions see it. Beginning and ending one is the test's business."""

    def __init__(self, callers: CallersConnection) -> None:
        self._callers = callers

    def run(self, query: Query, parameters: Parameters) -> list[Row]:
        return self._callers.query(query.name, **parameters)

    def insert(self, query: Query, parameters: Parameters) -> int:
        return int(self.run(query, parameters)[0][0])

    def begin(self) -> None: ...
    def commit(self, word: str | None = None) -> None: ...
    def rollback(self) -> None: ...
    def hear(self, seconds: float, interrupt: int) -> None: ...
    def changes(self) -> None: ...
    def writes(self) -> None: ...
    def close(self) -> None: ...
