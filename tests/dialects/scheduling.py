"""Schedulers that run here, turn by turn, on a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queuekit import application, events, schedules
from queuekit.config import SchedulerSettings
from queuekit.database import Database
from queuekit.processes.scheduler import Scheduler, Scheduling
from queuekit.recurring import rows
from queuekit.recurring.task import RecurringTask
from tests.dialects.support import ask

#: When the tests' time begins: on the hour, and long ago, so that everything on it is past.
MIDNIGHT = datetime(2021, 3, 1, tzinfo=UTC)

NOTE = "tests.dialects.sample_jobs.note"


class Clock:
    """What schedulers take for the database's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = MIDNIGHT
        monkeypatch.setattr(rows, "now", lambda database: self.now)

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


def task(key: str, schedule: str = "every minute", **values: Any) -> RecurringTask:
    values = {"class_name": NOTE} | values
    return RecurringTask(key=key, schedule=schedules.parse(schedule), text=schedule, **values)


def scheduler(*tasks: RecurringTask, **settings: Any) -> Scheduler:
    """One that has not looked at the clock yet."""
    scheduling = Scheduling(SchedulerSettings(**settings), tasks)
    return Scheduler(scheduling, application.configuration(), application.database())


def begun(*tasks: RecurringTask, **settings: Any) -> Scheduler:
    """One that has."""
    made = scheduler(*tasks, **settings)
    catch_up(made)
    return made


def catch_up(*schedulers: Scheduler) -> None:
    """Let them do whatever there is to do now."""
    for each in schedulers:
        while each.poll() == 0.0:
            pass


def known_since(moment: datetime, *keys: str) -> None:
    """Let the schedules of these tasks, or of all, hold since then."""
    at = application.database().to_database(moment)
    for key in keys or [row[0] for row in ask("select task_key from queuekit_recurring_tasks")]:
        ask(
            "update queuekit_recurring_tasks set updated_at = :at where task_key = :key",
            at=at,
            key=key,
        )


def runs(key: str) -> list[datetime]:
    """When the runs of a task were due that were enqueued."""
    found = ask(
        "select run_at from queuekit_recurring_executions where task_key = :key order by run_at",
        key=key,
    )
    return [application.database().moment_from_database(run_at) for (run_at,) in found]


def minutes(*numbers: float) -> list[datetime]:
    """So many minutes after the tests' time began."""
    return [MIDNIGHT + timedelta(minutes=number) for number in numbers]


def enqueued(class_name: str = NOTE) -> int:
    """How many jobs of this name there are."""
    found = ask("select count(*) from queuekit_jobs where class_name = :name", name=class_name)
    return int(found[0][0])


@contextmanager
def reported() -> Iterator[list[events.Event]]:
    """The events of a block."""
    found: list[events.Event] = []
    events.subscribe(found.append)
    try:
        yield found
    finally:
        events.unsubscribe(found.append)


def errors(found: list[events.Event]) -> list[str]:
    """Where errors occurred."""
    return [event.where for event in found if isinstance(event, events.ErrorOccurred)]


def job_ids(database: Database) -> list[str]:
    """The ids of the jobs that runs name."""
    return [
        str(job_id)
        for (job_id,) in ask(
            "select job_uuid from queuekit_recurring_executions order by task_key, run_at"
        )
    ]
