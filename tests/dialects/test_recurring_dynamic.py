"""Recurring tasks that are made, replaced and removed while everything runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import (
    EnqueueOptionError,
    RecurringTaskError,
    RecurringTaskNotFoundError,
    ScheduleError,
    SerializationError,
    SignatureError,
    UnknownJobError,
    application,
    arguments,
    schedule_recurring_task,
    schedules,
    unschedule_recurring_task,
)
from queuekit.database import Database
from queuekit.processes import scheduler as scheduler_module
from queuekit.processes.scheduler import Scheduler
from queuekit.recurring import rows
from tests.dialects.sample_jobs import Export, mail, note
from tests.dialects.scheduling import (
    MIDNIGHT,
    NOTE,
    Clock,
    begun,
    catch_up,
    enqueued,
    errors,
    known_since,
    minutes,
    reported,
    runs,
    task,
)
from tests.dialects.support import ask, in_threads


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def dynamic() -> Scheduler:
    """A scheduler that picks dynamic tasks up each time it wakes."""
    return begun(dynamic_tasks_enabled=True, polling_interval=0.0001)


def make(key: str, clock: Clock, schedule: str = "every minute", **options: Any) -> None:
    """A dynamic task, made now."""
    before = ask("select updated_at from queuekit_recurring_tasks where task_key = :key", key=key)
    schedule_recurring_task(key, schedule=schedule, **{"job": note} | options)
    after = ask("select updated_at from queuekit_recurring_tasks where task_key = :key", key=key)
    if before != after:
        known_since(clock.now, key)


def test_one_that_was_made_is_picked_up_and_runs(clock: Clock) -> None:
    made = dynamic()
    clock.advance(seconds=10)
    make("digest", clock, args=(42,), kwargs={"full": True}, queue="digests", priority=4)

    for _ in range(2):
        clock.advance(minutes=1)
        catch_up(made)

    assert runs("digest") == minutes(1, 2)
    rows = ask("select queue_name, priority, class_name, arguments from queuekit_jobs order by id")
    assert [row[:3] for row in rows] == [("digests", 4, NOTE)] * 2
    assert arguments.load(rows[0][3]) == ([42], {"full": True})


def test_what_became_due_before_it_was_picked_up_is_late_and_not_lost(clock: Clock) -> None:
    made = dynamic()
    clock.advance(seconds=59)
    make("digest", clock)

    clock.advance(seconds=5)
    catch_up(made)

    assert runs("digest") == minutes(1)


@pytest.mark.parametrize("job", [mail, NOTE.replace("note", "mail")], ids=["declared", "by name"])
def test_it_names_its_job_or_gives_it(clock: Clock, job: Any) -> None:
    schedule_recurring_task("mail", job=job, args=[1], schedule="every hour")

    assert ask("select class_name from queuekit_recurring_tasks") == [(mail._declaration.name,)]


@pytest.mark.parametrize(
    ("schedule", "timezone", "zone"),
    [
        ("every day at 1am", "Europe/Berlin", "Europe/Berlin"),
        ("every day at 1am EST", "Europe/Berlin", "EST"),
        ("0 1 * * *", "+02:00", "+02:00"),
        ("0 1 * * *", None, "Asia/Tokyo"),
    ],
)
def test_its_zone_is_settled_where_it_is_made(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    schedule: str,
    timezone: str | None,
    zone: str,
) -> None:
    """Schedulers whose machines are in different zones would run it at each of these."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    make("digest", clock, schedule, timezone=timezone)
    monkeypatch.setenv("TZ", "America/New_York")

    (row,) = rows.dynamic(application.database())

    assert row.timezone == zone
    assert row.task().schedule == schedules.parse(schedule, timezone=zone)


def test_a_class_job_is_one_too(clock: Clock) -> None:
    schedule_recurring_task(
        "export", job=Export, args=(1,), kwargs={"full": True}, schedule="every hour"
    )

    assert ask("select class_name from queuekit_recurring_tasks") == [
        ("tests.dialects.sample_jobs.Export",)
    ]


def test_it_outlives_schedulers(clock: Clock) -> None:
    dynamic()
    make("digest", clock, missed="once", missed_within=timedelta(hours=1))

    clock.advance(minutes=3, seconds=1)
    catch_up(dynamic())

    assert runs("digest") == minutes(3)


def test_one_that_was_replaced_runs_as_it_says_now(clock: Clock) -> None:
    made = dynamic()
    make("digest", clock, args=("old",))
    clock.advance(minutes=1)
    catch_up(made)

    make("digest", clock, job=mail, args=(1,), queue="other")
    clock.advance(minutes=1)
    catch_up(made)
    make("digest", clock, "every hour")
    for _ in range(60):
        clock.advance(minutes=1)
        catch_up(made)

    assert runs("digest") == minutes(1, 2, 60)
    assert ask("select queue_name from queuekit_jobs order by id") == [
        ("default",),
        ("other",),
        ("default",),
    ]


def test_one_that_was_removed_runs_no_more(clock: Clock) -> None:
    made = dynamic()
    make("digest", clock)
    make("other", clock)
    clock.advance(minutes=1)
    catch_up(made)

    unschedule_recurring_task("digest")
    clock.advance(minutes=1)
    catch_up(made)

    assert (runs("digest"), runs("other")) == (minutes(1), minutes(1, 2))


def test_nobody_reads_them_where_they_are_not_enabled(clock: Clock) -> None:
    make("digest", clock)
    made = begun(task("static"))

    clock.advance(minutes=1)
    catch_up(made)

    assert (runs("digest"), runs("static")) == ([], minutes(1))


def test_the_schedulers_own_static_task_counts_for_its_key(clock: Clock) -> None:
    make("digest", clock, queue="dynamic")
    made = begun(task("digest", queue="static"), dynamic_tasks_enabled=True)

    clock.advance(minutes=1)
    catch_up(made)

    assert ask("select queue_name from queuekit_jobs") == [("static",)]


@pytest.mark.parametrize("change", [lambda: make_static(), lambda: unschedule_recurring_task("s")])
def test_a_static_one_can_neither_be_replaced_nor_removed(
    clock: Clock, change: Callable[[], None]
) -> None:
    begun(task("s"))

    with pytest.raises(RecurringTaskError, match="'s' is static and cannot be re"):
        change()

    assert ask("select class_name, is_static from queuekit_recurring_tasks") == [(NOTE, True)]


def make_static() -> None:
    schedule_recurring_task("s", job=mail, args=(1,), schedule="every hour")


def test_one_that_is_not_there_cannot_be_removed(clock: Clock) -> None:
    with pytest.raises(RecurringTaskNotFoundError, match="no recurring task 'nothing'"):
        unschedule_recurring_task("nothing")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"key": ""}, RecurringTaskError, "key '' is empty"),
        ({"key": 7}, RecurringTaskError, "key is a text, not 7"),
        ({"key": "k" * 192}, RecurringTaskError, "192 characters; 191 fit"),
        ({"job": print}, RecurringTaskError, "a declared job or the name of one, not <built-in"),
        ({"job": "nowhere.at_all"}, UnknownJobError, "nowhere.at_all is not known"),
        ({"schedule": "whenever"}, ScheduleError, "whenever"),
        ({"args": (1, 2, 3)}, SignatureError, "too many positional"),
        ({"args": (object(),)}, SerializationError, "object"),
        ({"queue": "a,b"}, EnqueueOptionError, "comma"),
        ({"priority": "high"}, EnqueueOptionError, "whole number"),
        ({"description": 3}, RecurringTaskError, "description is a text, not 3"),
        ({"missed": "twice"}, RecurringTaskError, "skip, once or all, not 'twice'"),
        ({"missed_within": 0}, RecurringTaskError, "missed_within"),
        ({"missed_within": "1 hour"}, RecurringTaskError, "missed_within"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_a_row(
    database: Database, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    options = {"job": note, "schedule": "every hour"} | options
    key = options.pop("key", "digest")

    with pytest.raises(error, match=message):
        schedule_recurring_task(key, **options)

    assert ask("select * from queuekit_recurring_tasks") == []


def test_a_command_cannot_be_brought_by_a_row(clock: Clock) -> None:
    made = dynamic()
    make("digest", clock)
    ask("update queuekit_recurring_tasks set class_name = null, command = 'os.system(\"true\")'")

    with reported() as found:
        clock.advance(minutes=1)
        catch_up(made)

    assert enqueued() == 0
    assert errors(found) == ["the recurring task digest"]


def test_a_row_that_cannot_be_read_is_no_others_trouble(clock: Clock) -> None:
    made = dynamic()
    make("bad schedule", clock)
    make("bad arguments", clock)
    make("good", clock)
    ask("update queuekit_recurring_tasks set schedule = 'no' where task_key = 'bad schedule'")
    ask("update queuekit_recurring_tasks set arguments = 'no' where task_key = 'bad arguments'")

    with reported() as found:
        for _ in range(2):
            clock.advance(minutes=1)
            catch_up(made)

    assert runs("good") == minutes(1, 2)
    assert errors(found) == [
        "the recurring task bad schedule",
        "enqueueing the recurring task bad arguments",
        "enqueueing the recurring task bad arguments",
    ]


def test_what_a_job_redacts_is_marked_in_its_tasks_row(clock: Clock) -> None:
    schedule_recurring_task("secret", job=login, args=("me", "s3cret"), schedule="every hour")

    ((stored,),) = ask("select arguments from queuekit_recurring_tasks")
    assert "s3cret" not in str(arguments.redacted(stored))
    made = dynamic()
    clock.now = MIDNIGHT + timedelta(hours=1)
    catch_up(made)


@queuekit.job(redact=["password"])
def login(name: str, password: str) -> None: ...


def test_several_that_make_the_same_at_once_agree(database: Database) -> None:
    def make_and_remove(index: int) -> None:
        for number in range(10):
            schedule_recurring_task("digest", job=note, args=(index,), schedule="every hour")
            schedule_recurring_task(f"own {index}", job=note, schedule="every hour")
            if number < 9:
                unschedule_recurring_task(f"own {index}")

    in_threads(make_and_remove, 5)

    rows = ask("select task_key from queuekit_recurring_tasks order by task_key")
    assert [key for (key,) in rows] == ["digest", *(f"own {index}" for index in range(5))]


def test_5_000_of_them_are_read_in_one_query_and_planned_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        make(f"task {number}", clock)
    made = dynamic()
    reads: list[str] = []
    read = scheduler_module._read
    monkeypatch.setattr(scheduler_module, "_read", lambda row: reads.append(row.key) or read(row))
    make("task 7", clock, args=("other",))

    for _ in range(3):
        catch_up(made)

    assert reads == ["task 7"]
