"""Stored arguments for people: in logs, errors, on the command line. Secrets are left out.

Works on the text, so that a row can be shown whose classes are not imported and whose records are
gone, without anything being looked up. The row itself keeps all values: the job needs them.

What is to be hidden is stored with the arguments (the names and positions under `redact`), or
given. A name hides the argument, and whatever goes by that name inside the others: the key of a
dict, the field of a dataclass. Where it cannot be told what is what, everything is hidden.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from queuekit.arguments.forms import MARK


class _Hidden(str):
    """A text for JSON, and without quotes in a line for people."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_HIDDEN = _Hidden("[redacted]")
_UNREADABLE = _Hidden("[unreadable]")

#: How a text begins that has something to hide, cut off or not.
_REDACTED = '{"redact":'


def describe(
    text: str,
    names: Sequence[str] = (),
    redact: Collection[str] = (),
    limit: int | None = None,
) -> str:
    """Stored arguments on a line: `user_id=42, price=decimal('1.50'), password=[redacted]`.

    `names` are what the positional ones are called, `redact` those to hide. A line longer than
    `limit` is cut.
    """
    stored = redacted(text, names, redact)
    try:
        line = _line(stored, names) if isinstance(stored, dict) else str(stored)
    except RecursionError:
        line = _UNREADABLE
    return line if limit is None or len(line) <= limit else f"{line[:limit]}..."


def redacted(text: str, names: Sequence[str] = (), redact: Collection[str] = ()) -> Any:
    """The stored `{"args": [...], "kwargs": {...}}` with `[redacted]` for what is to be hidden.

    For a text that `dump` did not write: that text, or `[unreadable]` if something is to be hidden.
    """
    hidden = frozenset(redact)
    try:
        stored = json.loads(text)
        document = _document(stored, names, hidden) if _is_document(stored) else None
    except (ValueError, RecursionError):
        document = None
    if document is not None:
        return document
    return _UNREADABLE if hidden or text.startswith(_REDACTED) else text


def _is_document(stored: Any) -> bool:
    return (
        isinstance(stored, dict)
        and stored.keys() - {"redact"} == {"args", "kwargs"}
        and isinstance(stored["args"], list)
        and isinstance(stored["kwargs"], dict)
        and isinstance(stored.get("redact", []), list)
    )


def _document(stored: Any, names: Sequence[str], given: frozenset[str]) -> dict[str, Any]:
    """Of an argument beyond the names nobody can say that it is not one of those given."""
    stored_with = stored.get("redact", [])
    hidden = given.union(name for name in stored_with if isinstance(name, str))
    return {
        "args": [
            _hide(
                value,
                hidden,
                position in stored_with
                or (names[position] in hidden if position < len(names) else bool(given)),
            )
            for position, value in enumerate(stored["args"])
        ],
        "kwargs": {
            name: _hide(value, hidden, name in hidden) for name, value in stored["kwargs"].items()
        },
    }


def _hide(value: Any, hidden: frozenset[str], is_hidden: bool = False) -> Any:
    if is_hidden:
        return _HIDDEN
    elif not hidden:
        return value
    elif isinstance(value, list):
        return [_hide(item, hidden) for item in value]
    elif isinstance(value, dict):
        own = MARK in value  # its keys are those of the stored form, not names that somebody gave
        return {key: _hide(item, hidden, not own and key in hidden) for key, item in value.items()}
    else:
        return value


def _line(stored: dict[str, Any], names: Sequence[str]) -> str:
    args = [_shown(value) for value in stored["args"]]
    named = [f"{name}={value}" for name, value in zip(names, args, strict=False)]
    kwargs = [f"{name}={_shown(value)}" for name, value in stored["kwargs"].items()]
    return ", ".join([*named, *args[len(named) :], *kwargs])


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    elif isinstance(value, dict) and MARK in value:
        parts = [_shown(item) for key, item in value.items() if key != MARK]
        return f"{value[MARK]}({', '.join(parts)})"
    elif isinstance(value, dict):
        parts = [f"{key!r}: {_shown(item)}" for key, item in value.items()]
        return f"{{{', '.join(parts)}}}"
    else:
        return repr(value)
