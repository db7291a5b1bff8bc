"""Events: what happened, as objects with counts and durations, for whoever subscribes.

    @queuekit.events.subscribe
    def count(event):
        if isinstance(event, queuekit.events.TurnTaken):
            statsd.increment("jobs.settled", event.settled)

The log is one subscriber: `logs.py` has the wording of every line. Durations are in seconds, ids of
jobs are those of receipts. Handlers are called in the thread in which it happened, so they must be
quick; one that raises is reported as ErrorOccurred and harms nobody.

A leaf of the import graph, but for `errors`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from queuekit.errors import JobTimeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in the process `pid`."""

    pid: int = field(default_factory=os.getpid)


# Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStarted(Event):
    """A supervisor, worker, dispatcher or scheduler has registered and begins."""

    kind: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStopping(Event):
    """A process was told to stop: it finishes what runs and begins nothing."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStopped(Event):
    """A process has left. `released` claims went back to ready."""

    kind: str
    released: int
    uptime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLeftClaims(Event):
    """A process leaves without deregistering, because the database does not answer."""

    kind: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessWasPruned(Event):
    """This process found that others took it for dead."""

    kind: str
    consequence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStopping(Event):
    """The supervisor stops its children: gracefully, or `at_once`."""

    children: int
    at_once: bool
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildForked(Event):
    child: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildExited(Event):
    """A child ended. `expected` when it was told to, or left by itself to be replaced."""

    child: int
    how: str
    lived: float
    expected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildKilled(Event):
    """The supervisor kills a child that does not do as it should."""

    child: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessBuried(Event):
    """A dead process's row was taken away, and its claims with it."""

    kind: str
    process: int
    hostname: str
    reason: str
    failed: tuple[str, ...]
    retried: tuple[str, ...]
    released: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded(Event):
    """The supervisor has read its configuration again; problems mean that it keeps the old one."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLost(Event):
    """A loop cannot use the database and goes on trying. Once per outage."""

    who: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HintsUnavailable(Event):
    """A process cannot hear of new jobs through the pooler before the database: it polls."""

    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBack(Event):
    who: str
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseGivenUp(Event):
    """A loop has been refused by the database for too long; its process leaves with an error."""

    who: str
    error: str
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorOccurred(Event):
    """Something of queuekit's own, a hook or a handler raised. Errors of jobs are not here."""

    where: str
    error: BaseException


# Jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsEnqueued(Event):
    count: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsDispatched(Event):
    """Due jobs were moved from scheduled to ready."""

    count: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsUnblocked(Event):
    """The sweep has moved blocked jobs to ready: slots had expired, or were left behind."""

    count: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsThrottled(Event):
    """Jobs that a worker had claimed may not start yet: they were scheduled for when they may."""

    count: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTasksEnqueued(Event):
    """A scheduler has enqueued runs of recurring tasks, `made_up` of them late: their time had come
    while no scheduler was alive."""

    count: int
    made_up: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringRunsMissed(Event):
    """Runs whose time came while no scheduler was alive, and which are given up: those of the tasks
    `skipped`, by their policy, and of those `cut` all before the last `kept`."""

    skipped: tuple[str, ...]
    cut: tuple[str, ...]
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTaken(Event):
    """A worker's turn: results settled, `failed` ones among them, and jobs claimed."""

    queue: str | None
    settled: int
    failed: int
    claimed: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsDropped(Event):
    """Jobs ended that were not claimed by this process any more: their ends change nothing."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(Event):
    """One attempt has ended in this process; it is not settled yet."""

    job_id: str
    class_name: str
    queue: str
    attempt: int
    outcome: str
    error: str | None
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsHandedBack(Event):
    """Claimed jobs that had not begun went back to ready: they had waited too long for a thread, or
    the worker was told to stop."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTimedOut(Event):
    """A job ran longer than its timeout. `stuck` when it did not end after it was told to: then the
    process leaves, unless the mode is async, where the job `keeps_thread`."""

    job_id: str
    class_name: str
    timeout: float
    stuck: bool
    keeps_thread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRetried(Event):
    """Failed jobs were retried by hand."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsDiscarded(Event):
    """Jobs that waited or had failed were discarded, or a queue cleared, by hand."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsCleared(Event):
    """Finished jobs were deleted."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotReleased(Event):
    """The slot of a job was freed by hand; `ready` jobs came in by that."""

    job_id: str
    concurrency_key: str
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResumed(Event):
    queue: str


Handler = Callable[[Any], object]
H = TypeVar("H", bound=Handler)

_handlers: list[Handler] = []
_passing: list[tuple[Handler, type[Event], Callable[[], bool]]] = []


def subscribe(handler: H) -> H:
    """Call `handler` with every event from now on. Returns it, so this works as a decorator."""
    _handlers.append(handler)
    return handler


def unsubscribe(handler: Handler) -> None:
    """Call it no more. Nothing happens when it was not subscribed."""
    if handler in _handlers:
        _handlers.remove(handler)


def emit(event: Event) -> None:
    """Tell every subscriber."""
    for handler in tuple(_handlers):
        try:
            handler(event)
        except JobTimeout:  # it is not the handler's, but the job's in whose thread this is
            raise
        except Exception as error:
            if not isinstance(event, ErrorOccurred):
                emit(ErrorOccurred(where=f"a handler of {type(event).__name__}", error=error))


def has_handlers() -> bool:
    """Whether anybody listens: asked where making an event for each call would cost."""
    return bool(_handlers)


def pass_over(handler: Handler, kind: type[Event], now: Callable[[], bool]) -> None:
    """While `now()` holds, this handler has no use for events of this kind that tell of nothing but
    that all went well."""
    _passing.append((handler, kind, now))


def is_wanted(kind: type[Event]) -> bool:
    """Whether any handler has a use for such: asked where there is one for each job."""
    return not all(
        any(handler is one and kind is of and now() for one, of, now in _passing)
        for handler in _handlers
    )
