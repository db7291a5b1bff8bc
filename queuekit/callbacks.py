"""Callbacks: code before, after and around enqueueing and performing, as Active Job has them.

    @queuekit.before_enqueue                       for every job
    @welcome.around_perform                        for one function job
    @ApplicationJob.after_perform                  for a class job and all that inherit it

Enqueue callbacks are called with the job that is being enqueued (`queuekit.BoundJob`), and
after_enqueue with its receipt, too; perform callbacks with the job that runs
(`queuekit.CurrentJob`). An `around` is a function that yields once, where the job comes. The order
is: for every job, then for the superclass, then for the job's own class, as registered; `after` the
other way round.

Raising `queuekit.Abort` before enqueueing enqueues nothing; before performing it gives the job up.
`enqueue_all` calls no enqueue callbacks, and with an error nothing comes `after`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, ClassVar, TypeVar

from queuekit.checks import takes
from queuekit.errors import Abort, JobDeclarationError
from queuekit.names import name_of

F = TypeVar("F", bound=Callable[..., Any])
Before = Callable[[Any], object]
Around = Callable[[Any], AbstractContextManager[Any]]

MOMENTS = (
    "before_enqueue",
    "around_enqueue",
    "after_enqueue",
    "before_perform",
    "around_perform",
    "after_perform",
)


class Callbacks:
    """The callbacks registered at one place, by moment."""

    __slots__ = MOMENTS

    before_enqueue: list[Before]
    around_enqueue: list[Around]
    after_enqueue: list[Callable[[Any, Any], object]]
    before_perform: list[Before]
    around_perform: list[Around]
    after_perform: list[Callable[[Any], object]]

    def __init__(self) -> None:
        for moment in MOMENTS:
            setattr(self, moment, [])

    def register(self, moment: str, function: F) -> F:
        """Add a callback, and return it, so that this is a decorator.

        Raises JobDeclarationError.
        """
        if not callable(function):
            raise JobDeclarationError(f"{moment} registers a function, not {function!r}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise JobDeclarationError(
                f"{moment}: {name_of(function)} is async; callbacks are called from threads, too: "
                "declare it with plain def"
            )
        given = "(job, receipt)" if moment == "after_enqueue" else "(job)"
        if takes(function, given.count(",") + 1) is False:
            raise JobDeclarationError(
                f"{moment} calls its functions with {given}, and {name_of(function)} cannot be"
            )
        called = _as_manager(moment, function) if moment.startswith("around") else function
        getattr(self, moment).append(called)
        return function


#: The callbacks of every job.
of_every_job = Callbacks()


def _registrar(callbacks: Callbacks, moment: str) -> Callable[[F], F]:
    """The decorator that registers at this place for this moment."""

    def register(function: F) -> F:
        return callbacks.register(moment, function)

    register.__name__ = register.__qualname__ = moment
    register.__doc__ = f"Call the function {moment.replace('_', ' ')}: see queuekit.callbacks."
    return register


before_enqueue = _registrar(of_every_job, "before_enqueue")
around_enqueue = _registrar(of_every_job, "around_enqueue")
after_enqueue = _registrar(of_every_job, "after_enqueue")
before_perform = _registrar(of_every_job, "before_perform")
around_perform = _registrar(of_every_job, "around_perform")
after_perform = _registrar(of_every_job, "after_perform")


class RegistrarOf:
    """An attribute that is the decorator for one moment, of whatever class or object has it."""

    def __init__(self, moment: str) -> None:
        self._moment = moment

    def __get__(self, job: Any, owner: Any) -> Callable[[F], F]:
        return _registrar((owner if job is None else job)._callbacks, self._moment)


class HasCallbacks:
    """What function jobs and class jobs have in common: callbacks of their own, and decorators that
    register them. Those of `perform` are called with the CurrentJob, those of `enqueue` with the
    BoundJob, and after_enqueue with its Receipt, too."""

    before_enqueue: ClassVar[RegistrarOf] = RegistrarOf("before_enqueue")
    around_enqueue: ClassVar[RegistrarOf] = RegistrarOf("around_enqueue")
    after_enqueue: ClassVar[RegistrarOf] = RegistrarOf("after_enqueue")
    before_perform: ClassVar[RegistrarOf] = RegistrarOf("before_perform")
    around_perform: ClassVar[RegistrarOf] = RegistrarOf("around_perform")
    after_perform: ClassVar[RegistrarOf] = RegistrarOf("after_perform")


def any_for_enqueue(places: Sequence[Callbacks]) -> bool:
    return any(
        place.before_enqueue or place.around_enqueue or place.after_enqueue for place in places
    )


def any_for_perform(places: Sequence[Callbacks]) -> bool:
    return any(
        place.before_perform or place.around_perform or place.after_perform for place in places
    )


@contextmanager
def around_performing(places: Sequence[Callbacks], job: Any) -> Iterator[None]:
    """All that comes before, around and after a run."""
    has_begun = False
    with ExitStack() as stack:
        for place in places:
            _begin(stack, place.before_perform, place.around_perform, job)
        has_begun = True
        yield
        for place in reversed(places):
            for after in reversed(place.after_perform):
                after(job)
    if not has_begun:
        raise Abort("a callback failed before the job began, and one around it took the error")


def around_enqueueing(places: Sequence[Callbacks], job: Any, enqueue: Callable[[], Any]) -> Any:
    """Enqueue with all that comes before, around and after. Returns the receipt.

    Raises Abort, also when one of those around took the error that stopped it.
    """
    receipt = None
    with ExitStack() as stack:
        for place in places:
            _begin(stack, place.before_enqueue, place.around_enqueue, job)
        receipt = enqueue()
        for place in reversed(places):
            for after in reversed(place.after_enqueue):
                after(job, receipt)
    if receipt is None:
        raise Abort(
            "a callback failed before the job was enqueued, and one around it took the error"
        )
    return receipt


def _begin(
    stack: ExitStack,
    befores: Sequence[Callable[[Any], object]],
    arounds: Sequence[Around],
    job: Any,
) -> None:
    for before in befores:
        before(job)
    for around in arounds:
        stack.enter_context(around(job))


def _as_manager(moment: str, function: Callable[[Any], Any]) -> Around:
    """What stands around a job, with errors that say which callback they are about."""

    def broken(how: str) -> TypeError:
        code = getattr(function, "__code__", None)
        place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
        return TypeError(f"{moment}: {name_of(function)}{place} {how}: it must yield once")

    @contextmanager
    def yielding(job: Any) -> Iterator[None]:
        generator = function(job)
        if next(generator, _ENDED) is _ENDED:
            raise broken("ended without having yielded")
        try:
            yield
        except BaseException as error:
            try:
                generator.throw(error)
            except StopIteration:
                return
            raise broken("yielded again") from error
        if next(generator, _ENDED) is not _ENDED:
            raise broken("yielded again")

    def returning(job: Any) -> AbstractContextManager[Any]:
        manager = function(job)
        if not isinstance(manager, AbstractContextManager):
            raise broken("is neither a generator nor returned a context manager")
        return manager

    return yielding if inspect.isgeneratorfunction(function) else returning


_ENDED = object()
