"""Classes, enums and dataclasses: what is kept of them, and what a row cannot make of that."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from queuekit.arguments import dump, load
from queuekit.errors import DeserializationError, SerializationError
from tests.unit import argument_samples as samples
from tests.unit.argument_samples import (
    Colour,
    CountedError,
    Doubling,
    Money,
    Odd,
    Order,
    Picky,
    Reserved,
    Scaled,
)

HERE = samples.__name__


def stored(kind: str, /, **fields: Any) -> str:
    return json.dumps({"args": [{"_queuekit": kind, **fields}], "kwargs": {}})


def loaded(text: str) -> Any:
    (value,), _ = load(text)
    return value


# Dataclasses


def test_post_init_runs_and_the_fields_are_those_that_were_sent() -> None:
    sent = Doubling(21)
    assert sent.value == 42

    again = loaded(dump([sent], {}))

    assert again == sent
    assert again.value == 42


def test_a_derived_field_has_the_value_that_was_sent() -> None:
    order = Order(lines=[1, 2])
    order.total = 99

    assert loaded(dump([order], {})).total == 99


def test_a_derived_field_that_was_never_set_stays_so() -> None:
    order = Order(lines=[])
    del order.total

    assert loaded(dump([order], {})).total == 0


def test_a_field_that_was_added_since_has_its_default() -> None:
    text = stored("dataclass", **{"class": f"{HERE}:Money", "fields": {"amount": 5}})

    assert loaded(text) == Money(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"amount": 1, "colour": 2}, f"{HERE}.Money has no field colour"),
        ({"currency": "EUR"}, "Money.__init__() missing 1 required positional argument: 'amount'"),
        ([], "its fields are not an object"),
    ],
)
def test_fields_that_do_not_fit_are_said(fields: Any, problem: str) -> None:
    with pytest.raises(DeserializationError) as raised:
        load(stored("dataclass", **{"class": f"{HERE}:Money", "fields": fields}))

    assert str(raised.value) == f"a stored dataclass cannot be read: {problem}"


def test_what_post_init_refuses_is_said_with_its_cause() -> None:
    with pytest.raises(DeserializationError, match=r"Picky: less than nothing") as raised:
        load(stored("dataclass", **{"class": f"{HERE}:Picky", "fields": {"value": -1}}))

    assert isinstance(raised.value.__cause__, ValueError)
    assert loaded(dump([Picky(1)], {})) == Picky(1)


@dataclass
class Here:
    value: int


def local_class() -> type:
    @dataclass
    class Local:
        value: int

    return Local


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            Scaled(1, 2),
            "cannot be made again from its fields: missing a required argument: 'scale'",
        ),
        (Odd("1"), "cannot be made again from its fields: missing a required argument: 'text'"),
        (CountedError(1), "is also a Exception: its fields are not all of it"),
        (Reserved(1), "has the key '_queuekit': keys that begin with _queuekit are reserved"),
        (local_class()(1), "defined inside a function, where a worker cannot find it"),
        (local_class(), "defined inside a function, where a worker cannot find it"),
    ],
    ids=repr,
)
def test_a_dataclass_that_could_not_come_back_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(SerializationError) as raised:
        dump([value], {}, ["value"])

    assert str(raised.value).startswith("argument value ")
    assert problem in str(raised.value)


def test_a_class_that_another_one_has_replaced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    value = Here(1)
    monkeypatch.setitem(globals(), "Here", Money)

    with pytest.raises(SerializationError, match=f"is not what {__name__} has under that name"):
        dump([value], {})


def test_a_field_without_a_value_is_refused() -> None:
    value = Here(1)
    del value.value

    with pytest.raises(SerializationError, match="argument here has no value for its field value"):
        dump([value], {}, ["here"])


def test_a_class_in_a_script_is_refused_and_in_a_module_run_with_m_travels(tmp_path: Path) -> None:
    Path(tmp_path, "shop.py").write_text(
        "import enum\nfrom queuekit.arguments import dump\n"
        "class Size(enum.Enum):\n    S = 1\n"
        "print(dump([Size.S], {}, ['size']))\n"
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(samples.__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    assert "argument size needs the class __main__.Size, defined in the script" in run("shop.py")
    assert '"class":"shop:Size","name":"S"' in run("-m", "shop")


# What a row cannot do


@pytest.mark.parametrize("name", ["class", "enum", "flag", "dataclass"])
def test_no_row_imports_a_module(name: str) -> None:
    more = {"enum": {"name": "A"}, "flag": {"names": []}, "dataclass": {"fields": {}}, "class": {}}
    assert "this" not in sys.modules

    with pytest.raises(DeserializationError) as raised:
        load(stored(name, **{"class": "this:Zen"}, **more[name]))

    assert str(raised.value) == (
        "the class this:Zen is not among what this process has imported: list this under imports"
    )
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "path",
    [
        "os:system",  # a function
        "os:path",  # a module
        "os:sys.modules",  # by way of another module
        "json:decoder.JSONDecoder",
        "json:JSONDecoder",  # a class, under a name that is not its own
        f"{HERE}:Money.currency",  # an attribute
        f"{HERE}:Money.__init__.__globals__",
        f"{HERE}:Colour.RED",
        f"{HERE}:Money.",
        f"{HERE}:",
        HERE,
        f"{HERE}:Nothing",
        f"{HERE}:Money:Range",
    ],
)
def test_a_path_that_is_no_classs_own_leads_nowhere(path: str) -> None:
    with pytest.raises(DeserializationError, match="is imported and has no class"):
        load(stored("class", **{"class": path}))


@pytest.mark.parametrize("path", ["", ":", ":Money", "..:x", 5, None, [], {"a": 1}])
def test_a_path_that_is_none_is_said(path: Any) -> None:
    with pytest.raises(DeserializationError):
        load(stored("class", **{"class": path}))


def test_looking_a_class_up_runs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watchful(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    module = Watchful("watchful")
    monkeypatch.setitem(sys.modules, "watchful", module)

    with pytest.raises(DeserializationError, match="watchful is imported and has no class Lazy"):
        load(stored("class", **{"class": "watchful:Lazy"}))


@pytest.mark.parametrize(
    ("name", "fields", "problem"),
    [
        ("dataclass", {"class": f"{HERE}:Plain", "fields": {}}, f"{HERE}.Plain is not one"),
        ("dataclass", {"class": "subprocess:Popen", "fields": {"args": "touch hacked"}}, "is not"),
        ("dataclass", {"class": f"{HERE}:Colour", "fields": {}}, f"{HERE}.Colour is not one"),
        ("enum", {"class": f"{HERE}:Money", "name": "x"}, f"{HERE}.Money is not one"),
        ("enum", {"class": f"{HERE}:Colour", "name": "BLUE"}, "Colour has no member 'BLUE'"),
        ("enum", {"class": f"{HERE}:Colour", "name": "mro"}, "Colour has no member 'mro'"),
        ("flag", {"class": f"{HERE}:Colour", "names": ["RED"]}, f"{HERE}.Colour is not one"),
        ("flag", {"class": f"{HERE}:Access", "names": ["SLEEP"]}, "has no member 'SLEEP'"),
        ("flag", {"class": f"{HERE}:Access", "names": [], "bits": 64}, "invalid value 64"),
    ],
)
def test_a_class_of_another_kind_is_not_used(name: str, fields: Any, problem: str) -> None:
    with pytest.raises(DeserializationError) as raised:
        load(stored(name, **fields))

    assert str(raised.value).startswith(f"a stored {name} cannot be read: ")
    assert problem in str(raised.value)


def test_an_enum_value_that_is_no_member_is_refused() -> None:
    stranger = object.__new__(Colour)
    stranger._name_, stranger._value_ = "STRANGER", 9

    assert isinstance(stranger, enum.Enum)
    with pytest.raises(SerializationError, match=r"is a .*Colour that is not among its members"):
        dump([stranger], {})
