"""Continuations: jobs of steps, which go on where they were interrupted. Active Job's rules.

Steps run in order; one that has finished is skipped when the job runs again, and one that has begun
gets the cursor that it set last. Both are written down when they are reached, so that no way to end
a process makes a recorded step run again. What stands outside of steps runs each time.

A checkpoint (before a step, after the cursor was set, or asked for) is where the job is interrupted
when its process is about to leave: another worker goes on with it.

An error after progress in this run (a step has finished, the cursor has moved) makes the job run
again after `resume_wait`, and no policy sees it; without progress the policies decide as ever. So a
job that cannot get any further ends as it would have without steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from queuekit import application, arguments
from queuekit.checks import takes, unusable_name
from queuekit.errors import (
    ClaimLostError,
    ContinuationError,
    DeserializationError,
    InvalidStepError,
    ResumeLimitError,
    SerializationError,
)
from queuekit.executions import steps
from queuekit.executions.steps import StoredStep
from queuekit.executions.turn import NextAttempt
from queuekit.names import name_of
from queuekit.stepping import Step, StepRunner
from queuekit.threads import in_thread

if TYPE_CHECKING:
    from queuekit.current import CurrentJob

#: Under which name resumptions are counted with the job.
COUNTED_AS = "queuekit.Continuation"


class Interruption(BaseException):
    """Raised at a checkpoint, and caught around the run. No Exception, so that no job's own
    `except Exception` takes it for an error."""


class Continuation:
    """The steps of one run of a job: those that earlier runs recorded, and those it has met itself.

    In `perform_now` there is no row to record for: what is done is kept here alone.
    """

    def __init__(self, job: CurrentJob) -> None:
        self.step = StepRunner(self)
        self.has_advanced = False
        self._job = job
        self._is_loaded = False
        self._finished: list[str] = []
        self._begun: StoredStep | None = None
        self._met: list[str] = []
        self._running: str | None = None
        self._raised: str | None = None
        self._isolating = False

    # Running

    def run(self, name: str, function: Callable[..., Any], start: Any, isolated: bool) -> None:
        step = self._begin(name, start, isolated)
        if step is None:
            return
        try:
            _call(function, step)
            self._finish(step)
        except BaseException:
            self._raised = name
            raise
        finally:
            self._running = None

    async def run_async(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        start: Any,
        isolated: bool,
    ) -> None:
        await in_thread(self._load)
        step = self._begin(name, start, isolated)
        if step is None:
            return
        try:
            await _call(function, step)
            await in_thread(self._finish, step)
        except BaseException:
            self._raised = name
            raise
        finally:
            self._running = None

    def _begin(self, name: str, start: Any, isolated: bool) -> Step | None:
        """The step to run; None when it has finished before.

        Raises InvalidStepError, and Interruption at the checkpoint before it.
        """
        if self._job.has_completed:
            raise InvalidStepError(f"step {name!r}: the job has completed itself before it")
        self._load()
        if self.has_advanced:
            self.checkpoint()
        self._check(name)
        self._met.append(name)
        if name in self._finished:
            return None
        self._isolating = self._isolating or isolated
        if self._isolating and self.has_advanced and self._job.claim is not None:
            raise Interruption(f"step {name!r} runs on its own")
        self._running = name
        begun, self._begun = self._begun, None
        if begun is None:
            return Step(self, name, start, resumed=False)
        return Step(self, name, _loaded(begun), resumed=True)

    def _finish(self, step: Step) -> None:
        cursor = _stored(step.name, step.cursor) if step._has_set else None
        self._record(StoredStep(step.name, cursor, is_finished=True))
        self._finished.append(step.name)

    def record_cursor(self, name: str, cursor: Any) -> None:
        if self._running != name:
            raise InvalidStepError(f"step {name!r} has ended: its cursor stays")
        self._record(StoredStep(name, _stored(name, cursor), is_finished=False))

    def checkpoint(self) -> None:
        if self._job.is_stopping and not self._job.has_completed:
            raise Interruption("the process is stopping")

    # Recording

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        if self._job.claim is None:
            return
        for step in steps.steps_of(application.database(), self._job.job_id):
            if step.is_finished:
                self._finished.append(step.name)
            else:
                self._begun = step

    def _record(self, step: StoredStep) -> None:
        """Only what is recorded is progress: a job whose cursor cannot be stored would otherwise be
        resumed for ever."""
        claim = self._job.claim
        if self._job.has_completed:
            raise InvalidStepError(f"step {step.name!r}: the job has completed itself within it")
        position = len(self._met) - 1
        if claim is not None and not steps.record(application.database(), claim, position, step):
            raise ClaimLostError(
                f"step {step.name!r} is not recorded: this process has lost its claim on the job, "
                "which is another's now"
            )
        self.has_advanced = True

    # Checking

    def _check(self, name: str) -> None:
        problem = unusable_name("step", name) or self._misplaced(name)
        if problem:
            raise InvalidStepError(problem)

    def _misplaced(self, name: str) -> str | None:
        if self._running is not None:
            return f"step {name!r} is inside step {self._running!r}: steps come one after the other"
        if self._raised is not None:
            return f"step {name!r} comes after step {self._raised!r}, which has not finished"
        if name in self._met:
            return f"step {name!r} comes a second time: each has a name of its own"
        expected = None
        if len(self._met) < len(self._finished):
            expected = self._finished[len(self._met)]
        elif self._begun is not None:
            expected = self._begun.name
        if expected is not None and expected != name:
            return (
                f"step {name!r} comes where an earlier run of this job had step {expected!r}: the "
                "order must stay what it was"
            )
        return None


def resumption(job: CurrentJob, error: BaseException) -> NextAttempt | None:
    """The next attempt of a job that was interrupted, or that goes on after its error; None when
    the policies are to decide.

    Raises ResumeLimitError.
    """
    continuation, settings = job.continuation, job.declaration.settings
    if continuation is None:
        return None
    interrupted = isinstance(error, Interruption)
    if not interrupted and not (
        settings.resume_errors_after_advancing
        and continuation.has_advanced
        and job.claim is not None
        and isinstance(error, Exception)
        and not isinstance(error, ContinuationError | ClaimLostError)
    ):
        return None
    most = settings.max_resumptions
    if most is not None and job.exception_executions.get(COUNTED_AS, 0) >= most:
        raise ResumeLimitError(
            f"the job was resumed {most} times, which is its max_resumptions"
        ) from (None if interrupted else error)
    job.count_exception(COUNTED_AS)
    return job.another_attempt(0.0 if interrupted else settings.resume_wait_seconds)


def _call(function: Callable[..., Any], step: Step) -> Any:
    if takes(function, 0):
        return function()
    if takes(function, 1) is not False:
        return function(step)
    raise InvalidStepError(
        f"step {step.name!r}: its function is called with the step, or with nothing, and "
        f"{name_of(function)}{inspect.signature(function)} cannot be"
    )


def _stored(name: str, cursor: Any) -> str:
    try:
        return arguments.dump((cursor,), {}, ("cursor",))
    except SerializationError as error:
        raise SerializationError(f"step {name!r}: {error}") from error


def _loaded(step: StoredStep) -> Any:
    try:
        return arguments.load(step.cursor or "")[0][0]
    except (DeserializationError, IndexError) as error:
        raise DeserializationError(f"the cursor of step {step.name!r}: {error}") from error
