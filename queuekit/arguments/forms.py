"""What a typed value is: how it is stored, how it is loaded, and in which words it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from queuekit.names import kind_name

#: The key that names a typed value's type, and how the keys begin that are kept for such uses.
MARK = RESERVED_PREFIX = "_queuekit"

#: What JSON can say whatever the value, so that the type alone decides.
PLAIN = frozenset({type(None), bool, int, str})

#: Stores a value that is inside another one. The text is its place there: `[0]`, `.amount`.
Inner = Callable[[Any, str], Any]

#: Makes the object that a typed value is stored as.
Store = Callable[[Any, Inner], dict[str, Any]]

#: What goes wrong when a stored value does not fit its type. A lost connection is not among it:
#: that is nothing for `discard_on=DeserializationError`.
_MISFITS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Form:
    """One type's stored form. `load` gets its keys, with the values in them loaded already.

    What `load` raises is a DeserializationError if it is one of `misfits`, else it passes as it is.
    """

    name: str
    keys: frozenset[str]
    load: Callable[[dict[str, Any]], Any]
    optional: frozenset[str] = frozenset()
    misfits: tuple[type[Exception], ...] = _MISFITS

    def takes(self, keys: set[str]) -> bool:
        return self.keys <= keys and keys <= self.keys | self.optional


class RefusedError(Exception):
    """A value that cannot travel, on its way up: each container it is in adds the place."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.place = ""


def check_key(key: Any) -> None:
    """Refuse a dict's key that JSON cannot say, or that is ours."""
    if type(key) is not str:
        raise RefusedError(f"has the key {key!r}, a {kind_name(type(key))}: keys must be text")
    if key.startswith(RESERVED_PREFIX):
        raise RefusedError(
            f"has the key {key!r}: keys that begin with {RESERVED_PREFIX} are reserved"
        )


def text(stored: dict[str, Any], key: str) -> str:
    value = stored[key]
    if type(value) is not str:
        raise ValueError(f"its {key} is not text")
    return value


def items(stored: dict[str, Any], key: str) -> list[Any]:
    value = stored[key]
    if type(value) is not list:
        raise ValueError(f"its {key} are not a list")
    return value


def number(stored: dict[str, Any], key: str) -> int:
    value = stored[key]
    if type(value) is not int:
        raise ValueError(f"its {key} is not a whole number")
    return value
