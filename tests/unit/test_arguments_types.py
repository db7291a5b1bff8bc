"""What JSON has no words for comes back as what it was, type and all."""

from __future__ import annotations

import io
import json
import math
import sys
import zoneinfo
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, getcontext, localcontext
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from queuekit.arguments import dump, load
from queuekit.errors import DeserializationError, SerializationError
from tests.unit.argument_samples import (
    Access,
    Colour,
    Mode,
    Money,
    Mood,
    Order,
    Pair,
    Plain,
    Point,
    Scalable,
    Size,
    Special,
    exact,
)

#: The smallest file of a zone that there is.
UTC_FILE = b"TZif" + bytes(35) + b"\1\0\0\0\4" + bytes(6) + b"UTC\0"

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

TRAVELS: dict[str, Any] = {
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "nan": math.nan,
    "decimals": [
        Decimal(text) for text in ("1.50", "-0", "1E+400", "0E-9", "NaN", "sNaN12", "-Infinity")
    ],
    "a decimal of many digits": Decimal("1." + "3" * 6000),
    "dates": [date.min, date(2026, 1, 31), date.max],
    "naive": [datetime.min, datetime(2026, 1, 31, 9), datetime.max],
    "utc": datetime(2026, 1, 31, 9, 30, 15, 123456, tzinfo=UTC),
    "an offset": datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    "an odd offset": datetime(2026, 1, 31, tzinfo=timezone(-timedelta(seconds=7, microseconds=3))),
    "an offset with a name": datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=1), "CET")),
    "no offset with a name": datetime(2026, 1, 31, tzinfo=timezone(timedelta(0), "GMT")),
    "a zone": datetime(2026, 7, 1, 9, tzinfo=BERLIN),
    "UTC as a zone": datetime(2026, 7, 1, 9, tzinfo=zoneinfo.ZoneInfo("UTC")),
    "the hour that comes twice": [
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)
    ],
    "the hour that never comes": [
        datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)
    ],
    "a fold without a zone": datetime(2026, 1, 31, fold=1),
    "a fold with an offset": datetime(2026, 1, 31, tzinfo=UTC, fold=1),
    "times": [time.min, time.max, time(9, 30, fold=1), time(9, tzinfo=UTC), time(9, tzinfo=BERLIN)],
    "a time with a name": time(9, tzinfo=timezone(timedelta(hours=-3), "ART")),
    "timedeltas": [timedelta.min, timedelta(days=1, hours=2), timedelta(0), timedelta.max],
    "a small negative timedelta": timedelta(microseconds=-1),
    "a uuid": UUID("0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704"),
    "bytes": [b"", b"\0\xff\n", bytes(range(256))],
    "tuples": [(), (1,), (1, (2, [3, (4,)]))],
    "sets": [set(), {1, "a", None, (1, 2), frozenset({3})}, frozenset(), frozenset({math.inf})],
    "ranges": [range(0), range(5), range(10, -5, -3), range(2**70)],
    "enums": [Colour.RED, Colour.GREEN, Colour.CRIMSON, Size.LARGE, Mood.GOOD],
    "an enum in a class": Money.Kind.CASH,
    "flags": [Access.READ, Access.READ | Access.RUN, Access.ALL, Access(0), Pair.BOTH, Pair(0)],
    "int flags": [Mode.OWNER, Mode.OWNER | Mode.GROUP, Mode(0), ~Mode.OWNER, Mode(9)],
    "classes": [Plain, Colour, Money.Range, int, dict, ValueError, zoneinfo.ZoneInfo],
    "a dataclass": Money(Decimal("1.50")),
    "a dataclass in a class": Money.Range(1, (2, 3)),
    "frozen, with slots": Point(1.5, -0.0),
    "frozen in a set": {Point(1.0, 2.0), Point(2.0, 1.0)},
    "keywords only, with a default and a derived field": Order(lines=[(1, 2)], tags={"a"}),
    "nested": Order(lines=[Order(lines=[]), Point(0.0, 1.0)], price=Money(Decimal(3))),
    "generic, with an InitVar that has a default": Scalable(Scalable(5, 2)),
    "a subclass of a dataclass": Special(Decimal(1), "CHF"),
    "in a dict": {"a": {"b": (Decimal(1), {"c": b"x"})}, "plain": [1, {"d": 2}]},
}


@pytest.mark.parametrize("kind", TRAVELS)
def test_typed_values_travel_unchanged(kind: str) -> None:
    value = TRAVELS[kind]

    args, kwargs = load(dump([value, 1], {"named": value, "other": "text"}))

    assert exact(args) == exact([value, 1])
    assert exact(kwargs) == exact({"named": value, "other": "text"})


def test_enqueueing_changes_none_of_the_values() -> None:
    inner = [1, Decimal(2)]
    args, kwargs = [inner, {"a": inner, "b": (1,)}], {"named": inner}
    before = exact((args, kwargs))

    dump(args, kwargs)

    assert exact((args, kwargs)) == before
    assert args[0] is inner


# Anything at all


def is_no_signal(value: Any) -> bool:
    """Whether it can be in a set: a signalling NaN cannot, wherever it is."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


offsets = some.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
zones: some.SearchStrategy[tzinfo | None] = (
    some.none()
    | some.timezones()
    | some.builds(timezone, offsets)
    | some.builds(timezone, offsets, some.text())
)
hashable: some.SearchStrategy[Any] = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(some.characters(codec=None)),
    some.binary(),
    some.decimals(),
    some.dates(),
    some.datetimes(timezones=zones),
    some.datetimes().map(lambda moment: moment.replace(fold=1)),
    some.times(timezones=zones),
    some.timedeltas(),
    some.uuids(),
    some.builds(range, some.integers(), some.integers(), some.integers().filter(bool)),
    some.sampled_from([*Colour, *Size, *Mood]),
    some.integers(0, 7).map(Access),
    some.sampled_from([Plain, Colour, int]),
    some.builds(Point, some.floats(), some.floats()),
)
hashable_values = some.recursive(
    hashable,
    lambda inner: (
        some.tuples(inner, inner)
        | some.frozensets(inner.filter(is_no_signal), max_size=4)
        | some.builds(Money.Range, inner, inner)
    ),
    max_leaves=5,
)
keys = some.text().filter(lambda key: not key.startswith("_queuekit"))
values = some.recursive(
    hashable_values,
    lambda inner: (
        some.lists(inner)
        | some.lists(inner).map(tuple)
        | some.dictionaries(keys, inner)
        | some.sets(hashable_values.filter(is_no_signal), max_size=4)
        | some.builds(Money, some.decimals(), some.text())
        | some.builds(Order, lines=some.lists(inner), price=some.builds(Money, some.decimals()))
    ),
    max_leaves=15,
)


@given(some.lists(values, max_size=4), some.dictionaries(keys, values, max_size=3))
def test_any_value_of_these_types_travels_unchanged(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    stored = dump(args, kwargs)

    stored.encode()
    assert "\0" not in stored
    loaded = load(stored)
    assert exact(loaded[0]) == exact(args)
    assert exact(sorted(loaded[1].items())) == exact(sorted(kwargs.items()))
    assert dump(*loaded) == stored


@given(values)
def test_a_stored_text_that_was_cut_off_is_never_loaded(value: Any) -> None:
    stored = dump([value], {})

    for end in {0, 1, len(stored) // 2, len(stored) - 1}:
        with pytest.raises(DeserializationError):
            load(stored[:end])


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(keys, inner),
    max_leaves=5,
)
NAMES = [
    *("float", "decimal", "date", "datetime", "time", "timedelta", "uuid", "bytes", "tuple"),
    *("set", "frozenset", "range", "class", "enum", "flag", "dataclass", "record", "serializer"),
]
FIELDS = ["value", "values", "class", "name", "names", "fields", "key", "zone", "tzname", "fold"]


@given(some.sampled_from(NAMES), some.dictionaries(some.sampled_from(FIELDS), json_values))
def test_whatever_a_row_says_it_loads_or_is_a_deserialization_error(
    name: str, fields: dict[str, Any]
) -> None:
    text = json.dumps({"args": [{"_queuekit": name, **fields}], "kwargs": {}})
    with suppress(DeserializationError):
        load(text)


# What is not kept is refused


def test_a_zone_that_no_other_process_could_find_is_refused() -> None:
    class Here(tzinfo):
        def utcoffset(self, moment: datetime | None) -> timedelta:
            return timedelta(0)

    with pytest.raises(SerializationError, match=r"^argument at has as its time zone a .*Here, "):
        dump([datetime(2026, 1, 1, tzinfo=Here())], {}, ["at"])

    nameless = zoneinfo.ZoneInfo.from_file(io.BytesIO(UTC_FILE))
    with pytest.raises(SerializationError, match=r"has as its time zone a zoneinfo\.ZoneInfo, "):
        dump([time(9, tzinfo=nameless)], {})


def test_depth_has_a_limit_that_is_no_crash() -> None:
    value: Any = ()
    for _ in range(100):
        value = (value,)
    assert exact(load(dump([value], {}))[0]) == exact([value])

    with pytest.raises(SerializationError, match="nested deeper than 100 levels, or holds itself"):
        dump([(value,)], {})
    ring: list[Any] = []
    ring.append((ring,))
    with pytest.raises(SerializationError, match="nested deeper than 100 levels, or holds itself"):
        dump([ring], {})
    order = Order(lines=[])
    order.lines.append(order)
    with pytest.raises(SerializationError, match="nested deeper than 100 levels, or holds itself"):
        dump([order], {})


def test_deep_text_is_no_crash() -> None:
    for depth in (203, 900, 100_000):
        with pytest.raises(DeserializationError):
            load(f'{{"args":[{"[" * depth}{"]" * depth}],"kwargs":{{}}}}')


def test_little_stack_is_no_recursion_error() -> None:
    value: Any = ()
    for _ in range(99):
        value = (value,)

    def at_the_end_of_the_stack(left: int) -> None:
        if left:
            at_the_end_of_the_stack(left - 1)
        else:
            dump([value], {}, ["deep"])

    depth = sys.getrecursionlimit() - 250
    with pytest.raises(SerializationError, match="argument deep is nested too deeply"):
        at_the_end_of_the_stack(depth)


def test_an_int_that_python_does_not_write_is_refused_in_a_set_too() -> None:
    with pytest.raises(SerializationError, match="argument huge cannot be written as JSON"):
        dump([{10**5000, 1}], {}, ["huge"])


def test_a_threads_decimal_context_does_not_matter() -> None:
    with localcontext(getcontext()) as context:
        context.prec, context.capitals = 2, 0
        context.traps = dict.fromkeys(context.traps, False)
        stored = dump([Decimal("1.2345E+9")], {})
        assert exact(load(stored)[0]) == exact([Decimal("1.2345E+9")])
        with pytest.raises(DeserializationError, match="a stored decimal cannot be read"):
            load('{"args":[{"_queuekit":"decimal","value":"one"}],"kwargs":{}}')
