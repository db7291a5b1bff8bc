"""Custom serializers: how an application lets types of its own, or of its libraries, travel.

    queuekit.register_serializer(
        Money,
        name="money",
        dump=lambda money: [money.cents, money.currency],
        load=lambda stored: Money(*stored),
    )

What is stored is the name and what `dump` returned, never code or a path to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from queuekit.arguments.forms import MARK, Form, Inner, RefusedError, Store, text
from queuekit.arguments.values import BUILT_IN
from queuekit.errors import ConfigurationError, DeserializationError
from queuekit.names import kind_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Serializer:
    cls: type
    name: str
    dump: Callable[[Any], object]
    load: Callable[[Any], Any]
    subclasses: bool


_by_name: dict[str, _Serializer] = {}
_by_class: dict[type, _Serializer] = {}


def register_serializer(
    cls: type[T],
    *,
    name: str,
    dump: Callable[[T], object],
    load: Callable[[Any], T],
    subclasses: bool = False,
) -> None:
    """Let values of this class travel as what `dump` makes of them: anything that travels itself.

    `load` gets that back. With `subclasses`, values of subclasses are dumped too, unless these have
    a serializer of their own; `dump` then has to keep what `load` needs to make the same type.

    Raises ConfigurationError.
    """
    if not isinstance(cls, type) or cls in BUILT_IN:
        raise ConfigurationError(f"serializer {name!r}: {cls!r} cannot have one")
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"the serializer of {kind_name(cls)} needs a name, not {name!r}")
    for other in (_by_name.get(name), _by_class.get(cls)):
        # The same class again is its module being imported again.
        if other is not None and (other.name, kind_name(other.cls)) != (name, kind_name(cls)):
            raise ConfigurationError(
                f"serializer {name!r} for {kind_name(cls)}: there is one named {other.name!r} "
                f"for {kind_name(other.cls)}"
            )
    _by_name[name] = _by_class[cls] = _Serializer(cls, name, dump, load, subclasses)


def store_for(value: Any) -> Store | None:
    return None if _serializer(type(value)) is None else _store


def _serializer(kind: type) -> _Serializer | None:
    for base in kind.__mro__:
        found = _by_class.get(base)
        if found is not None and (base is kind or found.subclasses):
            return found
    return None


def _store(value: Any, inner: Inner) -> dict[str, Any]:
    serializer = _serializer(type(value))
    assert serializer is not None
    try:
        dumped = serializer.dump(value)
    except Exception as error:
        raise RefusedError(
            f"is a {kind_name(type(value))}, whose serializer {serializer.name} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return {MARK: "serializer", "name": serializer.name, "value": inner(dumped, ", as dumped,")}


def _load(stored: dict[str, Any]) -> Any:
    name = text(stored, "name")
    serializer = _by_name.get(name)
    if serializer is None:
        raise DeserializationError(
            f"no serializer is named {name!r} here: list the module that registers it under imports"
        )
    return serializer.load(stored["value"])


FORMS = [Form("serializer", frozenset({"name", "value"}), _load)]
