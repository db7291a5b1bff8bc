"""Tasks declared beside the code: what they mean, what is refused at import, and which one counts
where the file has the same key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import declaration, schedules
from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.errors import ConfigurationError, JobDeclarationError
from queuekit.recurring import declared, static
from queuekit.recurring.task import RecurringTask
from tests.unit.applications import application_in, configured


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with application_in(tmp_path, monkeypatch) as folder:
        monkeypatch.setattr(declaration, "_registered", {})
        yield folder


def tasks() -> dict[str, RecurringTask]:
    problems = Problems()
    found = {task.key: task for task in declared.collect(problems)}
    problems.raise_if_any()
    return found


def declare(recurring: Any, name: str = "clean") -> None:
    @queuekit.job(name=name, recurring=recurring)
    def clean(limit: int = 10, *, deep: bool = False) -> None: ...


# What they mean


def test_a_job_recurs_under_its_name() -> None:
    declare("every hour")
    task = tasks()["clean"]
    assert (task.class_name, task.schedule) == ("clean", schedules.parse("every hour"))
    assert (task.args, task.kwargs, task.command, task.is_static) == ((), {}, None, True)
    assert task.place.startswith(f"job clean ({__file__}:")


def test_a_mapping_says_what_a_task_in_the_file_may_say() -> None:
    declare(
        {
            "key": "nightly",
            "schedule": "every day at 1am",
            "timezone": "Europe/Paris",
            "args": [5, {"deep": True}],
            "queue": "slow",
            "priority": 7,
            "description": "Cleans",
            "missed": "once",
            "missed_within": timedelta(hours=12),
        }
    )
    task = tasks()["nightly"]
    assert task.schedule == schedules.parse("every day at 1am", timezone="Europe/Paris")
    assert (task.class_name, task.args, task.kwargs) == ("clean", (5,), {"deep": True})
    assert (task.queue, task.priority, task.description) == ("slow", 7, "Cleans")
    assert (task.missed, task.missed_within) == ("once", 43200.0)


def test_a_list_makes_several_tasks_of_one_job() -> None:
    declare(["every hour", {"key": "more", "schedule": "every day at 1am", "args": [100]}])
    assert {key: task.args for key, task in tasks().items()} == {"clean": (), "more": (100,)}


def test_a_class_says_it_for_itself_and_not_for_its_subclasses() -> None:
    class Clean(queuekit.Job):
        name = "class.clean"
        recurring = "every hour"

        def perform(self) -> None: ...

    class CleanMore(Clean):
        name = "class.clean_more"

    assert set(tasks()) == {"class.clean"}


def test_a_job_with_aliases_recurs_once() -> None:
    @queuekit.job(name="new", aliases=["old"], recurring="every hour")
    def job() -> None: ...

    assert set(tasks()) == {"new"}


# What is refused at import


@pytest.mark.parametrize(
    ("recurring", "problem"),
    [
        (5, "recurring is a schedule, or a mapping with one, or a list of these, not 5"),
        ([["every hour"]], "recurring[0] is a schedule, or a mapping with one"),
        ({"schedul": "every hour"}, "recurring.schedul is not a setting; did you mean schedule?"),
        ({"schedule": "every hour", "class": "a.b"}, "recurring.class is not a setting"),
        ({"key": "a"}, "recurring.schedule: is missing"),
        ({"key": " ", "schedule": "every hour"}, "recurring.key: is empty"),
        ({"key": "k" * 192, "schedule": "every hour"}, "has 192 characters; 191 fit"),
        ({"schedule": "every hour", "queue": "a*"}, "recurring.queue: queue 'a*' has a *"),
        (
            {"schedule": "every hour", "args": [1, 2]},
            "recurring: clean(limit: 'int' = 10, *, deep: 'bool' = False): too many",
        ),
        (["every hour", "every day at 1am"], "recurring: two of its tasks have the key clean"),
    ],
)
def test_what_cannot_recur_is_refused_at_import(recurring: Any, problem: str) -> None:
    with pytest.raises(JobDeclarationError) as refused:
        declare(recurring)
    assert str(refused.value).startswith(f"job clean ({__file__}:")
    assert problem in str(refused.value)


def test_a_schedule_is_refused_with_its_reason() -> None:
    with pytest.raises(schedules.ScheduleError) as reason:
        schedules.parse("every 90 minutes")
    with pytest.raises(JobDeclarationError) as refused:
        declare("every 90 minutes")
    assert str(refused.value).endswith(f"recurring.schedule: {reason.value}")


def test_a_class_for_others_to_inherit_cannot_recur() -> None:
    with pytest.raises(JobDeclarationError, match="what recurring says is not inherited"):

        class Base(queuekit.Job):
            recurring = "every hour"


# Together with the file


def test_two_jobs_cannot_have_one_key() -> None:
    declare({"key": "nightly", "schedule": "every hour"}, name="one")
    declare({"key": "nightly", "schedule": "every hour"}, name="two")
    with pytest.raises(ConfigurationError, match="has the key of one of job one"):
        static.read(Configuration())


def test_the_file_wins_with_a_hint() -> None:
    declare("every hour")
    declare("every hour", name="other")
    configuration = configured("clean: {class: clean, schedule: every day at 1am}")
    problems = Problems()
    found = {task.key: task for task in static.collect(configuration, problems)}
    assert found["clean"].schedule == schedules.parse("every day at 1am")
    assert set(found) == {"clean", "other"}
    [hint] = problems.hints
    assert hint.startswith("config/recurring.yml: clean: counts; a task of the same key, of job cl")
    assert static.read(configuration) == list(found.values())


def test_there_are_none_when_they_are_skipped() -> None:
    declare("every hour")
    assert static.read(Configuration(skip_recurring=True)) == []
