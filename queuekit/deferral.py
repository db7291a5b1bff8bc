"""Enqueueing after the application's transaction has committed, and not at all when it rolls back.

For applications whose queue lives in another database than their own data; where both are one,
`using(connection=...)` is safer: the job is then part of the transaction.

    with queuekit.enqueue_after_commit():
        with connection.transaction():
            ...
            welcome.using(after_commit=True).enqueue(user.id)

The block is a transaction as seen from outside: what is enqueued in it with `after_commit=True` is
written when it ends, dropped when it raises. Frameworks that say themselves when a transaction has
committed need no block: their integration registers itself with `on_commit_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

Source = Callable[[Callable[[], object]], bool]
S = TypeVar("S", bound=Source)
T = TypeVar("T")

_sources: list[Source] = []


@dataclass(slots=True)
class _Block:
    """A block that is open: what waits for its end, and how that is written."""

    waiting: list[Any] = field(default_factory=list)
    write: Callable[[Sequence[Any]], object] | None = None


_block: ContextVar[_Block | None] = ContextVar("queuekit_after_commit", default=None)


def on_commit_of(source: S) -> S:
    """Register a framework's way of saying that a transaction has committed.

    `source` is called with a function. Where a transaction is open in this thread or task, it
    arranges for the function to be called after the commit (and never, on rollback) and returns
    True; else it returns False. A decorator.
    """
    _sources.append(source)
    return source


@contextmanager
def enqueue_after_commit() -> Iterator[None]:
    """A block at whose end the jobs enqueued in it with `after_commit=True` are written, in one
    transaction of their own; when the block raises they are dropped.

    A block inside another one hands its jobs on to the outer. Raises EnqueueError when the jobs
    cannot be written: the block's own work is done by then.
    """
    outer, block = _block.get(), _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        _block.reset(token)
    if block.write is None:
        return
    if outer is None:
        block.write(block.waiting)
    else:
        outer.waiting += block.waiting
        outer.write = block.write


def defer(jobs: Sequence[T], write: Callable[[Sequence[T]], object]) -> bool:
    """Have jobs written after the commit of the transaction that is open. False if there is none:
    then nothing was arranged."""
    block = _block.get()
    if block is not None:
        block.waiting += jobs
        block.write = write
        return True
    return any(source(lambda: write(jobs)) for source in _sources)
