"""Steps, as jobs write them. How a job of steps goes on is in queuekit.continuation.

class Import(queuekit.Continuable, queuekit.Job):
    def perform(self, import_id: int) -> None:
        self.step("validate", lambda: validate(import_id))
        self.step("rows", self.read_rows)

    def read_rows(self, step: queuekit.Step) -> None:
        for row in rows_after(step.cursor):
            ...
            step.set(row.id)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from queuekit.current import context
from queuekit.declaring import DEFAULT_RESUME_WAIT
from queuekit.errors import InvalidStepError, UnadvanceableCursorError
from queuekit.threads import in_thread

if TYPE_CHECKING:
    from queuekit.continuation import Continuation

F = TypeVar("F", bound=Callable[..., Any])


class Continuable:
    """A mixin for class jobs of steps; function jobs are declared with `continuable=True`.

    A job is resumed at most `max_resumptions` times, None for no end. After an error with progress
    it waits for `resume_wait` (seconds or a timedelta), unless `resume_errors_after_advancing` is
    off: then policies alone decide. An interrupted job waits for nothing.
    """

    continuable: ClassVar[bool] = True
    max_resumptions: ClassVar[int | None] = None
    resume_wait: ClassVar[timedelta | float] = DEFAULT_RESUME_WAIT
    resume_errors_after_advancing: ClassVar[bool] = True

    @property
    def step(self) -> StepRunner:
        """Run a step of this job: see `StepRunner`."""
        return context.step


class Step:
    """The step that runs now, as its function is given it.

    `cursor` is how far it came: what it set last, in this run or one before, else its `start`.
    `resumed` says whether an earlier run began it.
    """

    def __init__(self, continuation: Continuation, name: str, cursor: Any, resumed: bool) -> None:
        self.name = name
        self.cursor = cursor
        self.resumed = resumed
        self._continuation = continuation
        self._has_set = resumed

    def __repr__(self) -> str:
        return f"<Step {self.name!r} at {self.cursor!r}>"

    def set(self, cursor: Any) -> None:
        """Write down how far the step is: anything that arguments may be. Then a checkpoint.

        Raises SerializationError, ClaimLostError, the DatabaseErrors.
        """
        if not (self._has_set and _is_same(cursor, self.cursor)):
            self._continuation.record_cursor(self.name, cursor)
            self.cursor = cursor
            self._has_set = True
        self.checkpoint()

    def advance(self, from_: int | None = None) -> None:
        """Set the cursor to the whole number after `from_`, or after where it is now.

        Raises UnadvanceableCursorError, and what `set` does.
        """
        last = self.cursor if from_ is None else from_
        if type(last) is not int:
            raise UnadvanceableCursorError(
                f"step {self.name!r}: only a whole number can be advanced, not {last!r}: give the "
                "step a start=, or use set()"
            )
        self.set(last + 1)

    async def aset(self, cursor: Any) -> None:
        """`set` for async jobs: it does not hold up the event loop."""
        await in_thread(self.set, cursor)

    async def aadvance(self, from_: int | None = None) -> None:
        """`advance` for async jobs: it does not hold up the event loop."""
        await in_thread(self.advance, from_)

    def checkpoint(self) -> None:
        """A good place to be interrupted: when the process is about to leave, the job ends here,
        and goes on elsewhere."""
        self._continuation.checkpoint()


def _is_same(cursor: Any, other: Any) -> bool:
    return type(cursor) is type(other) and type(cursor) in (int, str) and bool(cursor == other)


#: No function is given: one is decorated.
_BLOCK = object()


class StepRunner:
    """What `self.step` and `queuekit.context.step` are.

        step("charge", charge)                      charge(step), or charge() if it takes nothing
        step("rows", read_rows, start=0)            the cursor to begin with
        await step("fetch", fetch)                  a coroutine function, in an async job

        @step("send")                               a block: it runs here and now
        def _() -> None: ...

    An `isolated` step has a run of the job of its own: for what takes long, and should neither lose
    what was done before it nor what comes after.
    """

    def __init__(self, continuation: Continuation) -> None:
        self._continuation = continuation

    @overload
    def __call__(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, Any]],
        *,
        start: Any = None,
        isolated: bool = False,
    ) -> Coroutine[Any, Any, None]: ...
    @overload
    def __call__(
        self, name: str, function: Callable[..., Any], *, start: Any = None, isolated: bool = False
    ) -> None: ...
    @overload
    def __call__(
        self, name: str, *, start: Any = None, isolated: bool = False
    ) -> Callable[[F], F]: ...
    def __call__(
        self,
        name: str,
        function: Any = _BLOCK,
        *,
        start: Any = None,
        isolated: bool = False,
    ) -> Any:
        """Run the step, unless it has finished before.

        Raises InvalidStepError, ClaimLostError, SerializationError, the DatabaseErrors, and what
        the function raises.
        """
        if function is _BLOCK:
            return self._block(name, start, isolated)
        if not callable(function):
            raise InvalidStepError(
                f"step {name!r}: {function!r} is no function: give it the function itself, not "
                "what it returned"
            )
        if inspect.iscoroutinefunction(function):
            return self._continuation.run_async(name, function, start, isolated)
        self._continuation.run(name, function, start, isolated)
        return None

    def _block(self, name: str, start: Any, isolated: bool) -> Callable[[F], F]:
        def block(function: F) -> F:
            if inspect.iscoroutinefunction(function):
                raise InvalidStepError(
                    f"step {name!r}: a decorator cannot await: await step({name!r}, function)"
                )
            self._continuation.run(name, function, start, isolated)
            return function

        return block
