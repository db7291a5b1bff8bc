"""The recurring tasks as operators see them, and running one by hand, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import (
    ConfigurationError,
    RecurringTaskNotFoundError,
    ScheduleError,
    jobs,
    recurring,
    schedule_recurring_task,
)
from queuekit.database import Database
from queuekit.recurring import ListedTask
from tests.dialects.sample_jobs import mail, note
from tests.dialects.scheduling import NOTE, Clock, begun, catch_up, minutes, runs, task
from tests.dialects.support import (
    ask,
    claim,
    configure,
    counts,
    fail,
    finish_everything,
    register,
)

CLEANUP = """
    magic_links: {command: "app.models.cleanup(limit=500)", schedule: every day at 1am UTC}
"""


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The application's, in which the recurring file stands."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def in_file(folder: Path, tasks: str = CLEANUP, **settings: Any) -> None:
    path = folder / "config/recurring.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(tasks)
    configure(recurring_schedule_file=Path("config/recurring.yml"), **settings)


def listed(key: str = "nightly") -> ListedTask:
    (found,) = [task for task in recurring.list() if task.key == key]
    return found


def outcome() -> str:
    last = listed().last_run
    assert last is not None
    return last.outcome


# Listing


def test_there_are_no_tasks(clock: Clock) -> None:
    assert recurring.list() == []


def test_a_stored_task_has_everything_that_its_row_says(clock: Clock) -> None:
    begun(
        task(
            "nightly",
            "every day at 2:30 Europe/Berlin",
            queue="backups",
            priority=3,
            description="The backup",
            missed="once",
            missed_within=3600.0,
        )
    )
    found = listed()
    assert found.schedule == "every day at 2:30 Europe/Berlin"
    assert found.words == "At 02:30, every day, Europe/Berlin"
    assert found.cron == "30 2 * * * Europe/Berlin"
    assert (found.class_name, found.command, found.queue) == (NOTE, None, "backups")
    assert (found.priority, found.description) == (3, "The backup")
    assert (found.missed, found.missed_within) == ("once", 3600.0)
    assert (found.is_static, found.is_stored) == (True, True)
    assert (found.last_run, found.problem) == (None, None)


def test_the_next_run_is_after_the_databases_time_in_the_tasks_zone(clock: Clock) -> None:
    clock.advance(days=27, hours=20)  # the night of 2021-03-28, in which clocks go forward
    begun(task("nightly", "every day at 2:30 Europe/Berlin"))
    at = listed().next_run
    assert at is not None
    assert at.isoformat() == "2021-03-29T02:30:00+02:00"


def test_a_task_without_a_queue_has_its_jobs_own(clock: Clock, folder: Path) -> None:
    in_file(folder)
    begun(task("a", class_name=f"{mail._declaration.name}"), task("b"), task("c", class_name="x.y"))
    assert [found.queue for found in recurring.list()] == [
        "mailers",
        "default",
        None,
        "queuekit_recurring",
    ]


def test_the_last_run_is_that_of_the_latest_time(clock: Clock) -> None:
    scheduler = begun(task("nightly"), task("daily", "every day at 1am UTC"))
    for _ in range(3):
        clock.advance(minutes=1)
        catch_up(scheduler)
    last = listed().last_run
    assert last is not None
    assert (last.at, last.outcome) == (minutes(3)[0], "waiting")
    assert last.job_id in {job_id for job_id, _ in ids()}
    assert listed("daily").last_run is None


def ids() -> list[tuple[str, int]]:
    return [(str(job_id), row_id) for job_id, row_id in ask("select uuid, id from queuekit_jobs")]


@pytest.fixture
def ran(clock: Clock) -> queuekit.Receipt:
    """The job of a task that has run once."""
    scheduler = begun(task("nightly"))
    clock.advance(minutes=1)
    catch_up(scheduler)
    ((job_id, row_id),) = ids()
    return queuekit.Receipt(job_id, row_id, "default")


def test_what_became_of_its_job_is_told_until_it_is_cleared(ran: queuekit.Receipt) -> None:
    assert outcome() == "waiting"
    fail(ran)
    assert outcome() == "failed"
    queuekit.failed.retry(ran.job_id)
    assert outcome() == "retried"
    worker = register()
    claim(worker)
    assert outcome() == "running"
    queuekit.queues.pause("default")
    ask("delete from queuekit_jobs where uuid = :uuid", uuid=ran.job_id)
    ask("delete from queuekit_claimed_executions")
    ask("delete from queuekit_finished_executions")
    assert outcome() == "cleared"


def test_a_job_that_ended_has_its_own_outcome(ran: queuekit.Receipt) -> None:
    finish_everything()
    assert outcome() == "finished"


def test_a_job_that_was_given_up_is_discarded(ran: queuekit.Receipt) -> None:
    jobs.discard(ran.job_id)
    assert outcome() == "discarded"


def test_another_librarys_task_was_handed_on(ran: queuekit.Receipt) -> None:
    ask("update queuekit_recurring_executions set job_uuid = null")
    last = listed().last_run
    assert last is not None
    assert (last.job_id, last.outcome) == (None, "handed on")


def test_dynamic_and_static_tasks_are_listed_by_their_keys(clock: Clock, folder: Path) -> None:
    in_file(folder)
    begun(task("nightly"))
    schedule_recurring_task("digest", job=note, schedule="every hour")
    found = [(each.key, each.is_static, each.is_stored) for each in recurring.list()]
    assert found == [
        ("digest", False, True),
        ("magic_links", True, False),
        ("nightly", True, True),
    ]


def test_what_cannot_be_read_is_listed_with_the_reason(clock: Clock) -> None:
    begun(task("nightly"))
    ask("update queuekit_recurring_tasks set schedule = 'when it rains'")
    found = listed()
    assert (found.schedule, found.words, found.next_run) == ("when it rains", None, None)
    assert found.problem is not None and "when it rains" in found.problem


def test_a_mistake_in_the_file_is_raised(clock: Clock, folder: Path) -> None:
    in_file(folder, "a: {class: app.jobs.a, schedule: when it rains}")
    with pytest.raises(ConfigurationError, match=r"recurring\.yml: a\.schedule"):
        recurring.list()


def test_the_file_is_found_wherever_jobs_have_gone(
    clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(folder)
    monkeypatch.chdir("/")
    assert [each.key for each in recurring.list()] == ["magic_links"]


# Running one now


def test_running_a_task_is_no_run_of_its_schedule(clock: Clock, folder: Path) -> None:
    in_file(folder)
    receipt = recurring.run("magic_links")
    assert receipt is not None
    assert receipt.queue == "queuekit_recurring"
    assert counts() == {"ready": 1}
    assert runs("magic_links") == []
    (attempt,) = jobs.history(receipt.job_id)
    assert attempt.class_name == "queuekit.recurring.command"
    assert attempt.arguments == '{"args":["magic_links"],"kwargs":{}}'


def test_a_host_that_skips_recurring_tasks_can_run_one(clock: Clock, folder: Path) -> None:
    in_file(folder, skip_recurring=True)
    assert recurring.run("magic_links") is not None


def test_a_dynamic_task_is_run_with_its_arguments(clock: Clock) -> None:
    schedule_recurring_task(
        "digest", job=note, schedule="every hour", args=(timedelta(1),), queue="mails", priority=4
    )
    receipt = recurring.run("digest")
    assert receipt is not None
    (attempt,) = jobs.history(receipt.job_id)
    assert (attempt.queue, attempt.priority) == ("mails", 4)
    assert queuekit.arguments.load(attempt.arguments)[0] == [timedelta(1)]


def test_a_key_that_nobody_has_names_the_nearest(clock: Clock, folder: Path) -> None:
    in_file(folder)
    with pytest.raises(RecurringTaskNotFoundError, match="did you mean magic_links"):
        recurring.run("magic_link")


def test_a_static_task_of_others_is_run_by_them(clock: Clock) -> None:
    begun(task("nightly"))
    with pytest.raises(RecurringTaskNotFoundError, match="run it where its file is"):
        recurring.run("nightly")
    assert counts() == {}


def test_a_mistake_in_the_file_keeps_none_of_the_others_from_running(
    clock: Clock, folder: Path
) -> None:
    in_file(folder, f"{CLEANUP}\n    bad: {{class: app.jobs.a, schedule: when it rains}}")
    assert recurring.run("magic_links") is not None
    with pytest.raises(ConfigurationError, match="when it rains"):
        recurring.run("bad")


def test_a_dynamic_task_that_cannot_be_read_is_no_other_error(clock: Clock) -> None:
    schedule_recurring_task("digest", job=note, schedule="every hour")
    ask("update queuekit_recurring_tasks set schedule = 'when it rains'")
    with pytest.raises(ScheduleError):
        recurring.run("digest")
