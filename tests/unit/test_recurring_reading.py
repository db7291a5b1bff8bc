"""Recurring tasks as their file has them: what they mean, and what is said of those that are wrong.

The schedules and the shapes are those of the applications that these tasks are modelled on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from queuekit import schedules
from queuekit.config import load
from queuekit.errors import ConfigurationError
from queuekit.recurring.task import RecurringTask
from tests.unit.applications import application_in, configured, tasks_of_files, write


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with application_in(tmp_path, monkeypatch) as folder:
        yield folder


def read(tasks: str) -> list[RecurringTask]:
    return tasks_of_files(configured(tasks))


def one(task: str) -> RecurringTask:
    [found] = read(f"task: {{{task}}}")
    return found


def problems_of(tasks: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(tasks)
    return list(caught.value.problems)


def problem_of(task: str) -> str:
    """The one problem of a task, without the file."""
    [problem] = problems_of(f"task:\n{indent(task, '  ')}")
    return problem.removeprefix("config/recurring.yml: task")


# What tasks mean


def test_a_task_says_what_to_enqueue_and_when() -> None:
    [task] = read(
        """
        development:
          report:
            class: app.jobs.Report
            args: [ 42, { status: custom_status } ]
            schedule: every second
            queue: background
            priority: -3
            description: The report
            missed: once
            missed_within: 12 hours
        """
    )
    assert task == RecurringTask(
        key="report",
        schedule=schedules.parse("every second"),
        text="every second",
        class_name="app.jobs.Report",
        args=(42,),
        kwargs={"status": "custom_status"},
        queue="background",
        priority=-3,
        description="The report",
        missed="once",
        missed_within=43200.0,
        place="config/recurring.yml: development.report",
    )


@pytest.mark.parametrize(
    ("args", "expected"),
    {
        "42": ((42,), {}),
        "text": (("text",), {}),
        "[]": ((), {}),
        "[1, [2]]": ((1, [2]), {}),
        "{status: new}": ((), {"status": "new"}),
        "[1, {status: new}]": ((1,), {"status": "new"}),
        "[{a: 1}, {}]": (({"a": 1},), {}),
        "[null]": ((None,), {}),
        "2026-01-31": ((date(2026, 1, 31),), {}),
    }.items(),
)
def test_args_are_a_value_or_a_list_with_keywords_at_its_end(args: str, expected: Any) -> None:
    task = one(f"class: a.b, schedule: every hour, args: {args}")
    assert (task.args, task.kwargs) == expected


def test_the_zone_of_the_schedule_wins_over_that_of_the_task() -> None:
    both = one("class: a.b, schedule: every day at 1am EST, timezone: Europe/Paris")
    assert both.schedule == schedules.parse("every day at 1am EST")
    task = one("class: a.b, schedule: every day at 1am, timezone: Europe/Paris")
    assert task.schedule == schedules.parse("every day at 1am", timezone="Europe/Paris")


def test_the_tasks_of_the_models_are_read_word_for_word() -> None:
    tasks = read(
        """
        development:
          magic_link_cleanup:
            class: app.jobs.MagicLinkCleanupJob
            schedule: every hour
          heartbeat:
            class: app.jobs.HeartbeatJob
            queue: default
            schedule: every 5 minutes
          a_cleanup_task:
            command: "app.models.DeletedStuff.clear_all()"
            schedule: every day at 9am
          my_periodic_resque_job:
            class: app.tasks.my_task
            args: 22
            schedule: "*/5 * * * *"
          deliver_bundled_notifications:
            command: "app.models.notification.Bundle.deliver_all_later()"
            schedule: every 30 minutes
          auto_postpone_all_due:
            command: "app.models.Card.auto_postpone_all_due()"
            schedule: every hour at minute 50
          delete_unused_tags:
            class: app.jobs.DeleteUnusedTagsJob
            schedule: every day at 04:02
          clear_finished_jobs:
            command: "queuekit.jobs.clear_finished_in_batches(sleep_between_batches=0.3)"
            schedule: every hour at minute 12
          cleanup_webhook_deliveries:
            command: "app.models.webhook.Delivery.cleanup()"
            schedule: every 4 hours at minute 51
          cleanup_magic_links:
            command: "app.models.MagicLink.cleanup()"
            schedule: every 4 hours
          at_five:
            class: app.jobs.AtFive
            schedule: at 5am every day
          quarters:
            class: app.jobs.Quarters
            schedule: "*/15 * * * *"
        """
    )
    assert len(tasks) == 12
    assert tasks[1].queue == "default"
    assert tasks[3].args == (22,)


def test_the_tasks_of_a_dispatcher_are_read_word_for_word() -> None:
    write(
        Path("config/queue.yml"),
        """
        default: &default
          dispatchers:
            - polling_interval: 1
              batch_size: 500
              recurring_tasks:
                periodic_litestream_backup_verfication_job:
                  class: app.litestream.VerificationJob
                  args: []
                  schedule: every day at 1am EST
        production:
          <<: *default
        """,
    )
    [task] = tasks_of_files(load(environ={}, environment="production"))
    assert task.key == "periodic_litestream_backup_verfication_job"
    assert task.class_name == "app.litestream.VerificationJob"
    assert task.schedule == schedules.parse("every day at 1am EST")


def test_there_are_none_when_they_are_skipped() -> None:
    assert tasks_of_files(configured("task: {}", skip_recurring=True)) == []


def test_five_thousand_tasks_are_not_too_many() -> None:
    lines = (
        f"task_{n}: {{class: app.jobs.noop, args: [{n}], schedule: every day at 1am, queue: slow}}"
        for n in range(5_000)
    )
    assert len(read("\n".join(lines))) == 5_000


# What is wrong with them


def test_all_problems_of_all_tasks_come_at_once() -> None:
    found = problems_of(
        """
        development:
          a: {clas: app.jobs.A, schedule: every hour}
          b: {class: app.jobs.B, command: "app.b()", schedule: every blue moon}
          c: {class: 3, schedule: "${NO_SCHEDULE}", queue: "a*", priority: high}
          d: 5
        """
    )
    places = [line.removeprefix("config/recurring.yml: development.") for line in found]
    assert len(places) == 9
    assert places[0] == "d: got the number 5, expected a mapping"
    assert places[1].startswith("c.schedule: ${NO_SCHEDULE} is not set and has no default")
    assert places[2:5] == [
        "a: has neither a class nor a command; it needs one of them",
        "a.clas is not a setting; did you mean class?",
        "b: has a class and a command; keep one of them",
    ]
    assert places[5].startswith("b.schedule: ")
    assert places[6:] == [
        "c.class: got the number 3, expected a text",
        "c.queue: queue 'a*' has a * or a comma, which mean something to a worker's queues",
        "c.priority: got the text 'high', expected a whole number",
    ]


NO_ZONE = "“Europe/Pariss” is no zone that is known here; the nearest name is Europe/Paris"
JOB = "class: a.b\nschedule: every hour\n"
COMMAND = "command: a.b()\nschedule: every hour\n"


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (
            "class: a.b",
            ".schedule: is missing; write one such as every day at 1am, or */15 * * * *",
        ),
        ("class: a.b\nschedule:", ".schedule: has no value; give it one or remove it"),
        ("class: a.b\nschedule: 5", ".schedule: got the number 5, expected a text"),
        ("schedule: every hour", ": has neither a class nor a command; it needs one of them"),
        (
            f"class: {'a' * 192}\nschedule: every hour",
            f".class: the name {'a' * 40}... has 192 characters; 191 fit",
        ),
        (JOB + "cron: '* * * * *'", ".cron: is called schedule"),
        (JOB + "kwargs: {a: 1}", ".kwargs: belongs into args, as a mapping at the end of the list"),
        (JOB + "tz: Europe/Paris", ".tz: is called timezone"),
        (JOB + "prioritty: 3", ".prioritty is not a setting; did you mean priority?"),
        (JOB + "queue: 3", ".queue: got the number 3, expected a text"),
        (
            JOB + "priority: 3000000000",
            ".priority: got the number 3000000000, expected a whole number from "
            "-2147483648 to 2147483647",
        ),
        (JOB + "priority: true", ".priority: got true, expected a whole number"),
        (JOB + "timezone: Europe/Pariss", f".timezone: {NO_ZONE}"),
        (JOB + "timezone: 5", ".timezone: got the number 5, expected a text"),
        (JOB + "missed: twice", ".missed: got the text 'twice', expected skip or once or all"),
        (
            JOB + "missed: once\nmissed_within: soon",
            ".missed_within: got the text 'soon', expected a number of seconds, or "
            "a duration such as 5 minutes",
        ),
        (
            JOB + "missed_within: 5",
            ".missed_within: bounds what is made up for; it is for missed: once, or all",
        ),
        (JOB + "args: {1: 2}", ".args: got the number 1 as the name of an argument"),
        (
            JOB + "args: [{_queuekit: 2}, 1]",
            ".args: argument number 1 has the key '_queuekit': keys that begin with "
            "_queuekit are reserved",
        ),
        (COMMAND + "args: [1]", ".args: is for a class; a command has its arguments in its call"),
        ("command: a.b\nschedule: every hour", ".command: calls nothing; write a.b()"),
        (JOB + "description: ''", ".description: is empty"),
    ],
)
def test_what_is_said_of_a_bad_task(task: str, problem: str) -> None:
    assert problem_of(task) == problem


def test_a_schedule_is_refused_with_its_reason() -> None:
    with pytest.raises(schedules.ScheduleError) as refused:
        schedules.parse("every 90 minutes")
    assert problem_of("class: a.b\nschedule: every 90 minutes") == f".schedule: {refused.value}"


def test_a_schedule_that_yaml_takes_for_an_alias_is_told_to_be_quoted() -> None:
    [problem] = problems_of("task: {class: a.b, schedule: */15 * * * *}")
    assert problem.endswith('and so a schedule: "*/15 * * * *"')


def test_arguments_whose_problem_is_known_are_not_complained_of_again() -> None:
    [problem] = problems_of("task: {class: a.b, schedule: every hour, args: ['${NOWHERE}']}")
    assert "${NOWHERE} is not set" in problem
