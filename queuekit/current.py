"""The job that is running now, here: in this thread, or in this task of an event loop.

    from queuekit import context

    @queuekit.job
    def import_rows(path: str) -> None:
        log.info("attempt %s of %s", context.attempt, context.job_id)

`queuekit.context` is a view of the current `CurrentJob`, the object that handlers and callbacks are
given. Outside a job it raises NoCurrentJobError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from queuekit import application, events
from queuekit.checks import check_priority, check_queue
from queuekit.database.async_callers import for_thread
from queuekit.database.callers import CallersConnection
from queuekit.declaration import Declaration
from queuekit.errors import ClaimLostError, InvalidStepError, JobTimeout, NoCurrentJobError
from queuekit.executions import claimed as claims
from queuekit.executions.steps import Claim
from queuekit.executions.turn import NextAttempt
from queuekit.progress import Progress
from queuekit.threads import in_thread
from queuekit.times import seconds_to_wait

if TYPE_CHECKING:
    from queuekit.continuation import Continuation
    from queuekit.executions.claimed import ClaimedJob
    from queuekit.stepping import StepRunner


class CurrentJob:
    """A job that is running: what is known of it, and what it can ask for.

    `args` and `kwargs` are empty until the stored arguments have been read. `row_id` is None for a
    job of `perform_now`, which is in no table.
    """

    def __init__(
        self,
        claimed: ClaimedJob,
        declaration: Declaration,
        *,
        process_id: int | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.declaration = declaration
        self.job_id = claimed.job_id
        self.row_id = claimed.row_id or None
        self.process_id = process_id
        self.name = declaration.name
        self.attempt = claimed.attempt
        self.executions = claimed.executions + 1
        self.queue = claimed.queue
        self.priority = claimed.priority
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.next_attempt: NextAttempt | None = None
        self.continuation: Continuation | None = None
        self.has_completed = False
        self._progress: Progress | None = None
        self._claimed = claimed
        self._is_stopping = is_stopping
        self._exception_executions: dict[str, int] | None = None

    def __repr__(self) -> str:
        return f"<CurrentJob {self.name} {self.job_id} attempt {self.attempt}>"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the job was called with, by parameter, defaults included: the same whether the
        arguments came by position or by name."""
        return self.declaration.parameters.bind(self.args, self.kwargs)

    @property
    def scheduled_at(self) -> datetime | None:
        """When the job was due: its enqueueing, or the time it was to wait for."""
        return self._time(self._claimed.scheduled_at)

    @property
    def enqueued_at(self) -> datetime | None:
        """When this attempt was enqueued, by the database's clock."""
        return self._time(self._claimed.enqueued_at)

    @property
    def is_stopping(self) -> bool:
        """Whether the process is about to leave: a long job may now find a good place to end."""
        return self._is_stopping()

    @property
    def claim(self) -> Claim | None:
        """What the job writes under while it runs; None in `perform_now`, which claims nothing."""
        if self.row_id is None or self.process_id is None:
            return None
        return Claim(self.row_id, self.job_id, self.process_id)

    @property
    def step(self) -> StepRunner:
        """Run a step of this job: see `StepRunner`.

        Raises InvalidStepError where the job is not declared as continuable.
        """
        if self.continuation is None:
            raise InvalidStepError(
                f"job {self.name} has no steps: declare it with continuable=True, or let its class "
                "inherit queuekit.Continuable, too"
            )
        return self.continuation.step

    def progress(self, done: float, total: float | None = None) -> None:
        """Tell how far the job is, for `bin/jobs status` and `bin/jobs show`. Cheap: it is written
        down about once a second, at the end (`done == total`), and when the run ends.

        Raises ValueError.
        """
        if self._progress is None:
            self._progress = Progress(self.claim)
        self._progress.tell(done, total, may_write=not self.has_completed)

    @property
    def has_unwritten_progress(self) -> bool:
        """Whether what was told last is to be written when the run ends."""
        progress = self._progress
        return progress is not None and progress.is_unwritten and not self.has_completed

    def write_progress(self) -> None:
        """Write down what was told last, when the run ends. A timeout that comes only then changes
        nothing: the job has ended in time."""
        if self._progress is not None and self.has_unwritten_progress:
            try:
                self._progress.write()
            except JobTimeout as error:
                events.emit(events.ErrorOccurred(where="writing a job's progress", error=error))

    def complete(self, connection: Any) -> None:
        """End the job in the transaction of this DB-API connection: what the job has done there and
        its end are committed together, or not at all. The last thing before the commit.

        A job that returns without that commit fails with NotCommittedError. After a rollback the
        job may try once more. In `perform_now` nothing is written.

        Raises ClaimLostError, when the job is another's now, or has completed itself before: roll
        back then. EnqueueOptionError for no connection, and the DatabaseErrors.
        """
        claim = self.claim
        callers = CallersConnection(connection)
        preserve_finished = application.configuration().preserve_finished_jobs
        if claim is not None and not claims.complete(callers, claim, preserve_finished):
            raise ClaimLostError(self._cannot_complete())
        self.has_completed = True

    async def acomplete(self, connection: Any) -> None:
        """`complete` for async jobs, in a thread: `connection` may be psycopg's AsyncConnection."""
        await in_thread(self.complete, for_thread(connection))

    def _cannot_complete(self) -> str:
        if self.has_completed:
            return f"the job {self.job_id} has completed itself before, in this run"
        return (
            f"the job {self.job_id} is not claimed by this process (any more), in the database of "
            "the connection given: roll back what it has done"
        )

    @property
    def exception_executions(self) -> Mapping[str, int]:
        """How often each declaration of a policy has counted an error of this job."""
        return self._counts()

    def count_exception(self, key: str) -> int:
        """Count one more error for a declaration; returns how many there are now."""
        counts = self._counts()
        counts[key] = counts.get(key, 0) + 1
        return counts[key]

    def retry(
        self,
        *,
        wait: timedelta | float = 0.0,
        queue: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Run the job again when this run has ended without an error: for jobs that find that it is
        too early, and for the handlers of policies. No limit of attempts applies.

        Raises EnqueueOptionError.
        """
        seconds = seconds_to_wait(wait)
        if queue is not None:
            check_queue(queue)
        if priority is not None:
            check_priority(priority)
        self.next_attempt = self.another_attempt(seconds, queue, priority)

    def another_attempt(
        self, wait: float, queue: str | None = None, priority: int | None = None
    ) -> NextAttempt:
        """The next attempt, with this one's counters."""
        return NextAttempt(wait, self.executions, json.dumps(self._counts()), queue, priority)

    def _counts(self) -> dict[str, int]:
        if self._exception_executions is None:
            self._exception_executions = self._claimed.counted_errors()
        return self._exception_executions

    def _time(self, stored: Any) -> datetime | None:
        return None if stored is None else application.database().from_database(stored)


_current: ContextVar[CurrentJob | None] = ContextVar("queuekit_current_job", default=None)


class running:  # noqa: N801 - it is used like a function
    """Make this the current job.

    Not a generator: JobTimeout may come before one is resumed, and what is left of it would then be
    collected in whatever thread, where the variable cannot be reset.
    """

    __slots__ = ("_job", "_token")

    def __init__(self, job: CurrentJob) -> None:
        self._job = job

    def __enter__(self) -> None:
        self._token = _current.set(self._job)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)


class Context:
    """A view of the job that is running now. Raises NoCurrentJobError outside of one."""

    @property
    def current(self) -> CurrentJob | None:
        """The running job, None outside of one."""
        return _current.get()

    @property
    def job_id(self) -> str:
        """The job's id, which all its attempts share."""
        return _running().job_id

    @property
    def name(self) -> str:
        """The name that the job is stored under."""
        return _running().name

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1: how often the job has had a row."""
        return _running().attempt

    @property
    def executions(self) -> int:
        """How often the job has run, this time included, since its counters were reset."""
        return _running().executions

    @property
    def queue(self) -> str:
        return _running().queue

    @property
    def priority(self) -> int:
        return _running().priority

    @property
    def scheduled_at(self) -> datetime | None:
        """When the job was due, by the database's clock. None in `perform_now`."""
        return _running().scheduled_at

    @property
    def enqueued_at(self) -> datetime | None:
        """When this attempt was enqueued, by the database's clock. None in `perform_now`."""
        return _running().enqueued_at

    @property
    def is_stopping(self) -> bool:
        """Whether the process is about to leave: a long job may now find a good place to end."""
        return _running().is_stopping

    @property
    def step(self) -> StepRunner:
        """Run a step of the job, which is declared with `continuable=True`: see `StepRunner`."""
        return _running().step

    def progress(self, done: float, total: float | None = None) -> None:
        """Tell how far the job is: see `CurrentJob.progress`."""
        _running().progress(done, total)

    def complete(self, connection: Any) -> None:
        """End the job in the transaction of this connection: see `CurrentJob.complete`."""
        _running().complete(connection)

    async def acomplete(self, connection: Any) -> None:
        """`complete` for async jobs: `connection` may be psycopg's AsyncConnection."""
        await _running().acomplete(connection)

    def retry(
        self,
        *,
        wait: timedelta | float = 0.0,
        queue: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Run the job again when this run has ended without an error: see `CurrentJob.retry`."""
        _running().retry(wait=wait, queue=queue, priority=priority)


def _running() -> CurrentJob:
    job = _current.get()
    if job is None:
        raise NoCurrentJobError("queuekit.context is for code that runs in a job")
    return job


#: The view that is public as `queuekit.context`.
context = Context()
