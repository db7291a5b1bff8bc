"""Values as they are typed: durations, times, and the arguments of a job.

Each reader raises BadParameter, which is wrong usage (exit 2), and says what was expected.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from queuekit.config.durations import parse_duration

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def duration(text: str) -> float:
    """Seconds, from a number of them or a text such as `5m`, `1.5 hours`, `1d`."""
    seconds = parse_duration(text)
    if seconds is not None:
        return seconds
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no duration: write seconds, or a number with its unit, such as 5m or 1d"
        ) from None


def moment(text: str) -> datetime:
    """A time with its zone, in ISO 8601."""
    time = moment_of_any_zone(text)
    if time.tzinfo is None:
        raise click.BadParameter(
            f"{text!r} has no time zone: write {text}Z for UTC, or end it with one such as +02:00"
            if "T" in text or " " in text
            else f"{text!r} has no time zone: write one such as {time.isoformat()}Z"
        )
    return time


def moment_of_any_zone(text: str) -> datetime:
    """A time in ISO 8601 that need not say its zone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time in ISO 8601: write one such as 2030-01-31T09:00:00Z"
        ) from None


def arguments(texts: Sequence[str]) -> Arguments:
    """A job's arguments: JSON where it reads as JSON, else text; `name=value` has a name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            args.append(_value(text))
        elif name in kwargs:
            raise click.BadParameter(f"the argument {name} is given twice")
        else:
            kwargs[name] = _value(value)
    return tuple(args), kwargs


def arguments_json(text: str) -> Arguments:
    """A job's arguments as one document: `{"args": [...], "kwargs": {...}}`; `-` reads stdin."""
    document: str | bytes = sys.stdin.buffer.read() if text == "-" else text
    try:
        stored = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is not JSON: {error}") from None
    if not isinstance(stored, dict) or not stored.keys() <= {"args", "kwargs"}:
        raise click.BadParameter('expected an object such as {"args": [42], "kwargs": {}}')
    args, kwargs = stored.get("args", []), stored.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise click.BadParameter("args is a list, and kwargs is an object")
    return tuple(args), kwargs


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    """Python's json reads NaN and Infinity, which are no JSON: typed here they are text."""
    raise ValueError(name)
