"""Keys that jobs make of their arguments, for what they share: limits, throttles, uniqueness.

A key is declared as a text, which may name an argument or an attribute, or as a function of the
arguments. What it gives for one job is a text, short enough to be indexed on every database.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from queuekit.arguments import records
from queuekit.errors import EnqueueOptionError

#: The length that MySQL can index in utf8mb4, the group included.
MAX_KEY_LENGTH = 191

_PLAIN = (str, int, UUID, date, datetime, Decimal)

Key = str | Callable[..., Any]


class Call(NamedTuple):
    """One job as its keys see it: its stored name, the class or function that declares it, and its
    arguments, by their parameters and as they were given."""

    name: str
    source: Any
    arguments: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def key_of(what: str, key: Key | None, group: str | None, call: Call) -> str:
    """The key of one job: its group, which is the job's name when there is none, and a value.

    `what` is what the key is of, for errors. Without a `key` all jobs of the group have the same.
    Raises EnqueueOptionError when it cannot be made.
    """
    text = "" if key is None else _text(what, call.name, _value(what, key, call))
    made = f"{group or call.name}/{text}"
    if len(made) > MAX_KEY_LENGTH:
        raise EnqueueOptionError(
            f"{call.name}: its {what} {made[:40]}... has {len(made):,} characters, the group "
            f"included; {MAX_KEY_LENGTH} fit"
        )
    return made


def unusable_key(key: Any) -> str | None:
    """Why this cannot be declared as a key; None when it can."""
    if inspect.iscoroutinefunction(key):
        return "key is an async function: it must return the key at once"
    if callable(key) or (isinstance(key, str) and key):
        return None
    return f"key is a text or a function of the job's arguments, not {key!r}"


def unusable_group(group: Any) -> str | None:
    """Why this cannot be declared as a group; None when it can, or when there is none."""
    if group is None:
        return None
    if isinstance(group, str) and group.isprintable() and group == group.strip() and group:
        return None if len(group) < MAX_KEY_LENGTH // 2 else f"group {group[:40]!r}... is too long"
    return f"group is a text without spaces around it, not {group!r}"


def _value(what: str, key: Key, call: Call) -> Any:
    if isinstance(key, str):
        if key in call.arguments:
            return call.arguments[key]
        if isinstance(call.source, type) and key.isidentifier():
            return getattr(call.source, key, key)
        return key
    try:
        return key(*call.args, **call.kwargs)
    except Exception as error:
        raise EnqueueOptionError(
            f"{call.name}: the function of its {what} raised {type(error).__name__}: {error}"
        ) from error


def _text(what: str, name: str, value: Any) -> str:
    """A key's value as text. Raises EnqueueOptionError."""
    text = _written(value)
    if text is None:
        shown = "None" if value is None else f"a {type(value).__qualname__}"
        raise EnqueueOptionError(
            f"{name}: its {what} is {shown}; it is a text, a number, an id, a date, a record, or a "
            "tuple of these"
        )
    if not text or text.endswith(" ") or "\0" in text or not _can_be_encoded(text):
        raise EnqueueOptionError(
            f"{name}: its {what} {text[:40]!r} is empty, ends with a space, or has characters that "
            "no database keeps"
        )
    return text


def _written(value: Any) -> str | None:
    if isinstance(value, Enum):
        return _written(value.value)
    record = records.identity(value)
    if record is not None:
        kind, key = record
        return f"{kind}/{_written(key)}"
    if isinstance(value, tuple | list):
        parts = [_written(part) for part in value]
        return None if None in parts else "/".join(str(part) for part in parts)
    return str(value) if isinstance(value, _PLAIN) else None


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
