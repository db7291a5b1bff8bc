"""The recurring tasks as operators see them: what each enqueues, when it ran last and what became
of that, when it runs next.

What the schedulers go by stands in the rows. A static task of this configuration that has no row
yet, because no scheduler has begun with it, is listed all the same.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queuekit import application, importing, schedules
from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.database import Database, Row
from queuekit.errors import ScheduleError
from queuekit.recurring import commands, rows, static
from queuekit.recurring.task import RecurringTask
from queuekit.schedules import Schedule

#: What a job's state is to its run. Others are the outcomes of finished jobs, which are theirs.
_OUTCOMES = {"claimed": "running", None: "cleared"}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a task: the time that it was for, its job, and what became of that.

    `outcome` is waiting, running, finished, failed or discarded; retried while another attempt of
    it waits; cleared when its job is kept no more. A task of another library has no job here: it
    was handed on.
    """

    at: datetime
    job_id: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A recurring task. `schedule` is its text, `words` says it in English, `cron` as cron;
    `next_run` is in the schedule's own zone. Where the schedule cannot be read, `problem` says why.

    `queue` is the one that its jobs go to, as far as this process knows. `is_stored` is false of a
    static task with which no scheduler has begun.
    """

    key: str
    schedule: str
    class_name: str | None
    command: str | None
    queue: str | None
    priority: int | None
    description: str | None
    timezone: str | None
    missed: str
    missed_within: float | None
    is_static: bool
    is_stored: bool
    words: str | None = None
    cron: str | None = None
    next_run: datetime | None = None
    last_run: LastRun | None = None
    problem: str | None = None


def list() -> builtins.list[ListedTask]:
    """Every recurring task, static and dynamic, by its key.

    Raises ConfigurationError with everything that is wrong with this configuration's static tasks,
    and the DatabaseErrors.
    """
    problems = Problems()
    tasks = collect(commands.in_its_folder(application.configuration()), problems)
    problems.raise_if_any()
    return tasks


def collect(configuration: Configuration, problems: Problems) -> builtins.list[ListedTask]:
    """The tasks; what is wrong with static ones of this configuration is reported."""
    database = application.database()
    now = rows.now(database)
    known = {task.key: task for task in static.collect(configuration, problems)}
    stored = [_stored(row, database, now) for row in database.query("recurring.list")]
    keys = {task.key for task in stored}
    others = [_not_stored(task, now) for task in known.values() if task.key not in keys]
    return sorted([*stored, *others], key=lambda task: task.key)


def _stored(row: Row, database: Database, now: datetime) -> ListedTask:
    key, text, class_name, command, queue, priority, description, timezone, *rest = row
    missed, missed_within, is_static, run_at, job_id, job_queue, attempt, state = rest
    return ListedTask(
        key=key,
        schedule=text,
        class_name=class_name,
        command=command,
        queue=queue or _queue(class_name) or job_queue,
        priority=priority,
        description=description,
        timezone=timezone,
        missed=missed,
        missed_within=missed_within,
        is_static=bool(is_static),
        is_stored=True,
        last_run=_last_run(database.from_database(run_at), job_id, attempt, state),
        **_times(text, timezone, None, now),
    )


def _not_stored(task: RecurringTask, now: datetime) -> ListedTask:
    return ListedTask(
        key=task.key,
        schedule=task.text or task.schedule.text,
        class_name=task.class_name,
        command=task.command,
        queue=task.queue or _queue(task.class_name),
        priority=task.priority,
        description=task.description,
        timezone=str(task.schedule.zone),
        missed=task.missed,
        missed_within=task.missed_within,
        is_static=True,
        is_stored=False,
        **_times(task.schedule.text, None, task.schedule, now),
    )


def _queue(class_name: str | None) -> str | None:
    """The queue of a task that says none: a command's, or its job's own where that is known here
    and is no function."""
    if class_name is None:
        return commands.QUEUE
    declaration = importing.known(class_name)
    queue = None if declaration is None else declaration.queue
    return queue if isinstance(queue, str) else None


def _last_run(
    at: datetime | None, job_id: Any, attempt: int | None, state: str | None
) -> LastRun | None:
    if at is None:
        return None
    elif job_id is None:
        return LastRun(at, None, "handed on")
    elif state == "waiting" and attempt is not None and attempt > 1:
        return LastRun(at, str(job_id), "retried")
    else:
        return LastRun(at, str(job_id), _OUTCOMES.get(state) or str(state))


def _times(
    text: str, timezone: str | None, schedule: Schedule | None, now: datetime
) -> dict[str, Any]:
    """What follows from the schedule: whoever wrote the row may know more of such than we do."""
    try:
        schedule = schedule or schedules.parse(text, timezone=timezone)
        next_run = schedule.next(now).astimezone(schedule.zone)
    except ScheduleError as error:
        return {"problem": str(error)}
    return {"words": schedule.describe(), "cron": schedule.cron, "next_run": next_run}
