"""What is said of a job before it is written: options of this enqueueing, and arguments.

    Using      a job and the options of one enqueueing: `enqueue`, `aenqueue`, `bind`
    BoundJob   with arguments, too, for `enqueue_all` and for enqueue callbacks

A job without options is a Using as well, so that `welcome.enqueue` and
`welcome.using(wait=60).enqueue` are one method, which carries the job's own parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Generic, ParamSpec

from queuekit.callbacks import any_for_enqueue, around_enqueueing
from queuekit.database.async_callers import for_thread
from queuekit.declaration import Declaration
from queuekit.description import NO_OPTIONS, Description, Options, describe, options
from queuekit.enqueueing import write
from queuekit.errors import Abort, EnqueueOptionError
from queuekit.receipts import Receipt
from queuekit.threads import in_thread

P = ParamSpec("P")


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

    def __init__(self, declaration: Declaration, how: Options = NO_OPTIONS) -> None:
        self._declaration = declaration
        self._options = how

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Write the job, to run as soon as its time has come and a worker is free: one round trip,
        one transaction.

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


class UsingMethod(Generic[P]):
    """`job.using`: called with options, it gives the job with these. An object and not a method,
    since a class job's has to know the parameters of whichever class it is asked of."""

    __slots__ = ("_declaration",)

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration

    def __call__(
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
