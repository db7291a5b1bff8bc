"""Declaring jobs: the decorator for functions, the base class for classes.

    @queuekit.job(queue="mailers")                class Export(queuekit.Job):
    def welcome(user_id: int) -> None: ...            queue = "backend"
                                                      def perform(self, account: int) -> None: ...
    welcome.enqueue(42)
    welcome.using(wait=60).enqueue(42)            Export.enqueue(7)

Both offer `enqueue`, `aenqueue`, `bind`, `using` and `perform_now`, which carry the job's own
parameters, so that a type checker finds a wrong call before a worker does. A class job's are found
by the class that they are asked of: its `perform` says the parameters, which takes descriptors.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from queuekit import policies
from queuekit.binding import BoundJob, Using, UsingMethod
from queuekit.callbacks import MOMENTS, Callbacks, HasCallbacks
from queuekit.checks import takes
from queuekit.declaration import Declaration
from queuekit.declaring import (
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    place_of,
    place_of_class,
    read_attributes,
    read_options,
    where,
)
from queuekit.errors import JobDeclarationError
from queuekit.limits import Limit
from queuekit.performing import perform_now
from queuekit.receipts import Receipt
from queuekit.recurrences import Recurring
from queuekit.throttles import Throttle
from queuekit.uniqueness import Unique

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class FunctionJob(HasCallbacks, Using[P], Generic[P, R]):
    """A function that is a job. Called, it is still the function."""

    def __init__(self, function: Callable[P, R], declaration: Declaration) -> None:
        functools.update_wrapper(self, function)
        super().__init__(declaration)
        self.using: UsingMethod[P] = UsingMethod(declaration)
        self._function = function
        self._callbacks = declaration.callbacks[-1]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self._declaration.name}>"

    def perform_now(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the job here and now, with its policies and callbacks; a retry is enqueued.

        Returns what the function returns, None when a policy took its error. Raises what no policy
        takes. With an `async def` job, await it.
        """
        result: R = perform_now(self._declaration, args, kwargs)
        return result


@overload
def job(function: Callable[P, R], /) -> FunctionJob[P, R]: ...
@overload
def job(
    *,
    queue: str | Callable[..., str] = ...,
    priority: int = ...,
    name: str | None = ...,
    aliases: Sequence[str] = ...,
    retry_on: policies.RetryOn = ...,
    discard_on: policies.DiscardOn = ...,
    rescue_from: policies.RescueFrom = ...,
    after_discard: policies.AfterDiscard = ...,
    redact: Sequence[str] = ...,
    after_commit: bool = ...,
    timeout: timedelta | float | None = ...,
    on_process_death: Literal["fail", "retry"] | None = ...,
    max_process_deaths: int | None = ...,
    limits_concurrency: Limit | None = ...,
    throttle: Throttle | None = ...,
    unique: Unique | None = ...,
    recurring: Recurring | None = ...,
    continuable: bool = ...,
    max_resumptions: int | None = ...,
    resume_wait: timedelta | float = ...,
    resume_errors_after_advancing: bool = ...,
) -> Callable[[Callable[P, R]], FunctionJob[P, R]]: ...
def job(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a function as a job.

    `queue`, a name or a function of the job's arguments, and `priority` (lower runs first) are
    defaults that `using` can replace. The job is stored under its import path, or under `name` when
    one is given; then the module that declares it must be listed under `imports`, since a name does
    not say where it is. A job that was renamed lists its old names in `aliases`: what is stored
    under them runs, too.

    `retry_on`, `discard_on` and `rescue_from` say what becomes of it when it raises: see Retry,
    Discard and Rescue. Of policies that fit, the one declared last is taken. `after_discard` is
    called with the job and the error when it is given up: discarded, out of attempts, or failed.
    The arguments named in `redact` are hidden wherever arguments are shown. `after_commit` is the
    default of `using`.

    A job that runs longer than `timeout` (a timedelta or seconds) gets JobTimeout raised where it
    stands; one that does not end then is failed after its process was replaced. When the process
    that runs it dies, the job fails, or with `on_process_death="retry"` runs again, until it has
    seen `max_process_deaths`; the defaults of both are the configuration's.

    `limits_concurrency` says how many jobs of the same key may run at a time: see Limit. `throttle`
    says how many may start within a span of time: see Throttle. `unique` says when enqueueing
    another is enqueueing none: see Unique.

    A job with `recurring`, a schedule such as "every hour", is a recurring task, under its name as
    the key. A mapping may say more, as in config/recurring.yml: `schedule`, `key`, `args`, `queue`,
    `priority`, `description`, `timezone`, `missed`, `missed_within`; a list makes several tasks.
    The scheduler must import the job's module: it has to be listed under imports.

    A `continuable` job has steps (`queuekit.context.step`), after which it goes on when it runs
    again; see Continuable for it and for `max_resumptions`, `resume_wait` and
    `resume_errors_after_advancing`.

    Raises JobDeclarationError.
    """

    def declare(function: Callable[P, R]) -> FunctionJob[P, R]:
        if isinstance(function, type):
            raise JobDeclarationError(
                f"job {function.__qualname__}: @job is for functions; a class inherits queuekit.Job"
            )
        settings = read_options(where(function, place_of(function)), options)
        declaration = Declaration(
            function,
            function,
            function,
            skip_self=False,
            name=options.get("name"),
            settings=settings,
            callbacks=(Callbacks(),),
        )
        return FunctionJob(function, declaration)

    return declare if function is None else declare(function)


class _Performs(Protocol[P, R_co]):
    """Any class job: what its own `perform` takes is what the methods below take."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class _Enqueue:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> Callable[P, Receipt]:
        return Using[P](_declared(owner)).enqueue


class _AEnqueue:
    def __get__(
        self, job: object, owner: type[_Performs[P, Any]]
    ) -> Callable[P, Coroutine[Any, Any, Receipt]]:
        return Using[P](_declared(owner)).aenqueue


class _Bind:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> Callable[P, BoundJob]:
        return Using[P](_declared(owner)).bind


class _Using:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> UsingMethod[P]:
        return UsingMethod(_declared(owner))


class _PerformNow:
    def __get__(self, job: object, owner: type[_Performs[P, R]]) -> Callable[P, R]:
        declaration = _declared(owner)

        def perform(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R = perform_now(declaration, args, kwargs)
            return result

        perform.__doc__ = FunctionJob.perform_now.__doc__
        return perform


class Job(HasCallbacks):
    """The base of class jobs. A subclass with a `perform` method is a job; one without is a place
    for what its own subclasses share.

    `queue`, `priority` and the rest mean what they mean for `job`, and are inherited; policies and
    callbacks of a subclass come on top of its superclass's. `name`, the name to store in place of
    the import path, `aliases` and `recurring` are not inherited. Each run makes a new instance,
    without arguments, and calls its `perform`.
    """

    queue: ClassVar[str | Callable[..., str]] = DEFAULT_QUEUE
    priority: ClassVar[int] = DEFAULT_PRIORITY
    retry_on: ClassVar[policies.RetryOn] = None
    discard_on: ClassVar[policies.DiscardOn] = None
    rescue_from: ClassVar[policies.RescueFrom] = None
    after_discard: ClassVar[policies.AfterDiscard] = None
    redact: ClassVar[Sequence[str]] = ()
    after_commit: ClassVar[bool] = False
    timeout: ClassVar[timedelta | float | None] = None
    on_process_death: ClassVar[Literal["fail", "retry"] | None] = None
    max_process_deaths: ClassVar[int | None] = None
    limits_concurrency: ClassVar[Limit | None] = None
    throttle: ClassVar[Throttle | None] = None
    unique: ClassVar[Unique | None] = None
    recurring: ClassVar[Recurring | None] = None
    name: ClassVar[str | None] = None
    aliases: ClassVar[Sequence[str]] = ()

    enqueue: ClassVar[_Enqueue] = _Enqueue()
    aenqueue: ClassVar[_AEnqueue] = _AEnqueue()
    bind: ClassVar[_Bind] = _Bind()
    using: ClassVar[_Using] = _Using()
    perform_now: ClassVar[_PerformNow] = _PerformNow()

    _declaration: ClassVar[Declaration | None] = None
    _callbacks: ClassVar[Callbacks] = Callbacks()
    _place: ClassVar[str] = "no place known"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._callbacks = Callbacks()
        cls._place = place_of_class()
        cls._declaration = _declare(cls)


def _declare(cls: type[Job]) -> Declaration | None:
    """The declaration of the class, None when it is for others to inherit. That is checked, too."""
    here = where(cls, cls._place)
    for moment in MOMENTS:
        if moment in cls.__dict__:
            raise JobDeclarationError(
                f"{here}: a method {moment} would never be called: register a function with "
                f"@{cls.__name__}.{moment}, below the class"
            )
    settings = read_attributes(here, cls)
    perform = getattr(cls, "perform", None)
    if perform is None:
        for name in ("name", "aliases", "recurring"):
            if name in cls.__dict__:
                raise JobDeclarationError(
                    f"{here}: it has no perform method, and what {name} says is not inherited"
                )
        return None
    if not callable(perform):
        raise JobDeclarationError(f"{here}: perform is not a method")
    takes_self = not isinstance(inspect.getattr_static(cls, "perform"), staticmethod | classmethod)
    if takes_self and takes(perform, 0) and not takes(perform, 1):
        raise JobDeclarationError(f"{here}: perform takes no self")

    def call(*args: Any, **kwargs: Any) -> Any:
        return cls().perform(*args, **kwargs)  # type: ignore[attr-defined]

    return Declaration(
        cls,
        perform,
        call,
        skip_self=takes_self,
        name=cls.__dict__.get("name"),
        settings=settings,
        callbacks=tuple(kind._callbacks for kind in reversed(cls.__mro__) if issubclass(kind, Job)),
    )


def _declared(owner: Any) -> Declaration:
    declaration: Declaration | None = owner._declaration
    if declaration is None:
        raise JobDeclarationError(
            f"{owner.__module__}.{owner.__qualname__} ({owner._place}) has no perform method, "
            "so it is not a job"
        )
    return declaration
