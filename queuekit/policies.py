"""What becomes of a job whose run raised: retried, discarded, rescued, or failed.

    @queuekit.job(
        retry_on=Retry(ConnectionError, wait="polynomially_longer", attempts=5),
        discard_on=LookupError,
        rescue_from=Rescue(PaymentRefused, handler=tell_the_customer),
    )

The rules are Active Job's: a policy takes the errors that are instances of its classes; of several
that would, the one declared last, and a class's own before its superclass's. Handlers are called
with the job (`queuekit.CurrentJob`) and the error. A handler that raises makes the job fail with
what it raised.

This module declares and answers questions; `performing` acts on the answers.
"""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from queuekit.checks import in_seconds, takes, unusable_priority, unusable_queue
from queuekit.names import kind_name, name_of

if TYPE_CHECKING:
    from queuekit.current import CurrentJob

Handler = Callable[["CurrentJob", BaseException], object]
Wait = float | timedelta | str | Callable[[int], Any] | Callable[[int, BaseException], Any]

#: The declarations that make policies, as keywords of `job` and attributes of a class.
DECLARATIONS = ("retry_on", "discard_on", "rescue_from")

POLYNOMIALLY_LONGER = "polynomially_longer"

#: Waits that grow end here: a time that a database cannot say would stop the worker that settles.
_LONGEST_WAIT = timedelta(days=366 * 100).total_seconds()


@dataclass(frozen=True, init=False)
class Retry:
    """Run the job again after some errors.

    `attempts` counts the first run, too, and is counted for each declaration of its own; None is
    no end. `wait` says how long to wait before the next, n being how often these errors came:

    - seconds or a timedelta w: w plus up to w * jitter, at random;
    - "polynomially_longer": n**4 + 2 seconds, plus up to n**4 * jitter;
    - a function of (n) or of (n, error), that returns seconds or a timedelta: just that.

    `queue` and `priority` replace the job's own for the runs to come. When there are no attempts
    left the job fails, unless `on_exhausted(job, error)` is given, which then has the last word.
    """

    errors: tuple[type[BaseException], ...]
    wait: Wait
    attempts: int | None
    jitter: float
    queue: str | None
    priority: int | None
    on_exhausted: Handler | None

    def __init__(
        self,
        *errors: type[BaseException],
        wait: Wait = 3.0,
        attempts: int | None = 5,
        jitter: float = 0.15,
        queue: str | None = None,
        priority: int | None = None,
        on_exhausted: Handler | None = None,
    ) -> None:
        for name, value in (
            ("errors", errors),
            ("wait", wait),
            ("attempts", attempts),
            ("jitter", jitter),
            ("queue", queue),
            ("priority", priority),
            ("on_exhausted", on_exhausted),
        ):
            object.__setattr__(self, name, value)

    @property
    def key(self) -> str:
        """Under which name retries are counted with the job: its errors, as Active Job has it."""
        return ", ".join(kind_name(error) for error in self.errors)

    def allows_another(self, count: int) -> bool:
        """Whether a job that has raised these errors `count` times runs again."""
        return self.attempts is None or count < self.attempts

    def seconds(self, count: int, error: BaseException) -> float:
        """The wait before the next run. Raises ValueError when a function returned no such time."""
        if self.wait == POLYNOMIALLY_LONGER:
            return min(count**4 + random.random() * count**4 * self.jitter + 2, _LONGEST_WAIT)
        if callable(self.wait):
            given = self.wait(count, error) if takes(self.wait, 2) else self.wait(count)  # type: ignore[call-arg]
            problem = _unusable_seconds(given)
            if problem:
                raise ValueError(f"the wait function of Retry({self.key}) returned {problem}")
            return _as_seconds(given)
        seconds = _as_seconds(self.wait)
        return min(seconds + random.random() * seconds * self.jitter, _LONGEST_WAIT)

    def problem(self) -> str | None:
        """Why this cannot be a policy; None when it can."""
        return (
            _unusable_errors("Retry", self.errors)
            or _unusable_attempts(self.attempts)
            or _unusable_wait(self.wait)
            or _unusable_jitter(self.jitter)
            or _unusable_handler("on_exhausted", self.on_exhausted)
            or (self.queue is not None and unusable_queue(self.queue))
            or (self.priority is not None and unusable_priority(self.priority))
            or None
        )


@dataclass(frozen=True, init=False)
class Discard:
    """Give the job up after some errors: it ends as discarded, not as failed."""

    errors: tuple[type[BaseException], ...]
    handler: Handler | None

    def __init__(self, *errors: type[BaseException], handler: Handler | None = None) -> None:
        object.__setattr__(self, "errors", errors)
        object.__setattr__(self, "handler", handler)

    def problem(self) -> str | None:
        return _unusable_errors("Discard", self.errors) or _unusable_handler(
            "handler", self.handler
        )


@dataclass(frozen=True, init=False)
class Rescue:
    """Leave some errors to a handler: the job ends as finished, or as the handler asks for with
    `job.retry()`."""

    errors: tuple[type[BaseException], ...]
    handler: Handler

    def __init__(self, *errors: type[BaseException], handler: Handler) -> None:
        object.__setattr__(self, "errors", errors)
        object.__setattr__(self, "handler", handler)

    def problem(self) -> str | None:
        if self.handler is None:
            return "a Rescue needs a handler"
        return _unusable_errors("Rescue", self.errors) or _unusable_handler("handler", self.handler)


Policy = Retry | Discard | Rescue

#: What may stand under each declaration: one or several of these.
RetryOn = Retry | type[BaseException] | Sequence[Retry | type[BaseException]] | None
DiscardOn = Discard | type[BaseException] | Sequence[Discard | type[BaseException]] | None
RescueFrom = Rescue | Sequence[Rescue] | None
AfterDiscard = Handler | Sequence[Handler] | None

_KINDS: dict[str, type[Policy]] = {"retry_on": Retry, "discard_on": Discard, "rescue_from": Rescue}


class UnusablePolicyError(ValueError):
    """A declaration that makes no policy. The message says why."""


def read(declaration: str, value: Any) -> Iterator[Policy]:
    """The policies that a `retry_on`, `discard_on` or `rescue_from` declares, in order.

    Raises UnusablePolicyError.
    """
    if value is None:
        return
    kind = _KINDS[declaration]
    for item in value if isinstance(value, list | tuple) else [value]:
        policy = _of_class(kind, item) if isinstance(item, type) else item
        if not isinstance(policy, kind):
            classes = "" if kind is Rescue else "exception classes, "
            raise UnusablePolicyError(
                f"{declaration} takes {classes}{kind.__name__}(...), or a list of them, "
                f"not {item!r}"
            )
        problem = policy.problem()
        if problem:
            raise UnusablePolicyError(f"{declaration}: {problem}")
        yield policy


def _of_class(kind: type[Policy], error: type[BaseException]) -> Policy | None:
    """An exception class alone stands for the policy with nothing else said."""
    return Retry(error) if kind is Retry else Discard(error) if kind is Discard else None


def read_handlers(value: Any) -> tuple[Handler, ...]:
    """The handlers that an `after_discard` declares.

    Raises UnusablePolicyError.
    """
    handlers = tuple(value) if isinstance(value, list | tuple) else (value,)
    for handler in handlers:
        problem = _unusable_handler("after_discard", handler)
        if problem:
            raise UnusablePolicyError(problem)
    return tuple(handler for handler in handlers if handler is not None)


def match(policies: Sequence[Policy], error: BaseException) -> Policy | None:
    """The policy that takes this error: the last declared of those that would."""
    for policy in reversed(policies):
        if isinstance(error, policy.errors):
            return policy
    return None


def _as_seconds(wait: Any) -> float:
    seconds = in_seconds(wait)
    assert seconds is not None
    return seconds


def _unusable_seconds(wait: Any) -> str | None:
    seconds = in_seconds(wait)
    if seconds is None:
        return f"{wait!r}, which is neither a timedelta nor a number of seconds"
    if not 0 <= seconds <= _LONGEST_WAIT:
        return f"{wait!r}, which is not a time to come within a hundred years"
    return None


def _unusable_wait(wait: Any) -> str | None:
    if isinstance(wait, str):
        if wait == POLYNOMIALLY_LONGER:
            return None
        return f"wait={wait!r} is not known; there is {POLYNOMIALLY_LONGER!r}"
    if callable(wait):
        return _unusable_wait_function(wait)
    problem = _unusable_seconds(wait)
    return f"wait is {problem}" if problem else None


def _unusable_wait_function(function: Callable[..., Any]) -> str | None:
    if inspect.iscoroutinefunction(function):
        return "wait is an async function: it must return the time at once"
    if takes(function, 1) is False and takes(function, 2) is False:
        signature = inspect.signature(function)
        return f"wait is a function of {signature}: it is called with (n), or with (n, error)"
    return None


def _unusable_errors(kind: str, errors: tuple[Any, ...]) -> str | None:
    if not errors:
        return f"a {kind} needs the exception classes that it is for"
    for error in errors:
        if not isinstance(error, type) or not issubclass(error, BaseException):
            return f"{kind} takes exception classes, not {error!r}"
    return None


def _unusable_attempts(attempts: Any) -> str | None:
    if attempts is None or (type(attempts) is int and attempts >= 1):
        return None
    return f"attempts is a whole number from 1, the first run included, or None, not {attempts!r}"


def _unusable_jitter(jitter: Any) -> str | None:
    if type(jitter) in (int, float) and 0 <= jitter < math.inf:
        return None
    return f"jitter is a share of the wait, from 0, not {jitter!r}"


def _unusable_handler(name: str, handler: Any) -> str | None:
    if handler is None:
        return None
    if not callable(handler):
        return f"{name} is a function of (job, error), not {handler!r}"
    if inspect.iscoroutinefunction(handler):
        return f"{name} is an async function; it is called from threads: declare it with plain def"
    if takes(handler, 2) is False:
        return f"{name} is called with (job, error), and {name_of(handler)} cannot be"
    return None
