"""Throttles as jobs declare them: the key, the number, the span, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import EnqueueOptionError, JobDeclarationError, Limit, Throttle, declaration
from queuekit.throttles import HeldThrottle


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registered", {})
    monkeypatch.setattr(declaration, "_groups", {})


def throttle_of(throttle: Any, *args: Any, **kwargs: Any) -> HeldThrottle:
    """What a job with this throttle and these arguments is stored with."""

    @queuekit.job(name="notify", throttle=throttle)
    def notify(account: Any, *more: Any, full: bool = False) -> None: ...

    held = notify.bind(*args, **kwargs)._description.throttle
    assert held is not None
    return held


def test_all_jobs_share_one_key_unless_the_throttle_has_another() -> None:
    throttle = Throttle(to=100, per=timedelta(minutes=1))

    assert throttle_of(throttle, 7) == HeldThrottle("notify/", 100, 60.0)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("account", "accounts/7"),
        ("everything", "accounts/everything"),
        (lambda account, **_: (account, "x"), "accounts/7/x"),
        (None, "accounts/"),
    ],
)
def test_keys_are_those_of_limits(key: Any, expected: str) -> None:
    assert throttle_of(Throttle(1, 0.5, key, "accounts"), 7) == HeldThrottle(expected, 1, 0.5)


def test_a_class_declares_it_as_an_attribute_and_others_inherit_it() -> None:
    class ApplicationJob(queuekit.Job):
        region = "eu"
        throttle = Throttle(to=3, per=2, key="region")

    class Export(ApplicationJob):
        name = "export"

        def perform(self, account: int) -> None: ...

    assert Export.bind(7)._description.throttle == HeldThrottle("export/eu", 3, 2.0)


def test_jobs_have_no_throttle_unless_they_say_so() -> None:
    @queuekit.job(name="free")
    def free() -> None: ...

    assert free.bind()._description.throttle is None
    assert free.bind()._description.is_due_and_new


@pytest.mark.parametrize(
    ("throttle", "message"),
    [
        (Throttle(to=0, per=1), "throttle: to is a whole number from 1 to 1,000,000, not 0"),
        (Throttle(to=-1, per=1), "not -1"),
        (Throttle(to=True, per=1), "not True"),
        (Throttle(to=1.5, per=1), "not 1.5"),  # type: ignore[arg-type]
        (Throttle(to=10**9, per=1), "not 1000000000"),
        (Throttle(1, per=0), "per=0 is not a span of time between nothing and a year"),
        (Throttle(1, per=-1), "per=-1 is not a span of time"),
        (Throttle(1, per=timedelta(0)), "is not a span of time"),
        (Throttle(1, per=timedelta(days=400)), "is not a span of time"),
        (Throttle(1, per=float("nan")), "per=nan is not a span of time"),
        (Throttle(1, per=float("inf")), "per=inf is not a span of time"),
        (Throttle(1, per="1 min"), "per is a timedelta or a number"),  # type: ignore[arg-type]
        (Throttle(1, per=None), "per is a timedelta or a number"),  # type: ignore[arg-type]
        (Throttle(1, 1, key=""), "key is a text or a function"),
        (Throttle(1, 1, key=7), "key is a text or a function"),  # type: ignore[arg-type]
        (Throttle(1, 1, group=" x"), "group is a text"),
        (Limit("a"), "throttle is a Throttle, not Limit"),
        (100, "throttle is a Throttle, not 100"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_declared(throttle: Any, message: str) -> None:
    with pytest.raises(JobDeclarationError, match=message):
        throttle_of(throttle, 7)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (lambda account, **_: None, "its throttle's key is None"),
        (lambda account, **_: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda account, **_: "x" * 10_000, r"its throttle's key .* has 10,007 characters"),
        (lambda account, **_: 0.5, "its throttle's key is a float"),
    ],
)
def test_a_key_that_cannot_be_is_refused_when_enqueueing(key: Any, message: str) -> None:
    with pytest.raises(EnqueueOptionError, match=message):
        throttle_of(Throttle(1, 1, key), 7)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Throttle(3, 60, group="api"), r"has to=3, per=60.0 s here, and to=2, per=60.0 s in first"),
        (Throttle(2, 61, group="api"), r"has to=2, per=61.0 s here, and to=2, per=60.0 s in first"),
    ],
)
def test_two_jobs_of_one_group_must_agree(other: Throttle, message: str) -> None:
    @queuekit.job(name="first", throttle=Throttle(2, 60, group="api"))
    def first() -> None: ...

    @queuekit.job(name="second", throttle=Throttle(2, timedelta(minutes=1), group="api"))
    def second() -> None: ...

    @queuekit.job(name="limited", limits_concurrency=Limit("a", to=9, group="api"))
    def limited() -> None: ...

    with pytest.raises(JobDeclarationError, match=message):

        @queuekit.job(name="third", throttle=other)
        def third() -> None: ...


def test_a_module_that_is_imported_again_may_change_it() -> None:
    for to in (2, 3):

        @queuekit.job(name="notify", throttle=Throttle(to, 60, group="api"))
        def notify() -> None: ...

        assert notify.bind()._description.throttle == HeldThrottle("api/", to, 60.0)


def test_perform_now_is_not_throttled() -> None:
    ran = []

    @queuekit.job(name="notify", throttle=Throttle(1, 60))
    def notify(number: int) -> None:
        ran.append(number)

    for number in range(3):
        notify.perform_now(number)

    assert ran == [0, 1, 2]
