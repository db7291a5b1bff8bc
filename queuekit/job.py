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

import functools
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from queuekit.declaration import Declaration, Settings
from queuekit.enqueueing import NO_OPTIONS, Description, Options, Receipt, describe, options, write
from queuekit.errors import EnqueueOptionError, JobDeclarationError

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 0


class BoundJob:
    """A job with its arguments, to be written later: what `enqueue_all` takes."""

    __slots__ = ("_description",)

    def __init__(self, description: Description) -> None:
        self._description = description

    def __repr__(self) -> str:
        description = self._description
        return f"<BoundJob {description.class_name} on queue {description.queue!r}>"


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
        return write([described], self._options.connection)[0]

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> BoundJob:
        """The job with its arguments, for `enqueue_all`. Raises what `enqueue` does."""
        return BoundJob(describe(self._declaration, args, kwargs, self._options))


class FunctionJob(Generic[P, R]):
    """A function that is a job. Called, it is still the function."""

    def __init__(self, function: Callable[P, R], declaration: Declaration) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._declaration = declaration
        self._plain: Using[P] = Using(declaration, NO_OPTIONS)

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
    ) -> Using[P]:
        """Options for this enqueueing only.

        `wait` is a timedelta or seconds, counted by the database's clock; `at` a datetime with a
        zone. `connection` is an open DB-API connection to the queue's database: the job is written
        in its transaction, and is enqueued when and if that commits.

        Raises EnqueueOptionError.
        """
        how = options(queue=queue, priority=priority, wait=wait, at=at, connection=connection)
        return Using(self._declaration, how)

    def perform_now(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the job here and now, without the database."""
        return self._function(*args, **kwargs)


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
    ) -> Using[P]: ...


class _Enqueue:
    def __get__(self, job: object, owner: type[_Performs[P, Any]]) -> Callable[P, Receipt]:
        return Using[P](_declared(owner), NO_OPTIONS).enqueue


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
        ) -> Using[P]:
            how = options(queue=queue, priority=priority, wait=wait, at=at, connection=connection)
            return Using(declaration, how)

        using.__doc__ = FunctionJob.using.__doc__
        return using


class _PerformNow:
    def __get__(self, job: object, owner: type[_Performs[P, R]]) -> Callable[P, R]:
        return _declared(owner).call


class Job:
    """The base of class jobs. A subclass with a `perform` method is a job; one without is a place
    for what its own subclasses share.

    `queue`, `priority` and the rest mean what they mean for `job`, and are inherited; `name`, the
    name to store in place of the import path, is not. Each run makes a new instance, without
    arguments, and calls its `perform`.
    """

    queue: ClassVar[str] = DEFAULT_QUEUE
    priority: ClassVar[int] = DEFAULT_PRIORITY
    timeout: ClassVar[timedelta | float | None] = None
    on_process_death: ClassVar[Literal["fail", "retry"] | None] = None
    max_process_deaths: ClassVar[int | None] = None
    name: ClassVar[str | None] = None

    enqueue: ClassVar[_Enqueue] = _Enqueue()
    bind: ClassVar[_Bind] = _Bind()
    using: ClassVar[_UsingMethod] = _UsingMethod()
    perform_now: ClassVar[_PerformNow] = _PerformNow()

    _declaration: ClassVar[Declaration | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        perform = getattr(cls, "perform", None)
        cls._declaration = None if perform is None else _declare_class(cls, perform)


@overload
def job(function: Callable[P, R], /) -> FunctionJob[P, R]: ...
@overload
def job(
    *,
    queue: str = ...,
    priority: int = ...,
    name: str | None = ...,
    timeout: timedelta | float | None = ...,
    on_process_death: Literal["fail", "retry"] | None = ...,
    max_process_deaths: int | None = ...,
) -> Callable[[Callable[P, R]], FunctionJob[P, R]]: ...
def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    queue: str = DEFAULT_QUEUE,
    priority: int = DEFAULT_PRIORITY,
    name: str | None = None,
    timeout: timedelta | float | None = None,
    on_process_death: Literal["fail", "retry"] | None = None,
    max_process_deaths: int | None = None,
) -> Any:
    """Declare a function as a job.

    `queue` and `priority` (lower runs first) are defaults that `using` can replace. The job is
    stored under its import path, or under `name` when one is given; then the module that declares
    it must be listed under `imports`, since a name does not say where it is.

    A job that runs longer than `timeout` (a timedelta or seconds) gets JobTimeout raised where it
    stands; one that does not end then is failed after its process was replaced. When the process
    that runs it dies, the job fails, or with `on_process_death="retry"` runs again, until it has
    seen `max_process_deaths`; the defaults of both are the configuration's.

    Raises JobDeclarationError.
    """
    settings = Settings(queue, priority, timeout, on_process_death, max_process_deaths)

    def declare(function: Callable[P, R]) -> FunctionJob[P, R]:
        if isinstance(function, type):
            raise JobDeclarationError(
                f"job {function.__qualname__}: @job is for functions; a class inherits queuekit.Job"
            )
        declaration = Declaration(
            function, function, function, skip_self=False, name=name, settings=settings
        )
        return FunctionJob(function, declaration)

    return declare if function is None else declare(function)


def enqueue_all(jobs: Iterable[BoundJob], *, connection: Any = None) -> list[Receipt]:
    """Write many jobs in one transaction, as one statement, and return their receipts in order.

        queuekit.enqueue_all(welcome.bind(n) for n in range(5_000))

    With `connection`, in the transaction of that connection. All are written or none.

    Raises what `enqueue` does.
    """
    descriptions = []
    for bound in jobs:
        if not isinstance(bound, BoundJob):
            raise EnqueueOptionError(
                f"enqueue_all takes jobs with their arguments, as job.bind(...) makes them, "
                f"not {bound!r}"
            )
        descriptions.append(bound._description)
    return write(descriptions, _one_connection(descriptions, connection))


def _one_connection(descriptions: list[Description], connection: Any) -> Any:
    """The connection for all: the one given, or the one that every job was bound with."""
    if connection is None and descriptions:
        connection = descriptions[0].connection
    if any(described.connection not in (None, connection) for described in descriptions):
        raise EnqueueOptionError("the jobs were bound with different connections")
    return connection


def _declare_class(cls: type[Job], perform: Any) -> Declaration:
    def call(*args: Any, **kwargs: Any) -> Any:
        return cls().perform(*args, **kwargs)  # type: ignore[attr-defined]

    if not callable(perform):
        raise JobDeclarationError(f"job {cls.__qualname__}: perform is not a method")
    return Declaration(
        cls,
        perform,
        call,
        skip_self=not isinstance(cls.__dict__.get("perform"), staticmethod | classmethod),
        name=cls.__dict__.get("name"),
        settings=Settings(
            cls.queue, cls.priority, cls.timeout, cls.on_process_death, cls.max_process_deaths
        ),
    )


def _declared(owner: Any) -> Declaration:
    declaration: Declaration | None = owner._declaration
    if declaration is None:
        raise JobDeclarationError(
            f"{owner.__module__}.{owner.__qualname__} has no perform method, so it is not a job"
        )
    return declaration
