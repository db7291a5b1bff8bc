"""From the text that is stored to arguments.

Whoever can write a row decides what is read here: every step names what it expects.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from queuekit.arguments import objects, records, serializers, values
from queuekit.arguments.forms import MARK, PLAIN, RESERVED_PREFIX, Form
from queuekit.arguments.storing import MAX_DEPTH
from queuekit.errors import DeserializationError, RecordNotFound

#: A tuple is an object with a list in it: two of JSON's levels for one of the value's.
_MAX_DEPTH = 2 * MAX_DEPTH + 1

_FORMS: dict[str, Form] = {
    form.name: form for form in (*values.FORMS, *objects.FORMS, *records.FORMS, *serializers.FORMS)
}


def load(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Stored arguments as values.

    Raises DeserializationError when the text is not what `dump` writes, and RecordNotFound.
    """
    try:
        stored = _decode(text)
    except (ValueError, RecursionError) as error:
        raise DeserializationError(f"the stored arguments are not JSON: {error}") from error
    if not isinstance(stored, dict) or stored.keys() - _OPTIONAL != _DOCUMENT:
        raise DeserializationError("the stored arguments are not an object of args and kwargs")
    args, kwargs = stored["args"], stored["kwargs"]
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise DeserializationError("the stored args are not a list, or the kwargs not an object")
    place: int | str = 0
    try:
        for place, value in enumerate(args):
            if type(value) not in PLAIN:
                args[place] = _loaded(value, 0)
        for place, value in kwargs.items():
            if type(value) not in PLAIN:
                kwargs[place] = _loaded(value, 0)
    except DeserializationError as error:
        if place in stored.get("redact", ()):
            raise _without_secret(error) from None
        raise
    return args, kwargs


def _without_secret(error: DeserializationError) -> DeserializationError:
    kind = RecordNotFound if isinstance(error, RecordNotFound) else DeserializationError
    return kind("an argument cannot be read back; it is redacted, so no more is said of it")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it has no {name}")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
_DOCUMENT = {"args", "kwargs"}
_OPTIONAL = {"redact"}  # for those who show it: see describing.py
_UNMARKED = object()


def _loaded(value: Any, depth: int) -> Any:
    """Lists and dicts stay the ones they are; what is in them is replaced where it is typed."""
    if depth > _MAX_DEPTH:
        raise DeserializationError("the stored arguments are nested too deeply")
    if type(value) is list:
        for position, item in enumerate(value):
            if type(item) not in PLAIN:
                value[position] = _loaded(item, depth + 1)
    elif type(value) is dict:
        name = value.pop(MARK, _UNMARKED)
        for key, item in value.items():
            if key.startswith(RESERVED_PREFIX):
                raise DeserializationError(f"this version does not know the type marked {key!r}")
            if type(item) not in PLAIN:
                value[key] = _loaded(item, depth + 1)
        if name is not _UNMARKED:
            return _typed(name, value)
    return value


def _typed(name: Any, stored: dict[str, Any]) -> Any:
    form = _FORMS.get(name) if isinstance(name, str) else None
    if form is None:
        raise DeserializationError(f"this version does not know the type {name!r}")
    if not form.takes(set(stored)):
        raise DeserializationError(
            f"this version does not know a {name} of {', '.join(sorted(stored)) or 'nothing'}"
        )
    try:
        return form.load(stored)
    except form.misfits as error:
        raise DeserializationError(f"a stored {name} cannot be read: {error}") from error
