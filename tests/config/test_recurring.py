"""The recurring tasks of an environment, as their file has them."""

from dataclasses import replace
from pathlib import Path

import pytest

from queuekit.config import (
    DispatcherSettings,
    SchedulerSettings,
    describe,
    load,
    recurring_tasks,
)
from queuekit.config.problems import Problems
from queuekit.config.recurring import recurring_entries
from tests.config import Load, problems_of

TASKS = "development:\n  report:\n    class: app.jobs.report\n    schedule: ${WHEN:-every hour}\n"
REPORT = {"class": "app.jobs.report", "schedule": "every hour"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TASKS, {"report": REPORT}),
        (
            "report: {class: a, args: [1, {b: c}]}",
            {"report": {"class": "a", "args": [1, {"b": "c"}]}},
        ),
        ("production: {report: {class: a}}", {}),
        ("development:", {}),
        ("# nothing yet", {}),
    ],
)
def test_recurring_tasks_are_those_of_the_environment(
    application: Path, text: str, expected: object
) -> None:
    Path("config/recurring.yml").write_text(text)
    assert recurring_tasks(load(environ={}), environ={}) == expected


def test_there_are_no_recurring_tasks_without_their_file_or_when_skipped(application: Path) -> None:
    assert recurring_tasks(load(environ={})) == {}
    Path("config/recurring.yml").write_text("][")
    assert recurring_tasks(load(environ={}, skip_recurring=True)) == {}
    assert recurring_tasks(load(environ={}, skip_recurring=True, recurring_schedule_file="x")) == {}


def test_problems_of_recurring_tasks_come_at_once(application: Path) -> None:
    Path("tasks.yml").write_text("development:\n  a: 1\n  b: {args: '${NO}', 2: 3}\n  4: {}\n")
    configuration = load(environ={"QUEUEKIT_RECURRING_SCHEDULE": "tasks.yml"})
    assert problems_of(recurring_tasks, configuration, environ={}) == [
        "tasks.yml: development.a: got the number 1, expected a mapping",
        "tasks.yml: development.b: got the number 2 as the name of a setting",
        "tasks.yml: development: got the number 4 as the key of a task",
        "tasks.yml: development.b.args: ${NO} is not set and has no default; "
        "set it or write ${NO:-default}",
    ]


def test_the_file_may_name_the_recurring_file_and_that_one_must_exist(load_text: Load) -> None:
    text = "recurring_schedule_file: config/tasks.yml"
    assert problems_of(load_text, text) == [
        "config/tasks.yml: there is no such file "
        "(named by recurring_schedule_file in config/queue.yml)"
    ]
    Path("config/tasks.yml").touch()
    assert load_text(text).recurring_schedule_file == Path("config/tasks.yml")


OF_A_DISPATCHER = """
dispatchers:
  - polling_interval: 1
    recurring_tasks:
      verification: {class: a.Job, args: [], schedule: every day at 1am EST}
"""
HINT = "is read, but recurring tasks belong in a file of their own, config/recurring.yml"


def test_recurring_tasks_of_a_dispatcher_are_read_with_a_hint(load_text: Load) -> None:
    configuration = load_text(OF_A_DISPATCHER)
    assert configuration.dispatchers == (DispatcherSettings(),)
    assert configuration.hints == (f"config/queue.yml: dispatchers[0].recurring_tasks: {HINT}",)
    verification = {"class": "a.Job", "args": [], "schedule": "every day at 1am EST"}
    assert recurring_tasks(configuration) == {"verification": verification}
    assert recurring_tasks(load_text(f"{OF_A_DISPATCHER}skip_recurring: true")) == {}
    assert "recurring tasks:     dispatchers in config/queue.yml" in describe(configuration)


def test_the_recurring_file_counts_where_a_dispatcher_has_the_same_task(load_text: Load) -> None:
    Path("config/recurring.yml").write_text("verification: {class: b.Job, schedule: every hour}")
    problems = Problems()
    entries = recurring_entries(load_text(OF_A_DISPATCHER), problems)
    assert [entry.values["class"] for entry in entries] == ["b.Job"]
    assert problems.hints == [
        "config/queue.yml: dispatchers[0].recurring_tasks.verification: is given in "
        "config/recurring.yml: verification, too, which counts"
    ]


def test_dispatchers_that_share_their_tasks_by_an_alias_have_each_once(load_text: Load) -> None:
    text = """
        dispatchers:
          - recurring_tasks: &tasks { a: { class: a.Job, schedule: every hour } }
          - recurring_tasks: *tasks
          - recurring_tasks: { b: { class: b.Job, schedule: every hour } }
        """
    assert list(recurring_tasks(load_text(text))) == ["a", "b"]
    assert problems_of(load_text, text.replace("{ b:", "{ a:")) == [
        "config/queue.yml: dispatchers[2].recurring_tasks.a: is another task than "
        "config/queue.yml: dispatchers[0].recurring_tasks.a"
    ]


@pytest.mark.parametrize("nothing", ["", "{}", "[]"])
def test_a_dispatcher_may_list_no_tasks(load_text: Load, nothing: str) -> None:
    assert load_text(f"dispatchers: {{recurring_tasks: {nothing}}}").hints == ()


@pytest.mark.parametrize(
    ("tasks", "problem"),
    [
        ("[1]", "recurring_tasks: got a list, expected a mapping"),
        ("{a: 1}", "recurring_tasks.a: got the number 1, expected a mapping"),
        ("{1: {}}", "recurring_tasks: got the number 1 as the key of a task"),
        (
            "{' a': {}}",
            "recurring_tasks.' a': the key ' a' is empty, or begins or ends with a space",
        ),
        (
            f"{{{'k' * 192}: {{}}}}",
            f"recurring_tasks.{'k' * 192}: the key {'k' * 40}... has 192 characters; 191 fit",
        ),
    ],
)
def test_what_is_no_task_is_refused(load_text: Load, tasks: str, problem: str) -> None:
    assert problems_of(load_text, f"dispatchers: {{recurring_tasks: {tasks}}}") == [
        f"config/queue.yml: dispatchers.{problem}"
    ]


# The scheduler


def test_the_scheduler_has_defaults_and_settings(load_text: Load) -> None:
    assert load_text("mode: fork").scheduler == SchedulerSettings(5.0, False)
    text = "scheduler: {polling_interval: 1 minute, dynamic_tasks_enabled: true}"
    configuration = load_text(text)
    assert configuration.scheduler == SchedulerSettings(60.0, True)
    line = "scheduler:           dynamic tasks, polled for every 60 s"
    assert line in describe(configuration)
    assert not any(
        line.startswith("scheduler:")
        for line in describe(replace(configuration, skip_recurring=True))
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scheduler: 5", "scheduler: got the number 5, expected a mapping"),
        ("scheduler:", "scheduler: has no value; give it one or remove it"),
        (
            "scheduler: {poling_interval: 5}",
            "scheduler.poling_interval is not a setting; did you mean polling_interval?",
        ),
        (
            "scheduler: {polling_interval: 0}",
            "scheduler.polling_interval: got the number 0, expected more than 0 seconds",
        ),
        (
            "scheduler: {dynamic_tasks_enabled: 1}",
            "scheduler.dynamic_tasks_enabled: got the number 1, expected true or false",
        ),
        ("scheduler: {mode: fork}", "scheduler.mode: belongs beside scheduler, not in it"),
        ("scheduler: {threads: 1}", "scheduler.threads: belongs in an entry of workers"),
        ("dynamic_tasks_enabled: true", "dynamic_tasks_enabled: belongs in scheduler"),
    ],
)
def test_bad_settings_of_the_scheduler(load_text: Load, text: str, problem: str) -> None:
    assert problems_of(load_text, text) == [f"config/queue.yml: {problem}"]
