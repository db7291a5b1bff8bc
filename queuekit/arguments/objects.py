"""Classes, members of enums, and dataclasses: what travels under the path of a class.

A dataclass is rebuilt by calling it with its fields, so that its `__init__` and `__post_init__` do
what they always do. Then each field is given the stored value, whatever those two made of it: what
comes back is what was sent.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from enum import Enum, Flag
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from queuekit.arguments import classes
from queuekit.arguments.forms import (
    MARK,
    Form,
    Inner,
    RefusedError,
    Store,
    check_key,
    items,
    number,
    text,
)
from queuekit.names import kind_name

#: Set on classes made by a class statement; those of the interpreter itself do not have it.
_HEAP_TYPE = 1 << 9

_NO_VALUE = object()


def store_for(value: Any) -> Store | None:
    kind = type(value)
    if issubclass(kind, type):
        return _store_class
    if issubclass(kind, Enum):
        return _store_enum
    if dataclasses.is_dataclass(kind):
        return _store_dataclass
    return None


def _store_class(value: type, inner: Inner) -> dict[str, Any]:
    return {MARK: "class", "class": classes.path_of(value)}


def _load_class(stored: dict[str, Any]) -> type:
    return classes.find(text(stored, "class"))


# Enums


def _store_enum(value: Enum, inner: Inner) -> dict[str, Any]:
    kind = type(value)
    path = classes.path_of(kind)
    if kind.__members__.get(value._name_) is value:
        return {MARK: "enum", "class": path, "name": value._name_}
    if isinstance(value, Flag):
        return {MARK: "flag", "class": path, **_bits(value)}
    raise RefusedError(f"is a {kind_name(kind)} that is not among its members")


def _bits(value: Flag) -> dict[str, Any]:
    """The names of its bits, and as a number those that have none."""
    members = [bit for bit in type(value) if bit._value_.bit_count() == 1 and bit in value]
    nameless = value._value_ & ~_united(members)
    bits: dict[str, Any] = {"names": [member._name_ for member in members]}
    return bits | {"bits": nameless} if nameless else bits


def _united(members: Iterable[Flag]) -> int:
    return reduce(or_, (member._value_ for member in members), 0)


def _load_enum(stored: dict[str, Any]) -> Enum:
    member: Enum = _member(_enum(stored, Enum), text(stored, "name"))
    return member


def _load_flag(stored: dict[str, Any]) -> Flag:
    kind = _enum(stored, Flag)
    named = _united(_member(kind, name) for name in items(stored, "names"))
    value: Flag = kind(named | (number(stored, "bits") if "bits" in stored else 0))
    return value


def _member(kind: Any, name: Any) -> Any:
    if name not in kind.__members__:
        raise ValueError(f"{kind_name(kind)} has no member {name!r}")
    return kind.__members__[name]


def _enum(stored: dict[str, Any], base: type) -> Any:
    kind = classes.find(text(stored, "class"))
    if not issubclass(kind, base):
        raise ValueError(f"{kind_name(kind)} is not one")
    return kind


# Dataclasses


def _store_dataclass(value: Any, inner: Inner) -> dict[str, Any]:
    kind: Any = type(value)
    path = classes.path_of(kind)
    if problem := _unbuildable(kind):
        raise RefusedError(f"is a {kind_name(kind)}, which {problem}")
    fields = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name, _NO_VALUE)
        if item is not _NO_VALUE:
            fields[field.name] = inner(item, f".{field.name}")
        elif field.init:
            raise RefusedError(f"has no value for its field {field.name}")
    return {MARK: "dataclass", "class": path, "fields": fields}


@lru_cache(maxsize=1000)
def _unbuildable(kind: Any) -> str | None:
    """Why no value of this dataclass could be made again from its fields."""
    for base in kind.__mro__[:-1]:
        if not base.__flags__ & _HEAP_TYPE:
            return f"is also a {kind_name(base)}: its fields are not all of it"
    for field in dataclasses.fields(kind):
        check_key(field.name)
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    try:
        inspect.signature(kind).bind(**dict.fromkeys(names))
    except TypeError as error:
        return f"cannot be made again from its fields: {error}"
    return None


def _load_dataclass(stored: dict[str, Any]) -> Any:
    kind = classes.find(text(stored, "class"))
    if not dataclasses.is_dataclass(kind):
        raise ValueError(f"{kind_name(kind)} is not one")
    values = stored["fields"]
    if not isinstance(values, dict):
        raise ValueError("its fields are not an object")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := values.keys() - fields.keys():
        raise ValueError(f"{kind_name(kind)} has no field {', '.join(sorted(unknown))}")
    try:
        made = kind(**{name: value for name, value in values.items() if fields[name].init})
    except ValueError as error:
        raise ValueError(f"{kind_name(kind)}: {error}") from error
    for name, value in values.items():
        if getattr(made, name, _NO_VALUE) is not value:
            object.__setattr__(made, name, value)  # frozen ones too
    return made


FORMS = [
    Form("class", frozenset({"class"}), _load_class),
    Form("enum", frozenset({"class", "name"}), _load_enum),
    Form("flag", frozenset({"class", "names"}), _load_flag, frozenset({"bits"})),
    Form("dataclass", frozenset({"class", "fields"}), _load_dataclass),
]
