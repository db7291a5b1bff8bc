"""Declaring jobs: the decorator for functions, the base class for classes, and what both offer.

    @queuekit.job(queue="mailers")                class Export(queuekit.Job):
    def welcome(user_id: int) -> None: ...            queue = "backend"
                                                      def perform(self, account: int) -> None: ...
    welcome.enqueue(42)
    welcome.using(wait=60).enqueue(42)            Export.enqueue(7)

`enqueue`, `bind` and `perform_now` carry the job's own parameters, so that a type checker finds a
wrong call before a worker does.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from queuekit import policies
from queuekit.callbacks import MOMENTS, Callbacks, any_for_enqueue, around_enqueueing, registrar
from queuekit.database.async_callers import for_thread
from queuekit.declaration import (
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    Declaration,
    Settings,
    place_of,
    unusable_settings,
)
from queuekit.enqueueing import NO_OPTIONS, Description, Options, Receipt, describe, options, write
from queuekit.errors import Abort, EnqueueOptionError, JobDeclarationError
from queuekit.performing import perform_now
from queuekit.threads import in_thread

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

F = TypeVar("F", bound=Callable[..., Any])


class BoundJob:
    """A job with its arguments, to be written later: what `enqueue_all` takes, and what enqueue
    callbacks are given."""

    __slots__ = ("_description", "args", "kwargs")

    def __init__(
        self, description: Description, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._description = description
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"<BoundJob {self.name} on queue {self.queue!r}>"

    @property
    def job_id(self) -> str:
        """The id that the job has once it is enqueued."""
        return self._description.job_id

    @property
    def name(self) -> str:
        """The name that the job is stored under."""
        return self._description.class_name

    @property
    def queue(self) -> str:
        return self._description.queue

    @property
    def priority(self) -> int:
        return self._description.priority

    @property
    def wait(self) -> float | None:
        """Seconds to wait, None when the job is not to."""
        return self._description.wait

    @property
    def at(self) -> datetime | None:
        """The time to wait for, in UTC, None when there is none."""
        return self._description.at


class Using(Generic[P]):
    """A job with options of this enqueueing: another queue or priority, a time, a connection."""

    __slots__ = ("_declaration", "_options")

    def __init__(self, declaration: Declaration, how: Options) -> None:
        self._declaration = declaration
        self._options = how

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Write the job, to run as soon as its time has come and a worker is free.

        Raises EnqueueError and its kinds: SignatureError, SerializationError, UnreachableJobError,
        and, with the cause, whatever the database said. Then nothing was written.
        """
        described = describe(self._declaration, args, kwargs, self._options)
        return self._write(described, args, kwargs, self._options.connection)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Write the job as `enqueue` does, in a thread, so that the event loop goes on meanwhile.
        `connection` may be psycopg's AsyncConnection, too."""
        described = describe(self._declaration, args, kwargs, self._options)
        connection = for_thread(self._options.connection)
        return await in_thread(self._write, described, args, kwargs, connection)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> BoundJob:
        """The job with its arguments, for `enqueue_all`. Raises what `enqueue` does."""
        described = describe(self._declaration, args, kwargs, self._options)
        return BoundJob(described, args, kwargs)

    def _write(
        self,
        described: Description,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        connection: Any,
    ) -> Receipt:
        if not any_for_enqueue(self._declaration.callbacks):
            return write([described], connection)[0]
        bound = BoundJob(described, args, kwargs)
        try:
            receipt: Receipt = around_enqueueing(
                self._declaration.callbacks, bound, lambda: write([described], connection)[0]
            )
        except Abort:
            return Receipt(bound.job_id, None, bound.queue, status="aborted")
        return receipt


class FunctionJob(Generic[P, R]):
    """A function that is a job. Called, it is still the function."""

    def __init__(self, function: Callable[P, R], declaration: Declaration) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._declaration = declaration
        self._plain: Using[P] = Using(declaration, NO_OPTIONS)
        self._callbacks = declaration.callbacks[-1]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self._declaration.name}>"

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Write the job, to run as soon as a worker is free: one round trip, one transaction.

        Raises EnqueueError and its kinds: SignatureError, SerializationError, UnreachableJobError,
        and, with the cause, whatever the database said. Then nothing was written.
        """
        return self._plain.enqueue(*args, **kwargs)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Write the job as `enqueue` does, in a thread: for callers on an event loop."""
        return await self._plain.aenqueue(*args, **kwargs)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> BoundJob:
        """The job with its arguments, for `enqueue_all`. Raises what `enqueue` does."""
        return self._plain.bind(*args, **kwargs)

    def using(
        self,
        *,
        queue: str | None = None,
        priority: int | None = None,
        wait: timedelta | float | None = None,
        at: datetime | None = None,
        connection: Any = None,
        after_commit: bool | None = None,
    ) -> Using[P]:
        """Options for this enqueueing only.

        `wait` is a timedelta or seconds, counted by the database's clock; `at` a datetime with a
        zone. `connection` is an open DB-API connection to the queue's database: the job is written
        in its transaction, and is enqueued when and if that commits. With `after_commit` the job is
        written after the commit of the transaction that is open, where there is one that queuekit
        can see (`enqueue_after_commit`, a framework's), and dropped when that rolls back.

        Raises EnqueueOptionError.
        """
        how = options(
            queue=queue,
            priority=priority,
            wait=wait,
            at=at,
            connection=connection,
            after_commit=after_commit,
        )
        return Using(self._declaration, how)

    def perform_now(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the job here and now, with its policies and callbacks; a retry is enqueued.

        Returns what the function returns, None when a policy took its error. Raises what no policy
        takes. With an `async def` job, await it.
        """
        result: R = perform_now(self._declaration, args, kwargs)
        return result

    def before_enqueue(self, callback: F) -> F:
        """Call the function with the BoundJob before this job is enqueued."""
        return self._callbacks.register("before_enqueue", callback)

    def around_enqueue(self, callback: F) -> F:
        """Put a function that yields once around each enqueueing of this job."""
        return self._callbacks.register("around_enqueue", callback)

    def after_enqueue(self, callback: F) -> F:
        """Call the function with the BoundJob and its Receipt after this job was enqueued."""
        return self._callbacks.register("after_enqueue", callback)

    def before_perform(self, callback: F) -> F:
        """Call the function with the CurrentJob before this job runs."""
        return self._callbacks.register("before_perform", callback)

    def around_perform(self, callback: F) -> F:
        """Put a function that yields once around each run of this job."""
        return self._callbacks.register("around_perform", callback)

    def after_perform(self, callback: F) -> F:
        """Call the function with the CurrentJob after this job has run without an error."""
        return self._callbacks.register("after_perform", callback)


class _Performs(Protocol[P, R_co]):
    """Any class job: what its own `perform` takes is what the methods below take."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class _UsingOptions(Protocol[P]):
    def __call__(
        self,
        *,
        queue: str | None = None,
        priority: int | None = None,
        wait: timedelta | float | None = None,
        at: datetime | None = None,
        connection: Any = None,
        after_commit: bool | None = None,
    ) -> Using[P]: ...


class _Enqueue:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> Callable[P, Receipt]:
        return Using[P](_declared(owner), NO_OPTIONS).enqueue


class _AEnqueue:
    def __get__(
        self, job: object, owner: type[_Performs[P, Any]]
    ) -> Callable[P, Coroutine[Any, Any, Receipt]]:
        return Using[P](_declared(owner), NO_OPTIONS).aenqueue


class _Bind:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> Callable[P, BoundJob]:
        return Using[P](_declared(owner), NO_OPTIONS).bind


class _UsingMethod:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> _UsingOptions[P]:
        declaration = _declared(owner)

        def using(
            *,
            queue: str | None = None,
            priority: int | None = None,
            wait: timedelta | float | None = None,
            at: datetime | None = None,
            connection: Any = None,
            after_commit: bool | None = None,
        ) -> Using[P]:
            how = options(
                queue=queue,
                priority=priority,
                wait=wait,
                at=at,
                connection=connection,
                after_commit=after_commit,
            )
            return Using(declaration, how)

        using.__doc__ = FunctionJob.using.__doc__
        return using


class _PerformNow:
    def __get__(self, job: object, owner: type[_Performs[P, R]]) -> Callable[P, R]:
        declaration = _declared(owner)

        def perform(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R = perform_now(declaration, args, kwargs)
            return result

        perform.__doc__ = FunctionJob.perform_now.__doc__
        return perform


class _Registrar:
    """A decorator that registers a callback with the class that it is asked of."""

    def __init__(self, moment: str) -> None:
        self._moment = moment

    def __get__(self, job: object, owner: Any) -> Callable[[F], F]:
        return registrar(owner._callbacks, self._moment)


class Job:
    """The base of class jobs. A subclass with a `perform` method is a job; one without is a place
    for what its own subclasses share.

    `queue`, `priority` and the rest mean what they mean for `job`, and are inherited; policies and
    callbacks of a subclass come on top of its superclass's. `name`, the name to store in place of
    the import path, and `aliases` are not inherited. Each run makes a new instance, without
    arguments, and calls its `perform`.
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
    name: ClassVar[str | None] = None
    aliases: ClassVar[Sequence[str]] = ()

    enqueue: ClassVar[_Enqueue] = _Enqueue()
    aenqueue: ClassVar[_AEnqueue] = _AEnqueue()
    bind: ClassVar[_Bind] = _Bind()
    using: ClassVar[_UsingMethod] = _UsingMethod()
    perform_now: ClassVar[_PerformNow] = _PerformNow()

    before_enqueue: ClassVar[_Registrar] = _Registrar("before_enqueue")
    around_enqueue: ClassVar[_Registrar] = _Registrar("around_enqueue")
    after_enqueue: ClassVar[_Registrar] = _Registrar("after_enqueue")
    before_perform: ClassVar[_Registrar] = _Registrar("before_perform")
    around_perform: ClassVar[_Registrar] = _Registrar("around_perform")
    after_perform: ClassVar[_Registrar] = _Registrar("after_perform")

    _declaration: ClassVar[Declaration | None] = None
    _callbacks: ClassVar[Callbacks] = Callbacks()
    _place: ClassVar[str] = "no place known"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._callbacks = Callbacks()
        cls._place = _place_of_class()
        perform = getattr(cls, "perform", None)
        settings = _class_settings(cls)
        cls._declaration = None if perform is None else _declare_class(cls, perform, settings)


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
        where = _where(function, place_of(function))
        _refuse_unknown(where, options)
        declaration = Declaration(
            function,
            function,
            function,
            skip_self=False,
            name=options.get("name"),
            settings=_settings(where, options, [options]),
            callbacks=(Callbacks(),),
        )
        return FunctionJob(function, declaration)

    return declare if function is None else declare(function)


def enqueue_all(jobs: Iterable[BoundJob], *, connection: Any = None) -> list[Receipt]:
    """Write many jobs in one transaction, as one statement, and return their receipts in order.

        queuekit.enqueue_all(welcome.bind(n) for n in range(5_000))

    With `connection`, in the transaction of that connection. All are written or none.

    Raises what `enqueue` does.
    """
    descriptions = _described(jobs)
    return write(descriptions, _one_connection(descriptions, connection))


async def aenqueue_all(jobs: Iterable[BoundJob], *, connection: Any = None) -> list[Receipt]:
    """Write many jobs as `enqueue_all` does, in a thread: for callers on an event loop.
    `connection` may be psycopg's AsyncConnection, too."""
    descriptions = _described(jobs)
    one_connection = for_thread(_one_connection(descriptions, connection))
    return await in_thread(write, descriptions, one_connection)


def _described(jobs: Iterable[BoundJob]) -> list[Description]:
    descriptions = []
    for bound in jobs:
        if not isinstance(bound, BoundJob):
            raise EnqueueOptionError(
                f"enqueue_all takes jobs with their arguments, as job.bind(...) makes them, "
                f"not {bound!r}"
            )
        descriptions.append(bound._description)
    return descriptions


def _one_connection(descriptions: list[Description], connection: Any) -> Any:
    """The connection for all: the one given, or the one that every job was bound with."""
    if connection is None and descriptions:
        connection = descriptions[0].connection
    if any(described.connection not in (None, connection) for described in descriptions):
        raise EnqueueOptionError("the jobs were bound with different connections")
    return connection


#: What a declaration may say, and the Settings that take it as it is.
_PLAIN_OPTIONS = (
    "queue",
    "priority",
    "aliases",
    "redact",
    "after_commit",
    "timeout",
    "on_process_death",
    "max_process_deaths",
    "continuable",
    "max_resumptions",
    "resume_wait",
    "resume_errors_after_advancing",
)
_OPTIONS = ("name", *_PLAIN_OPTIONS, *policies.DECLARATIONS, "after_discard")


def _refuse_unknown(where: str, options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in _OPTIONS:
            near = difflib.get_close_matches(option, _OPTIONS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_OPTIONS)}"
            raise JobDeclarationError(f"{where}: no option {option!r}: {hint}")


def _settings(
    where: str, values: Mapping[str, Any], layers: Iterable[Mapping[str, Any]]
) -> Settings:
    """The settings from `values`, with the policies of all `layers`, the outermost class first; in
    each, policies stand in the order in which they were written.

    Raises JobDeclarationError.
    """
    plain = {name: values[name] for name in _PLAIN_OPTIONS if name in values}
    found: list[policies.Policy] = []
    handlers: list[policies.Handler] = []
    try:
        for layer in layers:
            for name, value in layer.items():
                if name in policies.DECLARATIONS:
                    found += policies.read(name, value)
                elif name == "after_discard":
                    handlers += policies.read_handlers(value)
    except policies.UnusablePolicyError as error:
        raise JobDeclarationError(f"{where}: {error}") from None
    return Settings(**plain, policies=tuple(found), after_discard=tuple(handlers))


def _where(source: Any, place: str) -> str:
    """Which job, and where it is declared, for errors."""
    name = getattr(source, "__qualname__", repr(source))
    module = getattr(source, "__module__", None)
    return f"job {module}.{name} ({place})" if module else f"job {name} ({place})"


def _place_of_class() -> str:
    """Where the class statement stands that is being carried out."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name in ("_place_of_class", "__init_subclass__"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "no place known"


def _declare_class(cls: type[Job], perform: Any, settings: Settings) -> Declaration:
    def call(*args: Any, **kwargs: Any) -> Any:
        return cls().perform(*args, **kwargs)  # type: ignore[attr-defined]

    if not callable(perform):
        raise JobDeclarationError(f"{_where(cls, cls._place)}: perform is not a method")
    return Declaration(
        cls,
        perform,
        call,
        skip_self=not isinstance(cls.__dict__.get("perform"), staticmethod | classmethod),
        name=cls.__dict__.get("name"),
        settings=settings,
        callbacks=tuple(kind._callbacks for kind in _job_classes(cls)),
    )


def _class_settings(cls: type[Job]) -> Settings:
    """What the class and those it inherits from say.

    Raises JobDeclarationError, whether the class is a job itself or for others to inherit.
    """
    where = _where(cls, cls._place)
    for moment in MOMENTS:
        if moment in cls.__dict__:
            raise JobDeclarationError(
                f"{where}: a method {moment} would never be called: register a function with "
                f"@{cls.__name__}.{moment}, below the class"
            )
    values = {name: getattr(cls, name) for name in _PLAIN_OPTIONS if hasattr(cls, name)}
    values["aliases"] = cls.__dict__.get("aliases", ())
    if callable(cls.queue):  # as it was written, not bound to anything
        queue = inspect.getattr_static(cls, "queue")
        values["queue"] = getattr(queue, "__func__", queue)
    # Mixins that are no jobs included, as for all that `getattr` finds.
    layers = [kind.__dict__ for kind in reversed(cls.__mro__)]
    settings = _settings(where, values, layers)
    problem = unusable_settings(settings)
    if problem:
        raise JobDeclarationError(f"{where}: {problem}")
    return settings


def _job_classes(cls: type[Job]) -> list[type[Job]]:
    """The class and what it inherits from, the base first."""
    return [kind for kind in reversed(cls.__mro__) if issubclass(kind, Job)]


def _declared(owner: Any) -> Declaration:
    declaration: Declaration | None = owner._declaration
    if declaration is None:
        raise JobDeclarationError(
            f"{owner.__module__}.{owner.__qualname__} ({owner._place}) has no perform method, "
            "so it is not a job"
        )
    return declaration
