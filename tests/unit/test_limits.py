"""Limits as jobs declare them: the key that arguments give, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

import queuekit
from queuekit import EnqueueOptionError, JobDeclarationError, Limit, application, declaration
from queuekit.arguments import records
from queuekit.config import Configuration
from queuekit.limits import HeldLimit


class Colour(Enum):
    RED = "red"


class Account:
    def __init__(self, key: Any) -> None:
        self.key = key


class Accounts:
    def key(self, record: Account) -> Any:
        return record.key

    def locate(self, record_class: type[Account], key: Any) -> Account | None:
        return Account(key)


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registered", {})
    monkeypatch.setattr(declaration, "_groups", {})
    monkeypatch.setattr(application, "_configuration", None)
    monkeypatch.setattr(application, "_database", None)
    monkeypatch.setattr(records, "_locators", {Account: Accounts()})
    application.use(Configuration(database_url="sqlite:///nowhere.sqlite3"))


def limit_of(limit: Limit, *args: Any, **kwargs: Any) -> HeldLimit:
    """What a job with this limit and these arguments is stored with."""

    @queuekit.job(name="export", limits_concurrency=limit)
    def export(account: Any, *more: Any, full: bool = False) -> None: ...

    held = export.bind(*args, **kwargs)._description.limit
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("key", "args", "expected"),
    [
        ("account", (7,), "export/7"),
        ("full", (7,), "export/False"),
        ("everything", (7,), "export/everything"),
        (lambda account, **_: account, ("x",), "export/x"),
        (lambda account, **_: (account, "nightly"), (7,), "export/7/nightly"),
        ("account", (UUID(int=1),), "export/00000000-0000-0000-0000-000000000001"),
        ("account", (date(2026, 11, 22),), "export/2026-11-22"),
        ("account", (Colour.RED,), "export/red"),
    ],
)
def test_a_key_is_an_argument_a_text_or_what_a_function_returns(
    key: Any, args: tuple[Any, ...], expected: str
) -> None:
    assert limit_of(Limit(key), *args).key == expected


def test_records_count_by_their_class_and_primary_key() -> None:
    assert limit_of(Limit("account"), Account(7)).key.endswith("Account/7")
    assert limit_of(Limit("account"), Account((1, 2))).key.endswith("Account/1/2")


def test_a_key_may_be_an_attribute_of_the_jobs_class() -> None:
    class Export(queuekit.Job):
        name = "export"
        region = "eu"
        limits_concurrency = Limit("region", to=3)

        def perform(self, account: int) -> None: ...

    assert Export.bind(7)._description.limit == HeldLimit("export/eu", 3, 180.0, None)


def test_the_defaults_are_one_slot_and_the_configured_period() -> None:
    assert limit_of(Limit("account"), 7) == HeldLimit("export/7", 1, 180.0, None)
    application.use(Configuration(default_concurrency_control_period=30.0))
    assert limit_of(Limit("account"), 7).duration == 30.0


def test_all_of_a_limit_is_kept() -> None:
    limit = Limit("account", 5, timedelta(minutes=5), "exports", "discard")

    assert limit_of(limit, 7) == HeldLimit("exports/7", 5, 300.0, "discard")


def test_jobs_have_no_limit_unless_they_say_so() -> None:
    @queuekit.job(name="free")
    def free() -> None: ...

    assert free.bind()._description.limit is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (lambda account, **_: None, "its concurrency key is None"),
        (lambda account, **_: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda: "x", "raised TypeError"),
        (lambda account, **_: "x" * 10_000, r"has 10,007 characters.*191 fit"),
        (lambda account, **_: "x ", "ends with a space"),
        (lambda account, **_: "", "is empty"),
        (lambda account, **_: "a\0b", "characters that no database keeps"),
        (lambda account, **_: {"a": 1}, "its concurrency key is a dict"),
        (lambda account, **_: 0.5, "its concurrency key is a float"),
    ],
)
def test_a_key_that_cannot_be_is_refused_when_enqueueing(key: Any, message: str) -> None:
    with pytest.raises(EnqueueOptionError, match=message):
        limit_of(Limit(key), 7)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (Limit("a", to=0), "to is a whole number from 1 to 1,000,000, not 0"),
        (Limit("a", to=-1), "not -1"),
        (Limit("a", to=True), "not True"),
        (Limit("a", to=1.5), "not 1.5"),  # type: ignore[arg-type]
        (Limit("a", duration=-1), "duration=-1 is not a span of time"),
        (Limit("a", duration=timedelta(0)), "is not a span of time"),
        (Limit("a", duration=float("nan")), "duration=nan is not a span of time"),
        (Limit("a", duration="3 min"), "duration is a timedelta or"),  # type: ignore[arg-type]
        (Limit(""), "key is a text or a function"),
        (Limit(None), "key is a text or a function"),  # type: ignore[arg-type]
        (Limit("a", group=" x"), "group is a text"),
        (Limit("a", group="x" * 100), "is too long"),
        (Limit("a", on_conflict="raise"), "on_conflict is 'block' or 'discard'"),  # type: ignore[arg-type]
        ("account", "limits_concurrency is a Limit, not 'account'"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_when_it_is_declared(limit: Any, message: str) -> None:
    with pytest.raises(JobDeclarationError, match=message):
        limit_of(limit, 7)


def test_two_jobs_of_one_group_must_agree_on_the_slots() -> None:
    @queuekit.job(name="first", limits_concurrency=Limit("a", to=2, group="exports"))
    def first() -> None: ...

    @queuekit.job(name="second", limits_concurrency=Limit("a", to=2, group="exports"))
    def second() -> None: ...

    with pytest.raises(JobDeclarationError, match=r"has to=3 here, and to=2 in first"):

        @queuekit.job(name="third", limits_concurrency=Limit("a", to=3, group="exports"))
        def third() -> None: ...


def test_a_module_that_is_imported_again_may_change_its_slots() -> None:
    for to in (2, 3):

        @queuekit.job(name="export", limits_concurrency=Limit("a", to=to, group="exports"))
        def export() -> None: ...

        held = export.bind()._description.limit
        assert held is not None
        assert held.to == to
