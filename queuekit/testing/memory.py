"""Jobs in the test's own memory: no database is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from queuekit import application, enqueueing
from queuekit.database import Connection, Database, Row
from queuekit.description import Description
from queuekit.errors import DatabaseUnavailableError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import NextAttempt
from queuekit.receipts import Receipt
from queuekit.testing.jobs import Jobs, TestedJob
from queuekit.testing.running import run_here


@contextmanager
def in_memory() -> Iterator[MemoryJobs]:
    """A block in which everything that is enqueued, in whatever thread, is kept in memory.

    A `connection` that is given to `using` is not written on: what is enqueued on it counts at once
    and a rollback does not undo it. For that there is `on_connection`. Functions that would ask the
    database (`queuekit.failed`, `queues`, `slots`, `status`, `jobs`) raise
    DatabaseUnavailableError. Of what jobs share, only `unique` is obeyed. Concurrency limits hold
    nothing back here: their keys are made, and refused when they cannot be, but no job is blocked
    or discarded.
    """
    jobs = MemoryJobs()
    with enqueueing.written_by(jobs.write), application.replaced(_NoDatabase()):
        yield jobs


class _NoDatabase(Database):
    """What a test in memory has in the place of a database, so that it asks none by mistake."""

    def __init__(self) -> None:
        """Nothing is opened."""

    def query(self, name: str, /, *, resend: bool = True, **parameters: Any) -> list[Row]:
        raise DatabaseUnavailableError(
            "this test keeps its jobs in memory, where there is no database to ask: "
            "use queuekit.testing.on_connection"
        )

    def transact(self, work: Callable[[Connection], Any], *, resend: bool = True) -> Any:
        return self.query("")

    def wake(self, *kinds: str) -> None:
        """Nobody waits."""

    def disconnect(self) -> None:
        """There is nothing to disconnect."""


class _Holder(NamedTuple):
    """The job that has a unique key, until when in any case."""

    receipt: Receipt
    until: datetime | None


class MemoryJobs(Jobs):
    """The jobs of a test without a database."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, TestedJob] = {}
        self._running: list[str] = []
        self._holders: dict[str, _Holder] = {}
        self._rows = 0

    @property
    def enqueued(self) -> list[TestedJob]:
        return list(self._waiting.values())

    def write(self, descriptions: Sequence[Description], connection: Any) -> list[Receipt]:
        """Keep jobs, in the place of what would write them."""
        receipts = []
        for described in descriptions:
            receipt = self._existing(described)
            if receipt is None:
                job = self._add(_claimed(described), self._time(described))
                receipt = Receipt(job.job_id, job.claimed.row_id, job.queue, job.at)
                self._hold(described, receipt)
            receipts.append(receipt)
        added = {receipt.row_id for receipt in receipts if receipt.is_enqueued}
        jobs = [job for job in self.enqueued if job.claimed.row_id in added]
        self._perform_in_turn([job for job in jobs if self.performs_at_once(job)])
        return receipts

    def _existing(self, described: Description) -> Receipt | None:
        """The receipt of the job that has this one's unique key, if one counts."""
        unique = described.unique
        holder = None if unique is None else self._holders.get(unique.key)
        if unique is None or holder is None:
            return None
        job_id = holder.receipt.job_id
        rows = [row_id for row_id, job in self._waiting.items() if job.job_id == job_id]
        if (
            rows
            or (unique.counts_running and job_id in self._running)
            or (holder.until is not None and self.now < holder.until)
        ):
            return replace(holder.receipt, row_id=rows[-1] if rows else None, status="existing")
        return None

    def _hold(self, described: Description, receipt: Receipt) -> None:
        if described.unique is not None:
            key, _, window = described.unique
            until = None if window is None else self.now + timedelta(seconds=window)
            self._holders[key] = _Holder(receipt, until)

    def _run(self, job: TestedJob) -> bool:
        if self._waiting.pop(job.claimed.row_id, None) is None:
            return False
        self._performed.append(job)
        self._running.append(job.job_id)
        try:
            again = run_here(job.claimed).next_attempt
        finally:
            self._running.remove(job.job_id)
        if again is not None:
            at = self.now + timedelta(seconds=again.wait) if again.wait else None
            self._add(_next(job.claimed, again), at)
        return True

    def _add(self, claimed: ClaimedJob, at: datetime | None) -> TestedJob:
        self._rows += 1
        job = TestedJob.of(replace(claimed, row_id=self._rows), at)
        self._waiting[self._rows] = job
        return job

    def _time(self, described: Description) -> datetime | None:
        if described.wait is not None:
            return self.now + timedelta(seconds=described.wait)
        return described.at


def _claimed(described: Description) -> ClaimedJob:
    return ClaimedJob(
        row_id=0,
        job_id=described.job_id,
        attempt=1,
        queue=described.queue,
        class_name=described.class_name,
        arguments=described.arguments,
        priority=described.priority,
        executions=described.executions,
        exception_executions=described.exception_executions,
        context=described.context,
    )


def _next(claimed: ClaimedJob, again: NextAttempt) -> ClaimedJob:
    return replace(
        claimed,
        attempt=claimed.attempt + 1,
        queue=again.queue or claimed.queue,
        priority=claimed.priority if again.priority is None else again.priority,
        executions=again.executions,
        exception_executions=again.exception_executions,
    )
