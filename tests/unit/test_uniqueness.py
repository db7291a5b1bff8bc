"""Uniqueness as jobs declare it: the key that arguments give, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import EnqueueOptionError, JobDeclarationError, Unique, application, declaration
from queuekit.config import Configuration
from queuekit.keys import MAX_KEY_LENGTH
from queuekit.uniqueness import HeldUnique


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registered", {})
    monkeypatch.setattr(application, "_configuration", None)
    monkeypatch.setattr(application, "_database", None)
    application.use(Configuration(database_url="sqlite:///nowhere.sqlite3"))


def unique_of(unique: Any, *args: Any, name: str = "export", **kwargs: Any) -> HeldUnique:
    """What a job with this uniqueness and these arguments is written with."""

    @queuekit.job(name=name, unique=unique, redact=["secret"])
    def export(account: Any, *more: Any, full: bool = False, secret: str = "", **others: Any): ...

    held = export.bind(*args, **kwargs)._description.unique
    assert held is not None
    return held


def key_of(*args: Any, **kwargs: Any) -> str:
    return unique_of(Unique(), *args, **kwargs).key


def test_the_key_is_made_as_a_limits_is() -> None:
    assert unique_of(Unique("account"), 7).key == "export/7"
    assert unique_of(Unique("nightly"), 7).key == "export/nightly"
    assert unique_of(Unique(lambda account, **_: (account, "x")), 7).key == "export/7/x"


def test_without_a_key_it_is_all_arguments() -> None:
    keys = {
        key_of(7),
        key_of("7"),
        key_of(7.0),
        key_of(True),
        key_of(8),
        key_of(7, 8),
        key_of((7, 8)),
        key_of([7, 8]),
        key_of(7, full=True),
        key_of(7, other=True),
        key_of(7, secret="x"),
        key_of(7, secret="y"),
        key_of(None),
        key_of("\ud800"),
        key_of(7, name="other"),
    }

    assert len(keys) == 15
    assert key_of(7) == key_of(7)


def test_the_same_arguments_are_the_same_however_they_are_given() -> None:
    assert key_of(7) == key_of(account=7)
    assert key_of(7, a=1, b=2) == key_of(7, b=2, a=1)
    assert key_of({"a": 1, "b": [{"c": 1, "d": 2}]}) == key_of({"b": [{"d": 2, "c": 1}], "a": 1})
    assert key_of({"x", "y", "z"}) == key_of({"z", "y", "x"})


def test_an_argument_by_position_is_not_one_by_name_that_is_called_the_same() -> None:
    @queuekit.job(name="odd", unique=Unique())
    def odd(a: int, /, **more: int) -> None: ...

    keys = {
        bound._description.unique.key  # type: ignore[union-attr]
        for bound in (odd.bind(1, a=2), odd.bind(2, a=1), odd.bind(1), odd.bind(2))
    }

    assert len(keys) == 4


def test_arguments_and_names_of_any_length_have_a_key_that_fits() -> None:
    assert len(key_of("x" * 100_000)) < MAX_KEY_LENGTH
    name = "n" * 190
    assert len(key_of(7, name=name)) == MAX_KEY_LENGTH
    assert key_of(7, name=name + "a") != key_of(7, name=name + "b")


def test_what_a_key_is_made_of_cannot_be_read_from_it() -> None:
    assert "hunter2" not in key_of(7, secret="hunter2")


def test_the_defaults_are_while_it_waits_and_no_longer() -> None:
    assert unique_of(Unique("account"), 7) == HeldUnique("export/7", False, None)


def test_all_of_it_is_kept() -> None:
    unique = Unique("account", "pending_or_running", timedelta(minutes=5))

    assert unique_of(unique, 7) == HeldUnique("export/7", True, 300.0)
    assert unique_of(Unique("account", window=0.5), 7).window == 0.5


def test_jobs_are_not_unique_unless_they_say_so() -> None:
    @queuekit.job(name="free")
    def free() -> None: ...

    assert free.bind()._description.unique is None


def test_a_class_says_it_with_an_attribute_that_is_inherited() -> None:
    class Exporting(queuekit.Job):
        unique = Unique("region")
        region = "eu"

    class Export(Exporting):
        name = "export"

        def perform(self, account: int) -> None: ...

    class Other(Exporting):
        name = "other"
        unique = None

        def perform(self, account: int) -> None: ...

    assert Export.bind(7)._description.unique == HeldUnique("export/eu", False, None)
    assert Other.bind(7)._description.unique is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (lambda account, **_: None, "its unique key is None"),
        (lambda account, **_: 1 / 0, "the function of its unique key raised ZeroDivisionError"),
        (lambda account, **_: "x" * 10_000, r"has 10,007 characters.*191 fit"),
        (lambda account, **_: "", "is empty"),
        (lambda account, **_: {"a": 1}, "its unique key is a dict"),
    ],
)
def test_a_key_that_cannot_be_is_refused_when_enqueueing(key: Any, message: str) -> None:
    with pytest.raises(EnqueueOptionError, match=message):
        unique_of(Unique(key), 7)


async def _key() -> str:
    return "x"


@pytest.mark.parametrize(
    ("unique", "message"),
    [
        (Unique(""), "unique: key is a text or a function"),
        (Unique(7), "unique: key is a text or a function"),  # type: ignore[arg-type]
        (Unique(_key), "unique: key is an async function"),
        (Unique("a", "running"), "while_ is 'pending' or 'pending_or_running', not 'running'"),  # type: ignore[arg-type]
        (Unique("a", None), "while_ is 'pending' or"),  # type: ignore[arg-type]
        (Unique("a", ["pending"]), "while_ is 'pending' or"),  # type: ignore[arg-type]
        (Unique("a", window=0), "window=0 is not a span of time"),
        (Unique("a", window=-1), "window=-1 is not a span of time"),
        (Unique("a", window=timedelta(days=-1)), "is not a span of time"),
        (Unique("a", window=timedelta(days=400)), "between nothing and a year"),
        (Unique("a", window=float("nan")), "window=nan is not a span of time"),
        (Unique("a", window=True), "window is a timedelta or"),
        (Unique("a", window="1h"), "window is a timedelta or"),  # type: ignore[arg-type]
        ("account", "unique is a Unique, not 'account'"),
        (True, "unique is a Unique, not True"),
        (Unique, "unique is a Unique, not <class"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_declared(unique: Any, message: str) -> None:
    with pytest.raises(JobDeclarationError, match=message):
        unique_of(unique, 7)


def test_what_a_class_cannot_say_is_refused_with_its_place() -> None:
    with pytest.raises(JobDeclarationError, match=r"test_uniqueness\.py:\d+\): unique: while_ is"):

        class Export(queuekit.Job):
            unique = Unique(while_="never")  # type: ignore[arg-type]

            def perform(self) -> None: ...
