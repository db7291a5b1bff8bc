"""What functions and classes are called, in errors and in what is stored. A leaf."""

from __future__ import annotations

from typing import Any


def name_of(function: Any) -> str:
    """A function's name; of what has none, how it is printed."""
    return str(getattr(function, "__qualname__", repr(function)))


def kind_name(kind: type) -> str:
    """With its module, unless it is built in."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
