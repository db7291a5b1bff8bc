"""What a declaration says of its runs: timeout, on_process_death, max_process_deaths."""

from __future__ import annotations

import types
from datetime import timedelta
from typing import Any, ClassVar, Literal

import pytest

import queuekit
from queuekit import application, declaration
from queuekit.config import Configuration
from queuekit.declaring import Settings
from queuekit.description import describe
from queuekit.errors import JobDeclarationError


def plain() -> None: ...


NAME = f"{__name__}.plain"
SPAN = "timeout is a timedelta or a number of seconds, not"
NO_TIME = "is not a span of time that can pass"
DEATHS = "max_process_deaths is a whole number from 1 to 1000, not"

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"timeout": "5"}, f"{SPAN} '5'"),
    ({"timeout": True}, f"{SPAN} True"),
    ({"timeout": [5]}, f"{SPAN} [5]"),
    ({"timeout": 0}, f"timeout=0 {NO_TIME}"),
    ({"timeout": -1.5}, f"timeout=-1.5 {NO_TIME}"),
    ({"timeout": float("inf")}, f"timeout=inf {NO_TIME}"),
    ({"timeout": 10**400}, f"timeout={10**400} {NO_TIME}"),
    ({"timeout": float("nan")}, f"timeout=nan {NO_TIME}"),
    ({"timeout": timedelta(0)}, f"timeout=datetime.timedelta(0) {NO_TIME}"),
    ({"timeout": timedelta(days=-1)}, f"timeout=datetime.timedelta(days=-1) {NO_TIME}"),
    ({"on_process_death": "again"}, "on_process_death is 'fail' or 'retry', not 'again'"),
    ({"on_process_death": True}, "on_process_death is 'fail' or 'retry', not True"),
    ({"max_process_deaths": 0}, f"{DEATHS} 0"),
    ({"max_process_deaths": -1}, f"{DEATHS} -1"),
    ({"max_process_deaths": 1001}, f"{DEATHS} 1001"),
    ({"max_process_deaths": 2.0}, f"{DEATHS} 2.0"),
    ({"max_process_deaths": True}, f"{DEATHS} True"),
    ({"max_process_deaths": "3"}, f"{DEATHS} '3'"),
    (
        {"max_process_deaths": 2, "on_process_death": "fail"},
        "max_process_deaths is for on_process_death='retry'",
    ),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED)
def test_what_cannot_be_is_refused_at_the_declaration(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        queuekit.job(**options)(plain)

    place = f"{__file__}:{plain.__code__.co_firstlineno}"
    assert str(raised.value) == f"job {NAME} ({place}): {problem}"


@pytest.mark.parametrize(("options", "problem"), REFUSED)
def test_a_class_is_checked_like_a_function(options: dict[str, Any], problem: str) -> None:
    def body(namespace: dict[str, Any]) -> None:
        namespace.update(options, perform=lambda self: None)

    with pytest.raises(JobDeclarationError) as raised:
        types.new_class("Bad", (queuekit.Job,), {}, body)

    assert str(raised.value).endswith(f": {problem}")


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(None, None), (5, 5.0), (0.25, 0.25), (timedelta(minutes=2), 120.0), (1e9, 1e9)],
)
def test_a_timeout_is_a_timedelta_or_seconds(timeout: Any, seconds: float | None) -> None:
    queuekit.job(timeout=timeout)(plain)

    found = declaration.find(NAME)
    assert found is not None
    assert found.timeout == seconds


def test_classes_inherit_what_they_do_not_say() -> None:
    class Base(queuekit.Job):
        timeout = timedelta(seconds=30)
        on_process_death: ClassVar[Literal["fail", "retry"] | None] = "retry"

    class Export(Base):
        max_process_deaths = 5
        name = "run_options.export"

        def perform(self) -> None: ...

    class Import(Base):
        on_process_death = "fail"
        name = "run_options.import"

        def perform(self) -> None: ...

    exporting = declaration.find("run_options.export")
    importing = declaration.find("run_options.import")
    assert exporting is not None
    assert importing is not None
    half_a_minute = timedelta(seconds=30)
    assert exporting.settings == Settings(
        timeout=half_a_minute, on_process_death="retry", max_process_deaths=5
    )
    assert importing.settings == Settings(timeout=half_a_minute, on_process_death="fail")
    assert exporting.timeout == importing.timeout == 30


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({}, None),  # the configuration of whoever buries the process
        ({"on_process_death": "fail"}, 1),
        ({"on_process_death": "retry"}, 7),  # the configuration of who enqueues
        ({"on_process_death": "retry", "max_process_deaths": 5}, 5),
        ({"max_process_deaths": 5}, 5),
    ],
)
def test_a_job_takes_along_how_many_deaths_it_may_see(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], stored: int | None
) -> None:
    monkeypatch.setattr(application, "_configuration", Configuration(max_process_deaths=7))
    queuekit.job(**options)(plain)

    found = declaration.find(NAME)
    assert found is not None
    assert describe(found, (), {}).max_process_deaths == stored
