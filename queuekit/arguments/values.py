"""The standard library's types that JSON has no words for, each with its stored form."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from queuekit.arguments.forms import (
    MARK,
    PLAIN,
    Form,
    Inner,
    RefusedError,
    Store,
    items,
    number,
    text,
)
from queuekit.names import kind_name

#: A thread may have told its own context to make NaN of what is no number.
_STRICT = Context(traps=[InvalidOperation])

_NOT_FINITE = {"nan", "inf", "-inf"}


def _as_text(
    name: str, write: Callable[[Any], str], read: Callable[[str], Any]
) -> tuple[Store, Form]:
    def store(value: Any, inner: Inner) -> dict[str, Any]:
        return {MARK: name, "value": write(value)}

    def load(stored: dict[str, Any]) -> Any:
        return read(text(stored, "value"))

    return store, Form(name, frozenset({"value"}), load)


def _read_float(value: str) -> float:
    if value not in _NOT_FINITE:
        raise ValueError("it is none of nan, inf and -inf")
    return float(value)


def _read_decimal(value: str) -> Decimal:
    return Decimal(value, _STRICT)


# Times


def _store_datetime(value: datetime, inner: Inner) -> dict[str, Any]:
    return {MARK: "datetime", **_moment(value)}


def _store_time(value: time, inner: Inner) -> dict[str, Any]:
    return {MARK: "time", **_moment(value)}


def _moment(value: datetime | time) -> dict[str, Any]:
    """What the clock on the wall shows, and where: a zone's rules may change until the job runs."""
    zone = value.tzinfo
    moment: dict[str, Any] = {"value": value.isoformat()}
    if type(zone) is ZoneInfo and zone.key is not None:
        moment = {"value": value.replace(tzinfo=None).isoformat(), "zone": zone.key}
    elif type(zone) is timezone:
        name = zone.tzname(None)
        if name != timezone(zone.utcoffset(None)).tzname(None):
            moment["tzname"] = name
    elif zone is not None:
        raise RefusedError(
            f"has as its time zone a {kind_name(type(zone))}, which cannot travel: "
            "use a zoneinfo.ZoneInfo with a key, or a datetime.timezone"
        )
    if value.fold:
        moment["fold"] = 1
    return moment


def _load_datetime(stored: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(text(stored, "value"))
    return value.replace(tzinfo=_zone(value, stored), fold=stored.get("fold", 0))


def _load_time(stored: dict[str, Any]) -> time:
    value = time.fromisoformat(text(stored, "value"))
    return value.replace(tzinfo=_zone(value, stored), fold=stored.get("fold", 0))


def _zone(value: datetime | time, stored: dict[str, Any]) -> Any:
    if "zone" in stored:
        if value.tzinfo is not None or "tzname" in stored:
            raise ValueError("it has both a zone and an offset")
        return _named_zone(text(stored, "zone"))
    if "tzname" in stored:
        offset = value.utcoffset()
        if offset is None:
            raise ValueError("it has a zone's name and no offset")
        return timezone(offset, text(stored, "tzname"))
    return value.tzinfo


def _named_zone(key: str) -> ZoneInfo:
    """A zone of the system or of the package tzdata: zoneinfo lets no key lead elsewhere."""
    try:
        return ZoneInfo(key)
    except OSError as error:  # a folder of zones, say
        raise ValueError(f"no time zone {key!r} is known here") from error


def _store_timedelta(value: timedelta, inner: Inner) -> dict[str, Any]:
    return {
        MARK: "timedelta",
        "days": value.days,
        "seconds": value.seconds,
        "microseconds": value.microseconds,
    }


def _load_timedelta(stored: dict[str, Any]) -> timedelta:
    return timedelta(
        number(stored, "days"), number(stored, "seconds"), number(stored, "microseconds")
    )


# Bytes and collections


def _store_bytes(value: bytes, inner: Inner) -> dict[str, Any]:
    return {MARK: "bytes", "base64": base64.b64encode(value).decode()}


def _load_bytes(stored: dict[str, Any]) -> bytes:
    return base64.b64decode(text(stored, "base64"), validate=True)


def _store_range(value: range, inner: Inner) -> dict[str, Any]:
    return {MARK: "range", "start": value.start, "stop": value.stop, "step": value.step}


def _load_range(stored: dict[str, Any]) -> range:
    return range(number(stored, "start"), number(stored, "stop"), number(stored, "step"))


def _store_tuple(value: tuple[Any, ...], inner: Inner) -> dict[str, Any]:
    values = [inner(item, f"[{position}]") for position, item in enumerate(value)]
    return {MARK: "tuple", "values": values}


def _store_set(value: set[Any], inner: Inner) -> dict[str, Any]:
    return {MARK: "set", "values": _sorted(value, inner)}


def _store_frozenset(value: frozenset[Any], inner: Inner) -> dict[str, Any]:
    return {MARK: "frozenset", "values": _sorted(value, inner)}


def _sorted(values: Iterable[Any], inner: Inner) -> list[Any]:
    """In the order of their texts, so that equal sets are equal texts in every process."""
    stored = [inner(item, "{...}") for item in values]
    try:
        return sorted(stored, key=json.dumps)
    except ValueError as error:  # an int of more digits than Python turns into text
        raise RefusedError(f"cannot be written as JSON: {error}") from error


def _collection(name: str, make: Callable[[list[Any]], Any]) -> Form:
    return Form(name, frozenset({"values"}), lambda stored: make(items(stored, "values")))


_float = _as_text("float", str, _read_float)
_decimal = _as_text("decimal", str, _read_decimal)
_date = _as_text("date", date.isoformat, date.fromisoformat)
_uuid = _as_text("uuid", str, UUID)

_MOMENT = frozenset({"value"}), frozenset({"zone", "tzname", "fold"})

#: By exact type: a subclass would come back as what it is not. Floats only where JSON has no word.
STORES: dict[type, Store] = {
    float: _float[0],
    Decimal: _decimal[0],
    date: _date[0],
    datetime: _store_datetime,
    time: _store_time,
    timedelta: _store_timedelta,
    UUID: _uuid[0],
    bytes: _store_bytes,
    range: _store_range,
    tuple: _store_tuple,
    set: _store_set,
    frozenset: _store_frozenset,
}

#: What travels by itself: nobody may say otherwise, what is stored already depends on it.
BUILT_IN = PLAIN | STORES.keys() | {list, dict, type, object}

FORMS = [
    _float[1],
    _decimal[1],
    _date[1],
    Form("datetime", _MOMENT[0], _load_datetime, _MOMENT[1]),
    Form("time", _MOMENT[0], _load_time, _MOMENT[1]),
    Form("timedelta", frozenset({"days", "seconds", "microseconds"}), _load_timedelta),
    _uuid[1],
    Form("bytes", frozenset({"base64"}), _load_bytes),
    Form("range", frozenset({"start", "stop", "step"}), _load_range),
    _collection("tuple", tuple),
    _collection("set", set),
    _collection("frozenset", frozenset),
]
