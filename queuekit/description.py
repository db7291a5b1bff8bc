"""A job that is to be written: its declaration, its arguments and options, checked, as one row.

Nothing here touches the database: what is wrong with a call is said before anything is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from queuekit import application, arguments, propagation
from queuekit.checks import check_priority, check_queue
from queuekit.declaration import Declaration
from queuekit.declaring import Settings
from queuekit.errors import EnqueueOptionError, SerializationError
from queuekit.ids import new_job_id
from queuekit.limits import HeldLimit
from queuekit.throttles import HeldThrottle
from queuekit.times import moment_in_utc, seconds_to_wait
from queuekit.uniqueness import HeldUnique


@dataclass(frozen=True, slots=True)
class Options:
    """How to enqueue, where it differs from the declaration."""

    queue: str | None = None
    priority: int | None = None
    wait: float | None = None
    at: datetime | None = None
    connection: Any = None
    after_commit: bool | None = None


NO_OPTIONS = Options()


class Description(NamedTuple):
    """A job that is ready to be written. A tuple, since one is made for each job enqueued. What is
    most its own comes first, and then what jobs that are enqueued together mostly share: SHARED."""

    job_id: str
    arguments: str
    context: str | None
    queue: str
    class_name: str
    priority: int
    wait: float | None
    at: datetime | None
    max_process_deaths: int | None
    connection: Any
    after_commit: bool = False
    executions: int = 0
    exception_executions: str | None = None
    limit: HeldLimit | None = None
    throttle: HeldThrottle | None = None
    unique: HeldUnique | None = None

    @property
    def is_scheduled(self) -> bool:
        return self.at is not None or self.wait is not None

    @property
    def is_due_and_new(self) -> bool:
        """Whether it is what most jobs are: to run at once, whatever else runs, and for the first
        time."""
        return (
            not self.is_scheduled
            and not self.executions
            and self.limit is None
            and self.throttle is None
            and self.unique is None
        )


#: Of a Description, whatever is not one job's own.
SHARED = slice(2, None)

#: A Description's own constructor takes its fields one by one, for twice the time.
_new = tuple.__new__


def options(
    *,
    queue: str | None,
    priority: int | None,
    wait: timedelta | float | None,
    at: datetime | None,
    connection: Any,
    after_commit: bool | None = None,
) -> Options:
    """Check what `using` was given.

    Raises EnqueueOptionError.
    """
    if queue is not None:
        check_queue(queue)
    if priority is not None:
        check_priority(priority)
    if wait is not None and at is not None:
        raise EnqueueOptionError("wait= and at= say the same thing twice: give one of them")
    if connection is not None and after_commit:
        raise EnqueueOptionError(
            "with connection= the job is part of that connection's transaction, with after_commit= "
            "it is written after one: give one of them"
        )
    return Options(
        queue=queue,
        priority=priority,
        wait=None if wait is None else seconds_to_wait(wait),
        at=None if at is None else moment_in_utc(at),
        connection=connection,
        after_commit=after_commit,
    )


def describe(
    declaration: Declaration,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    how: Options = NO_OPTIONS,
) -> Description:
    """A job, checked and with its arguments written down.

    Raises UnreachableJobError, SignatureError, SerializationError, EnqueueOptionError.
    """
    declaration.check_reachable()
    declaration.check_call(args, kwargs)
    stored = stored_arguments(declaration, args, kwargs)
    usual = _usual(declaration) if how is NO_OPTIONS else None
    if usual is not None:
        return _new(Description, (new_job_id(), stored, propagation.captured(), *usual))
    return Description(
        job_id=new_job_id(),
        arguments=stored,
        context=propagation.captured(),
        queue=how.queue if how.queue is not None else declaration.queue_for(args, kwargs),
        class_name=declaration.name,
        priority=how.priority if how.priority is not None else declaration.priority,
        wait=how.wait,
        at=how.at,
        max_process_deaths=_max_process_deaths(declaration.settings),
        connection=how.connection,
        after_commit=(
            declaration.settings.after_commit if how.after_commit is None else how.after_commit
        ),
        limit=_limit(declaration, args, kwargs),
        throttle=declaration.throttle_for(args, kwargs),
        unique=declaration.unique_for(args, kwargs, stored),
    )


@cache
def _usual(declaration: Declaration) -> tuple[Any, ...] | None:
    """What the descriptions of all its jobs end with, from the queue on, where there are no options
    and nothing hangs on arguments or configuration; else None. Most jobs are such, and putting this
    together for each takes as long as writing it to SQLite."""
    settings = declaration.settings
    if (
        not isinstance(declaration.queue, str)
        or settings.limits_concurrency is not None
        or settings.throttle is not None
        or settings.unique is not None
        or (settings.on_process_death == "retry" and settings.max_process_deaths is None)
    ):
        return None
    described = Description(
        job_id="",
        arguments="",
        context=None,
        queue=declaration.queue,
        class_name=declaration.name,
        priority=declaration.priority,
        wait=None,
        at=None,
        max_process_deaths=_max_process_deaths(settings),
        connection=None,
        after_commit=settings.after_commit,
    )
    return described[3:]


def stored_arguments(
    declaration: Declaration, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """A job's arguments as they travel, with what is redacted marked. Raises SerializationError."""
    hidden = declaration.hidden(args, kwargs) if declaration.settings.redact else ()
    try:
        return arguments.dump(args, kwargs, declaration.parameters.names, hidden)
    except SerializationError as error:
        raise SerializationError(f"{declaration.name}: {error}") from error.__cause__


def _max_process_deaths(settings: Settings) -> int | None:
    """After how many deaths the job fails; None leaves it to whoever buries the process."""
    if settings.on_process_death == "fail":
        return 1
    if settings.on_process_death == "retry" and settings.max_process_deaths is None:
        return application.configuration().max_process_deaths
    return settings.max_process_deaths


def _limit(
    declaration: Declaration, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> HeldLimit | None:
    if declaration.settings.limits_concurrency is None:
        return None
    period = application.configuration().default_concurrency_control_period
    return declaration.limit_for(args, kwargs, period)
