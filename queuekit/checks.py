"""What callers give: names, priorities, spans of time, functions. One rule for each, whoever asks.

A name or a number that passes is stored alike on every database. Each `unusable_...` says what is
wrong, in words for an error that the asker raises, and returns None when nothing is.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from queuekit.errors import EnqueueOptionError

#: The length that MySQL can index in utf8mb4.
LONGEST_NAME = 191

PRIORITIES = range(-(2**31), 2**31)

_YEAR = timedelta(days=366).total_seconds()


def unusable_name(what: str, name: Any) -> str | None:
    """What is wrong with a name that becomes a column's value: the same rules on each database."""
    if not isinstance(name, str):
        return f"{what} is a text, not {name!r}"
    if not name or name != name.strip():
        return f"{what} {name!r} is empty, or begins or ends with a space"
    if len(name) > LONGEST_NAME:
        return f"{what} {name[:40]}... has {len(name)} characters; {LONGEST_NAME} fit"
    if not name.isprintable():
        return f"{what} {name!r} has characters that cannot be printed"
    return None


def unusable_queue(name: Any) -> str | None:
    problem = unusable_name("queue", name)
    if problem is None and ("*" in name or "," in name):
        return f"queue {name!r} has a * or a comma, which mean something to a worker's queues"
    return problem


def unusable_priority(priority: Any) -> str | None:
    if type(priority) is not int:
        return f"priority is a whole number, not {priority!r}"
    if priority not in PRIORITIES:
        return f"priority {priority} is not between {PRIORITIES[0]} and {PRIORITIES[-1]}"
    return None


def check_queue(name: Any) -> str:
    """A queue's name.

    Raises EnqueueOptionError.
    """
    problem = unusable_queue(name)
    if problem:
        raise EnqueueOptionError(problem)
    return str(name)


def check_priority(priority: Any) -> int:
    """A priority.

    Raises EnqueueOptionError.
    """
    problem = unusable_priority(priority)
    if problem:
        raise EnqueueOptionError(problem)
    return int(priority)


def in_seconds(span: Any) -> float | None:
    """A timedelta or a number of seconds as seconds, infinite when that is larger than any float;
    None for what is neither. What a span may be is for the asker to say, NaN included."""
    if isinstance(span, timedelta):
        return span.total_seconds()
    if isinstance(span, bool) or not isinstance(span, int | float):
        return None
    return as_float(span)


def unusable_span(what: str, span: Any, *, may_be_nothing: bool = False) -> str | None:
    """What is wrong with a span of time that a job declares. It may be a year long."""
    seconds = in_seconds(span)
    if seconds is None:
        return f"{what} is a timedelta or a number of seconds, not {span!r}"
    if not (0 < seconds <= _YEAR or (may_be_nothing and seconds == 0)):
        return f"{what}={span!r} is not a span of time between nothing and a year"
    return None


def unusable_count(what: str, count: Any, most: int) -> str | None:
    if type(count) is int and 1 <= count <= most:
        return None
    return f"{what} is a whole number from 1 to {most:,}, not {count!r}"


def as_float(number: int | float) -> float:
    """A number as a float, infinite when it is larger than any."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def takes(function: Callable[..., Any], number: int) -> bool | None:
    """Whether a function can be called with so many arguments by position; None for a builtin that
    does not tell its parameters."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * number)
    except TypeError:
        return False
    return True
