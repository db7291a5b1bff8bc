"""What travels in arguments, what is refused, and in which words."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from queuekit.arguments import dump, encode, load
from queuekit.errors import DeserializationError, SerializationError
from tests.naming import case_name
from tests.unit import argument_samples as samples
from tests.unit.argument_samples import Money, Number, Plain, Real, Table, Text, Words

PointTuple = namedtuple("PointTuple", "x y")

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


CANNOT_TRAVEL = ", which cannot travel: pass its id or what it is made of, or register "
REFUSED: list[tuple[Any, str]] = [
    (Text("x"), f"is a {samples.__name__}.Text{CANNOT_TRAVEL}"),
    (Number(1), f"is a {samples.__name__}.Number{CANNOT_TRAVEL}"),
    (Real(1), f"is a {samples.__name__}.Real{CANNOT_TRAVEL}"),
    (Words(), f"is a {samples.__name__}.Words{CANNOT_TRAVEL}"),
    (Table(), f"is a {samples.__name__}.Table{CANNOT_TRAVEL}"),
    (PointTuple(1, 2), f"is a {__name__}.PointTuple{CANNOT_TRAVEL}"),
    (OrderedDict(a=1), f"is a collections.OrderedDict{CANNOT_TRAVEL}"),
    (Plain(), f"is a {samples.__name__}.Plain{CANNOT_TRAVEL}"),
    (object(), f"is a object{CANNOT_TRAVEL}"),
    (len, f"is a builtin_function_or_method{CANNOT_TRAVEL}"),
    (bytearray(b"x"), f"is a bytearray{CANNOT_TRAVEL}"),
    (1j, f"is a complex{CANNOT_TRAVEL}"),
    (ValueError("x"), f"is a ValueError{CANNOT_TRAVEL}"),
    ({1: 2}, "has the key 1, a int: keys must be text"),
    ({None: 2}, "has the key None, a NoneType: keys must be text"),
    ({"_queuekit": 1}, "has the key '_queuekit': keys that begin with _queuekit are reserved"),
    (
        {"_queuekit_set": 1},
        "has the key '_queuekit_set': keys that begin with _queuekit are reserved",
    ),
]


@pytest.mark.parametrize(
    ("value", "problem"), REFUSED, ids=lambda given: case_name(repr(given), 40)
)
def test_anything_else_is_refused_with_the_arguments_name(value: Any, problem: str) -> None:
    for args, kwargs, place in [
        ([value], {}, "first"),
        ([1, value], {}, "second"),
        ([1, 2, value], {}, "number 3"),
        ([], {"named": value}, "named"),
        ([[1, [value]]], {}, "first[1][0]"),
        ([], {"named": {"key": [value]}}, "named['key'][0]"),
        ([(1, (value,))], {}, "first[1][0]"),
        ([], {"named": Money.Range(0, [value])}, "named.high[0]"),
    ]:
        with pytest.raises(SerializationError) as raised:
            dump(args, kwargs, ["first", "second"])
        assert str(raised.value).startswith(f"argument {place} {problem}")


def test_a_set_says_that_one_of_its_elements_is_refused() -> None:
    with pytest.raises(SerializationError, match=r"^argument ids\{\.\.\.\} is a .*Plain, which"):
        dump([{1, Plain()}], {}, ["ids"])


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
            '{"args":[[{"_queuekit":"money","values":[]}]],"kwargs":{}}',
            "this version does not know the type 'money'",
        ),
        (
            '{"args":[{"_queuekit":{"a":1}}],"kwargs":{}}',
            "this version does not know the type {'a': 1}",
        ),
        (
            '{"args":[{"_queuekit":null}],"kwargs":{}}',
            "this version does not know the type None",
        ),
        (
            '{"args":[{"_queuekit":"set","values":[],"order":1}],"kwargs":{}}',
            "this version does not know a set of order, values",
        ),
        (
            '{"args":[{"_queuekit":"set"}],"kwargs":{}}',
            "this version does not know a set of nothing",
        ),
        (
            '{"args":[{"_queuekit":"set","values":[[]]}],"kwargs":{}}',
            "a stored set cannot be read: unhashable type: 'list'",
        ),
        (
            '{"args":[{"_queuekit":"tuple","values":{}}],"kwargs":{}}',
            "a stored tuple cannot be read: its values are not a list",
        ),
        (
            '{"args":[{"_queuekit":"date","value":"31.1.2026"}],"kwargs":{}}',
            "a stored date cannot be read: ",
        ),
        (
            '{"args":[{"_queuekit":"datetime","value":"2026-01-31T09:00","zone":"../x"}],"kwargs":{}}',
            "a stored datetime cannot be read: ZoneInfo keys ",
        ),
        (
            '{"args":[{"_queuekit":"time","value":"09:00","zone":"Europe"}],"kwargs":{}}',
            "a stored time cannot be read: no time zone 'Europe' is known here",
        ),
        (
            '{"args":[NaN],"kwargs":{}}',
            "the stored arguments are not JSON: it has no NaN",
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
