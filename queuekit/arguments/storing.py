"""From arguments to the text that is stored.

Most arguments are plain, and those are written as they are: only what JSON cannot say is copied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from queuekit.arguments import objects, records, serializers
from queuekit.arguments.forms import (
    PLAIN,
    RESERVED_PREFIX,
    Inner,
    RefusedError,
    Store,
    check_key,
)
from queuekit.arguments.values import STORES
from queuekit.errors import SerializationError
from queuekit.names import kind_name

#: Deeper than this a value is refused: readers in other languages, and C stacks, give up somewhere.
MAX_DEPTH = 100

#: How much of a place inside an argument an error shows.
_PLACE_LIMIT = 120


def _encoding() -> Callable[[Any, int], Iterable[str]]:
    """What gives a value as pieces of JSON: JSONEncoder's own, which it makes anew for each value.
    That takes longer than to encode a few arguments."""
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    parts: Any = json.encoder
    try:
        pieces: Callable[[Any, int], Iterable[str]] = parts.c_make_encoder(
            None, encoder.default, parts.encode_basestring, None, ":", ",", False, False, True
        )
    except (AttributeError, TypeError):  # a standard library that has other parts, or none in C
        return lambda value, _: (encoder.encode(value),)
    return pieces


_pieces = _encoding()
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def dump(
    args: Sequence[Any],
    kwargs: dict[str, Any],
    names: Sequence[str] = (),
    redact: Sequence[str | int] = (),
) -> str:
    """Arguments as they are stored. `names` are what the positional ones are called, for errors;
    `redact` the names and positions that are to be hidden wherever the arguments are shown.

    Raises SerializationError, which names the argument and the place in it.
    """
    if redact:
        return _dump_redacted(args, kwargs, names, redact)
    for position, value in enumerate(args):
        if type(value) not in PLAIN and not (type(value) is float and isfinite(value)):
            args = _stored_args(args, position, names)
            break
    for value in kwargs.values():
        if type(value) not in PLAIN:
            kwargs = {name: _stored_argument(name, value) for name, value in kwargs.items()}
            break
    try:
        return f'{{"args":{encode(args)},"kwargs":{encode(kwargs) if kwargs else "{}"}}}'
    except ValueError as error:  # an int of more digits than Python turns into text
        raise SerializationError(f"the arguments cannot be written as JSON: {error}") from error


def _dump_redacted(
    args: Sequence[Any],
    kwargs: dict[str, Any],
    names: Sequence[str],
    redact: Sequence[str | int],
) -> str:
    """What is to be hidden stands first, so that it can be told of a text that was cut off."""
    try:
        text = dump(args, kwargs, names)
    except SerializationError as error:
        for hidden in redact:
            name = hidden if isinstance(hidden, str) else f"number {hidden + 1}"
            if name in str(error):
                raise SerializationError(
                    f"argument {name} cannot travel; it is redacted, so no more is said of it"
                ) from None
        raise
    return f'{{"redact":{encode(redact)},{text[1:]}'


def encode(value: Any) -> str:
    """A value as JSON that every database stores unchanged.

    Readable (other scripts as they are) but for control characters, NUL among them, and lone
    surrogates, which no database would take.
    """
    text = "".join(_pieces(value, 0))
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _encode_ascii(value)
    return text


def _stored_args(args: Sequence[Any], first: int, names: Sequence[str]) -> list[Any]:
    stored = list(args)
    for position in range(first, len(stored)):
        named = position < len(names)
        name = names[position] if named else f"number {position + 1}"
        stored[position] = _stored_argument(name, stored[position])
    return stored


def _stored_argument(name: str, value: Any) -> Any:
    try:
        return _stored(value, 0)
    except RefusedError as refused:
        place = (name + refused.place)[:_PLACE_LIMIT]
        raise SerializationError(f"argument {place} {refused.problem}") from refused.__cause__
    except RecursionError:
        raise SerializationError(f"argument {name} is nested too deeply for the stack") from None


def _stored(value: Any, depth: int) -> Any:
    """The value itself where JSON can say it, else what stands for it."""
    kind = type(value)
    if kind in PLAIN or (kind is float and isfinite(value)):
        return value
    if depth > MAX_DEPTH:
        raise RefusedError(f"is nested deeper than {MAX_DEPTH} levels, or holds itself")
    if kind is list:
        return _stored_list(value, depth + 1)
    if kind is dict:
        return _stored_dict(value, depth + 1)
    store = STORES.get(kind) or _store_for(value)
    return store(value, _inner(depth + 1))


def _stored_list(values: list[Any], depth: int) -> list[Any]:
    stored = values
    for position, item in enumerate(values):
        if type(item) in PLAIN:
            continue
        try:
            new = _stored(item, depth)
        except RefusedError as refused:
            refused.place = f"[{position}]{refused.place}"
            raise
        if new is not item:
            if stored is values:
                stored = values.copy()
            stored[position] = new
    return stored


def _stored_dict(values: dict[str, Any], depth: int) -> dict[str, Any]:
    stored = values
    for key, item in values.items():
        if type(key) is not str or key.startswith(RESERVED_PREFIX):
            check_key(key)
        if type(item) in PLAIN:
            continue
        try:
            new = _stored(item, depth)
        except RefusedError as refused:
            refused.place = f"[{key!r}]{refused.place}"
            raise
        if new is not item:
            if stored is values:
                stored = values.copy()
            stored[key] = new
    return stored


def _inner(depth: int) -> Inner:
    def store(item: Any, place: str) -> Any:
        try:
            return _stored(item, depth)
        except RefusedError as refused:
            refused.place = f"{place}{refused.place}"
            raise

    return store


def _store_for(value: Any) -> Store:
    store = serializers.store_for(value) or records.store_for(value) or objects.store_for(value)
    if store is None:
        raise RefusedError(
            f"is a {kind_name(type(value))}, which cannot travel: pass its id or what it is made "
            "of, or register a locator or a serializer for its class"
        )
    return store
