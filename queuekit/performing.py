"""Running one attempt of a job, and saying how it ended. Nothing a job does leaves this place.

    Performer.perform         a claimed job  ->  the result that the next turn settles
    Performer.perform_async   the same for an `async def` job, awaited on an event loop
    perform_now               a call         ->  what the job returns, or an awaitable of it

Around a run stand, from the outside: the hooks of `around_run`, the context that travelled with the
job, the policies, the callbacks, and the job's own code. Policies are outside the callbacks, as in
Active Job: an error in a callback can be retried. Handlers run within the job's context.

All of it is written once, as a generator (`_flow`) that never pauses for plain jobs, and for
`async def` jobs only where the job's own code does.

An error holds the frames that it came through, the job's with all that it had open among them. A
frame of ours that held the error in turn would keep all that until the garbage is collected, while
what settles the job may wait for it: for a row that the job's connection has locked. Hence each
`del`.
"""

from __future__ import annotations

import time
import types
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from queuekit import arguments, callbacks, hooks, propagation
from queuekit.concluding import (
    Conclusion,
    conclude,
    conclude_outside,
    conclude_without_error,
    result,
)
from queuekit.continuation import Continuation
from queuekit.current import CurrentJob, running
from queuekit.declaration import Declaration
from queuekit.enqueueing import enqueue_again
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import FAILED, Result
from queuekit.ids import new_job_id
from queuekit.importing import find, known
from queuekit.threads import in_thread

#: Called with a job's declaration when it is about to run.
Watch = Callable[[Declaration], object]

#: Awaits what an `async def` job gives to await, and may end it with an error.
Until = Callable[[Awaitable[Any]], Awaitable[Any]]


def _nobody_watches(declaration: Declaration) -> None:
    pass


def _until_its_end(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    return awaitable


class Performer:
    """Runs claimed jobs for one worker.

    `imports` and `folder` say what may be imported for a job; `is_stopping` tells jobs whether the
    process is about to leave; `process_id` is the worker's, once it is registered.
    """

    def __init__(
        self,
        imports: Sequence[str] = (),
        folder: Path | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.process_id: int | None = None
        self._imports = imports
        self._folder = folder
        self._is_stopping = is_stopping

    def perform(self, claimed: ClaimedJob, watch: Watch = _nobody_watches) -> Result | None:
        """Run a claimed job in this thread. `watch` is called with its declaration before.

        Whatever it raises that no policy takes makes it fail, `sys.exit()` included: a worker's
        thread is not its to end. An `async def` job is left alone, and None returned: it is for
        `perform_async`, on the event loop.
        """
        began = time.monotonic()
        job = None
        try:
            job = self._begin(claimed)
            if job.declaration.is_async:
                return None
            watch(job.declaration)
            conclusion, _ = run(job, claimed)
        except BaseException as error:
            conclusion = conclude_outside(claimed, job, error)
        try:
            ended = result(claimed, conclusion, time.monotonic() - began, job)
        finally:
            del conclusion
        if job is not None:
            job.write_progress()
        return ended

    async def perform_async(
        self, claimed: ClaimedJob, watch: Watch = _nobody_watches, until: Until = _until_its_end
    ) -> Result:
        """Run a claimed `async def` job in this task, as `perform` does. What the job's own code
        gives to await is awaited through `until`, which may end it with an error."""
        began = time.monotonic()
        job = None
        try:
            job = self._begin(claimed)
            watch(job.declaration)
            conclusion, _ = await run_async(job, claimed, until)
        except BaseException as error:
            conclusion = conclude_outside(claimed, job, error)
        try:
            ended = result(claimed, conclusion, time.monotonic() - began, job)
        finally:
            del conclusion
        if job is not None and job.has_unwritten_progress:
            await in_thread(job.write_progress)
        return ended

    def is_async(self, claimed: ClaimedJob) -> bool | None:
        """Whether it is an `async def` job; None when that takes importing its module."""
        declared = known(claimed.class_name)
        return None if declared is None else declared.is_async

    def _begin(self, claimed: ClaimedJob) -> CurrentJob:
        return CurrentJob(
            claimed,
            find(claimed.class_name, self._imports, self._folder),
            process_id=self.process_id,
            is_stopping=self._is_stopping,
        )


def run(job: CurrentJob, claimed: ClaimedJob | None = None) -> tuple[Conclusion, Any]:
    """Run a job with all that stands around it. Returns how it ended, and what it returned.

    The arguments are those stored with `claimed`. Without one the job has them already, and the
    hooks are left out: they are about a worker's threads, and would close the caller's connections.

    Raises what no policy takes.
    """
    try:
        _flow(job, claimed).send(None)
    except StopIteration as end:
        ended = end.value
    else:
        raise AssertionError(f"{job.name} is an async job: run_async awaits it")
    # Outside of the except: an error raised there would lose the one that it was raised while
    # handling, and show this StopIteration in its place.
    try:
        return _unless_failed(*ended)
    finally:
        del ended


async def run_async(
    job: CurrentJob, claimed: ClaimedJob | None = None, until: Until = _until_its_end
) -> tuple[Conclusion, Any]:
    """Run an `async def` job in this task, as `run` does."""
    return _unless_failed(*await _awaitable(job, claimed, until))


def _unless_failed(conclusion: Conclusion, value: Any) -> tuple[Conclusion, Any]:
    try:
        if conclusion.outcome == FAILED and conclusion.error is not None:
            raise conclusion.error
        return conclusion, value
    finally:
        del conclusion


def _flow(
    job: CurrentJob, claimed: ClaimedJob | None, until: Until = _until_its_end
) -> Generator[Any, Any, tuple[Conclusion, Any]]:
    """A run from its beginning to its end. It raises nothing: a StopIteration of the job's would be
    taken for the generator's own."""
    value = None
    if job.declaration.settings.continuable:
        job.continuation = Continuation(job)
    try:
        with running(job), _hooks(job, claimed), ExitStack() as context:
            try:
                if claimed is not None:
                    _read(job, claimed, context)
                with _callbacks(job):
                    value = job.declaration.call(*job.args, **job.kwargs)
                    if job.declaration.is_async:
                        value = yield from until(value).__await__()
                    elif type(value) is types.CoroutineType:
                        _refuse_coroutine(job, value)
            except BaseException as error:
                if job.declaration.is_async and _is_given_up(error):
                    raise
                conclusion = conclude(job, error)
                try:
                    if conclusion.outcome == FAILED:
                        raise
                    return conclusion, None
                finally:
                    del conclusion
    except BaseException as error:
        return Conclusion(FAILED, error), None
    return conclude_without_error(job), value


_awaitable = types.coroutine(_flow)


def _refuse_coroutine(job: CurrentJob, coroutine: types.CoroutineType[Any, Any, Any]) -> None:
    """It would be dropped without having run, and the job be finished."""
    coroutine.close()
    raise TypeError(
        f"{job.name} returned a coroutine, which nobody awaits: declare the job, and each of its "
        "decorators' functions, with async def"
    )


def _is_given_up(error: BaseException) -> bool:
    """Whether the job did not raise this: whoever awaits it has given it up, which is no policy's
    business."""
    if isinstance(error, GeneratorExit):
        return True
    import asyncio  # only those who run async jobs pay for it

    if not isinstance(error, asyncio.CancelledError):
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _read(job: CurrentJob, claimed: ClaimedJob, context: ExitStack) -> None:
    """What is stored with the job: its context, which stands from here on, and its arguments."""
    if claimed.context is not None:
        context.enter_context(propagation.restored(claimed.context))
    args, job.kwargs = arguments.load(claimed.arguments)
    job.args = tuple(args)


def _hooks(job: CurrentJob, claimed: ClaimedJob | None) -> AbstractContextManager[None]:
    if claimed is None or not hooks.any_around_run():
        return _NOTHING
    return hooks.surround(hooks.Run(job.job_id, job.name, job.queue, job.attempt))


def _callbacks(job: CurrentJob) -> AbstractContextManager[None]:
    places = job.declaration.callbacks
    if not callbacks.any_for_perform(places):
        return _NOTHING
    return callbacks.around_performing(places, job)


_NOTHING: AbstractContextManager[None] = nullcontext()


def perform_now(declaration: Declaration, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a job here and now, with its policies and callbacks. A retry is enqueued.

    Returns what the job returns; None when a policy took its error. Raises what no policy takes.
    With an `async def` job all of this is for whoever awaits what is returned.
    """
    queue = declaration.queue_for(args, kwargs)
    job = CurrentJob(
        ClaimedJob(0, new_job_id(), 1, queue, declaration.name, "", declaration.priority),
        declaration,
    )
    job.args, job.kwargs = args, kwargs
    if declaration.is_async:
        return _perform_now_async(job)
    conclusion, value = run(job)
    if conclusion.next_attempt is not None:
        enqueue_again(job, conclusion.next_attempt)
    return value


async def _perform_now_async(job: CurrentJob) -> Any:
    conclusion, value = await run_async(job)
    if conclusion.next_attempt is not None:
        await in_thread(enqueue_again, job, conclusion.next_attempt)
    return value
