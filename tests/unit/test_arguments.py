"""What travels in arguments, what is refused, and in which words."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from queuekit.arguments import dump, encode, load
from queuekit.errors import DeserializationError, SerializationError

Point = namedtuple("Point", "x y")


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    """Would come back as a plain str."""


TRAVELS: list[Any] = [
    None,
    True,
    0,
    -1,
    2**200,
    0.1,
    -0.0,
    1e308,
    "",
    "text",
    "NUL \0 and \N{SNOWMAN} and \N{PILE OF POO}",
    "half a pair \ud83d",
    "quote ' \" \\ % %s :name $1 ? `",
    "line\nbreak\r\u2028",
    [],
    [1, [2, [3]]],
    {},
    {"": None, "a": {"b": [1.5, "x"]}, "_private": 1},
]


def plain_key(key: str) -> bool:
    return not key.startswith("_queuekit")


values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(some.characters(codec=None)),
    lambda inner: some.lists(inner) | some.dictionaries(some.text().filter(plain_key), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("value", TRAVELS, ids=repr)
def test_what_json_can_say_travels_unchanged(value: Any) -> None:
    args, kwargs = load(dump([value], {"named": value}))

    assert repr((args, kwargs)) == repr(([value], {"named": value}))


@given(values)
def test_any_value_of_these_types_travels_unchanged(value: Any) -> None:
    stored = dump([value], {"named": value})

    stored.encode()
    assert "\0" not in stored
    assert repr(load(stored)) == repr(([value], {"named": value}))


REFUSED: list[tuple[Any, str]] = [
    ((1, 2), "is a tuple, which cannot travel: "),
    ({1}, "is a set, which cannot travel: "),
    (b"x", "is a bytes, which cannot travel: "),
    (Decimal(1), "is a decimal.Decimal, which cannot travel: "),
    (date(2026, 1, 1), "is a datetime.date, which cannot travel: "),
    (datetime(2026, 1, 1, tzinfo=UTC), "is a datetime.datetime, which cannot travel: "),
    (timedelta(1), "is a datetime.timedelta, which cannot travel: "),
    (Colour.RED, f"is a {__name__}.Colour, which cannot travel: "),
    (Text("x"), f"is a {__name__}.Text, which cannot travel: "),
    (Point(1, 2), f"is a {__name__}.Point, which cannot travel: "),
    (OrderedDict(a=1), "is a collections.OrderedDict, which cannot travel: "),
    (object(), "is a object, which cannot travel: "),
    (len, "is a builtin_function_or_method, which cannot travel: "),
    (math.nan, "is nan, which JSON cannot say"),
    (-math.inf, "is -inf, which JSON cannot say"),
    ({1: 2}, "has the key 1, a int: keys must be text"),
    ({None: 2}, "has the key None, a NoneType: keys must be text"),
    ({"_queuekit": 1}, "has the key '_queuekit': keys that begin with _queuekit are reserved"),
    (
        {"_queuekit_set": 1},
        "has the key '_queuekit_set': keys that begin with _queuekit are reserved",
    ),
]


@pytest.mark.parametrize(("value", "problem"), REFUSED, ids=lambda given: repr(given)[:40])
def test_anything_else_is_refused_with_the_arguments_name(value: Any, problem: str) -> None:
    for args, kwargs, place in [
        ([value], {}, "first"),
        ([1, value], {}, "second"),
        ([1, 2, value], {}, "number 3"),
        ([], {"named": value}, "named"),
        ([[1, [value]]], {}, "first[1][0]"),
        ([], {"named": {"key": [value]}}, "named['key'][0]"),
    ]:
        with pytest.raises(SerializationError) as raised:
            dump(args, kwargs, ["first", "second"])
        assert str(raised.value).startswith(f"argument {place} {problem}")


def test_a_value_that_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)

    with pytest.raises(SerializationError, match="nested deeper than 100 levels, or holds itself"):
        dump([ring], {}, ["ring"])


def test_depth_has_a_limit_that_is_no_crash() -> None:
    assert load(dump([nested(100)], {})) == ([nested(100)], {})
    with pytest.raises(SerializationError, match="nested deeper than 100 levels"):
        dump([nested(102)], {})


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_an_int_that_python_does_not_write_is_refused() -> None:
    with pytest.raises(SerializationError, match="the arguments cannot be written as JSON"):
        dump([10**5000], {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the stored arguments are not JSON: "),
        ("{", "the stored arguments are not JSON: "),
        ("[" * 100_000, "the stored arguments are not JSON: "),
        ("null", "the stored arguments are not an object of args and kwargs"),
        ('{"args":[]}', "the stored arguments are not an object of args and kwargs"),
        (
            '{"args":[],"kwargs":{},"more":1}',
            "the stored arguments are not an object of args and kwargs",
        ),
        ('{"args":1,"kwargs":{}}', "the stored args are not a list, or the kwargs not an object"),
        (
            '{"args":[[{"_queuekit":"set","values":[]}]],"kwargs":{}}',
            "this version does not know the type marked '_queuekit'",
        ),
        (
            '{"args":[],"kwargs":{"a":{"b":{"_queuekit_new":1}}}}',
            "this version does not know the type marked '_queuekit_new'",
        ),
    ],
)
def test_what_dump_never_writes_is_not_loaded(text: str, problem: str) -> None:
    with pytest.raises(DeserializationError) as raised:
        load(text)
    assert str(raised.value).startswith(problem)


def test_stored_text_is_readable_and_free_of_what_databases_refuse() -> None:
    assert encode({"greeting": "Grüße \N{SNOWMAN}"}) == '{"greeting":"Grüße \N{SNOWMAN}"}'
    assert encode("a\0b") == '"a\\u0000b"'
    assert encode("\ud83d") == '"\\ud83d"'
    assert json.loads(encode("\ud83d")) == "\ud83d"
