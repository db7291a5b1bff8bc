"""What travels in a job's arguments, and how: a JSON object `{"args": [...], "kwargs": {...}}`.

What JSON can say travels as itself, and only that: None, bool, int, finite floats, str, lists, and
dicts with text keys. Anything else is refused when enqueueing, with the argument's name; a tuple
that came back as a list would be found much later. Keys that begin with `_queuekit` are kept for
values that need a type beside them.

Nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from queuekit.errors import DeserializationError, SerializationError

RESERVED_PREFIX = "_queuekit"

_PLAIN = frozenset({type(None), bool, int, str})

#: Deeper than this a value is refused: readers in other languages, and C stacks, give up somewhere.
_MAX_DEPTH = 100

#: How much of a place inside an argument an error shows.
_PLACE_LIMIT = 120

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def dump(args: Sequence[Any], kwargs: dict[str, Any], names: Sequence[str] = ()) -> str:
    """Arguments as they are stored. `names` are what the positional ones are called, for errors.

    Raises SerializationError, which names the argument and the place in it.
    """
    for position, value in enumerate(args):
        if type(value) not in _PLAIN:
            named = position < len(names)
            _check_argument(names[position] if named else f"number {position + 1}", value)
    for name, value in kwargs.items():
        if type(value) not in _PLAIN:
            _check_argument(name, value)
    try:
        return encode({"args": args, "kwargs": kwargs})
    except ValueError as error:  # an int of more digits than Python turns into text
        raise SerializationError(f"the arguments cannot be written as JSON: {error}") from error


def load(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Stored arguments as values.

    Raises DeserializationError when the text is not what `dump` writes.
    """
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeserializationError(f"the stored arguments are not JSON: {error}") from error
    if not isinstance(stored, dict) or set(stored) != {"args", "kwargs"}:
        raise DeserializationError("the stored arguments are not an object of args and kwargs")
    args, kwargs = stored["args"], stored["kwargs"]
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise DeserializationError("the stored args are not a list, or the kwargs not an object")
    for value in (*args, *kwargs.values()):
        _refuse_reserved(value)
    return args, kwargs


def encode(value: Any) -> str:
    """A value as JSON that every database stores unchanged.

    Readable (other scripts as they are) but for control characters, NUL among them, and lone
    surrogates, which no database would take.
    """
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _encode_ascii(value)
    return text


class _RefusedError(Exception):
    """A value that cannot travel, on its way up: each container it is in adds the place."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.place = ""


def _check_argument(name: str, value: Any) -> None:
    try:
        _check(value, 0)
    except _RefusedError as refused:
        place = (name + refused.place)[:_PLACE_LIMIT]
        raise SerializationError(f"argument {place} {refused.problem}") from None


def _check(value: Any, depth: int) -> None:
    """Refuse what JSON cannot say."""
    kind = type(value)
    if kind in _PLAIN:
        return
    if depth > _MAX_DEPTH:
        raise _RefusedError(f"is nested deeper than {_MAX_DEPTH} levels, or holds itself")
    if kind is float:
        if not math.isfinite(value):
            raise _RefusedError(f"is {value}, which JSON cannot say")
    elif kind is list:
        _check_items(enumerate(value), depth)
    elif kind is dict:
        for key in value:
            _check_key(key)
        _check_items(value.items(), depth)
    else:
        raise _RefusedError(
            f"is a {_kind_name(kind)}, which cannot travel: pass None, bool, int, float, str, "
            "or lists and dicts of them"
        )


def _check_items(items: Iterable[tuple[Any, Any]], depth: int) -> None:
    for key, item in items:
        try:
            _check(item, depth + 1)
        except _RefusedError as refused:
            refused.place = f"[{key!r}]{refused.place}"
            raise


def _check_key(key: Any) -> None:
    if type(key) is not str:
        raise _RefusedError(f"has the key {key!r}, a {_kind_name(type(key))}: keys must be text")
    if key.startswith(RESERVED_PREFIX):
        raise _RefusedError(
            f"has the key {key!r}: keys that begin with {RESERVED_PREFIX} are reserved"
        )


def _refuse_reserved(value: Any) -> None:
    """A typed value was written by a newer version, which this one cannot read."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in item:
                if key.startswith(RESERVED_PREFIX):
                    raise DeserializationError(
                        f"this version does not know the type marked {key!r}"
                    )
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _kind_name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
