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
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from queuekit.errors import DeserializationError, SerializationError

RESERVED_PREFIX = "_queuekit"

_PLAIN = frozenset({type(None), bool, int, str})

#: Deeper than this a value is refused: readers in other languages, and C stacks, give up somewhere.
_MAX_DEPTH = 100

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

#: The positional arguments' names, asked for only when something has to be refused.
Names = Callable[[], Iterable[str]]


def dump(args: Sequence[Any], kwargs: dict[str, Any], names: Names = tuple) -> str:
    """Arguments as they are stored.

    Raises SerializationError, which names the argument and the place in it.
    """
    for position, value in enumerate(args):
        if type(value) not in _PLAIN:
            _check(value, lambda position=position: _name(position, names), 0)  # type: ignore[misc]
    for name, value in kwargs.items():
        if type(value) not in _PLAIN:
            _check(value, lambda name=name: name, 0)  # type: ignore[misc]
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


def _check(value: Any, place: Callable[[], str], depth: int) -> None:
    """Refuse what JSON cannot say. `place` tells where we are, in words made only when needed."""
    kind = type(value)
    if kind in _PLAIN:
        return
    if depth > _MAX_DEPTH:
        raise SerializationError(
            f"argument {place()[:100]}... is nested deeper than {_MAX_DEPTH} levels, or holds itself"
        )
    if kind is float:
        _check_float(value, place)
    elif kind is list:
        for index, item in enumerate(value):
            _check(item, lambda index=index: f"{place()}[{index}]", depth + 1)  # type: ignore[misc]
    elif kind is dict:
        _check_dict(value, place, depth)
    else:
        raise SerializationError(
            f"argument {place()} is a {_kind_name(kind)}, which cannot travel: pass None, bool, int, "
            "float, str, or lists and dicts of them"
        )


def _check_float(value: float, place: Callable[[], str]) -> None:
    if not math.isfinite(value):
        raise SerializationError(f"argument {place()} is {value}, which JSON cannot say")


def _check_dict(value: dict[Any, Any], place: Callable[[], str], depth: int) -> None:
    for key, item in value.items():
        if type(key) is not str:
            raise SerializationError(
                f"argument {place()} has the key {key!r}, a {_kind_name(type(key))}: "
                "keys must be text"
            )
        if key.startswith(RESERVED_PREFIX):
            raise SerializationError(
                f"argument {place()} has the key {key!r}: keys that begin with "
                f"{RESERVED_PREFIX} are reserved"
            )
        _check(item, lambda key=key: f"{place()}[{key!r}]", depth + 1)  # type: ignore[misc]


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


def _name(position: int, names: Names) -> str:
    known = list(names())
    return known[position] if position < len(known) else f"number {position + 1}"


def _kind_name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
