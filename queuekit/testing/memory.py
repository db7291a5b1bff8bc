"""Jobs in the test's own memory: no database is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from queuekit import application, enqueueing
from queuekit.database import Connection, Database, Row
from queuekit.description import Description
from queuekit.enqueueing import Receipt
from queuekit.errors import DatabaseUnavailableError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import NextAttempt
from queuekit.testing.jobs import Jobs, TestedJob
from queuekit.testing.running import run_here


@contextmanager
def in_memory() -> Iterator[MemoryJobs]:
    """A block in which everything that is enqueued, in whatever thread, is kept in memory.

    A `connection` that is given to `using` is not written on: what is enqueued on it counts at once
    and a rollback does not undo it. For that there is `on_connection`. Functions that would ask the
    database (`queuekit.failed`, `queues`, `slots`, `status`, `jobs`) raise
    DatabaseUnavailableError. Concurrency limits hold nothing back here: their keys are made, and
    refused when they cannot be, but no job is blocked or discarded.
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

    def disconnect(self) -> None:
        """There is nothing to disconnect."""


class MemoryJobs(Jobs):
    """The jobs of a test without a database."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, TestedJob] = {}
        self._rows = 0

    @property
    def enqueued(self) -> list[TestedJob]:
        return list(self._waiting.values())

    def write(self, descriptions: Sequence[Description], connection: Any) -> list[Receipt]:
        """Keep jobs, in the place of what would write them."""
        added = [
            self._add(_claimed(described), self._time(described)) for described in descriptions
        ]
        self._perform_in_turn([job for job in added if self.performs_at_once(job)])
        return [Receipt(job.job_id, job.claimed.row_id, job.queue, job.at) for job in added]

    def _run(self, job: TestedJob) -> bool:
        if self._waiting.pop(job.claimed.row_id, None) is None:
            return False
        self._performed.append(job)
        again = run_here(job.claimed).next_attempt
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
