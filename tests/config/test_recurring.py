"""The recurring tasks of an environment, as their file has them."""

from pathlib import Path

import pytest

from queuekit.config import DispatcherSettings, load, recurring_tasks
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
        "tasks.yml: development.b.args: ${NO} is not set and has no default; "
        "set it or write ${NO:-default}",
        "tasks.yml: development: got the number 4 as the key of a task",
    ]


def test_the_file_may_name_the_recurring_file_and_that_one_must_exist(load_text: Load) -> None:
    text = "recurring_schedule_file: config/tasks.yml"
    assert problems_of(load_text, text) == [
        "config/tasks.yml: there is no such file "
        "(named by recurring_schedule_file in config/queue.yml)"
    ]
    Path("config/tasks.yml").touch()
    assert load_text(text).recurring_schedule_file == Path("config/tasks.yml")


def test_recurring_tasks_of_a_dispatcher_are_accepted_with_a_hint(load_text: Load) -> None:
    configuration = load_text(
        """
        dispatchers:
          - polling_interval: 1
            recurring_tasks:
              verification: {class: a.Job, args: [], schedule: every day at 1am EST}
        """
    )
    assert configuration.dispatchers == (DispatcherSettings(),)
    assert configuration.hints == (
        "config/queue.yml: dispatchers[0].recurring_tasks: recurring_tasks belong in "
        "config/recurring.yml; this version does not run recurring tasks yet",
    )
