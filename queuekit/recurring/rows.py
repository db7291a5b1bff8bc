"""The rows of recurring tasks and of their runs; nothing here decides anything.

Static tasks are written by each scheduler when it begins, so that operators see them; a scheduler
goes by what it was given. Dynamic ones live here alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from queuekit import arguments, importing, schedules
from queuekit.database import Connection, Database, Row
from queuekit.description import stored_arguments
from queuekit.errors import RecurringTaskError
from queuekit.recurring.task import RecurringTask


class Standing(NamedTuple):
    """Of one task: since when its schedule holds, and its last run, None when it had none."""

    since: datetime
    last_run: datetime | None


class DynamicRow(NamedTuple):
    """A dynamic task as it stands in its row, not read yet: whoever wrote it may know more than we
    do."""

    key: str
    schedule: str
    class_name: str | None
    arguments: str
    queue: str | None
    priority: int | None
    description: str | None
    timezone: str | None
    missed: Any
    missed_within: float | None
    since: datetime

    @property
    def times(self) -> tuple[object, ...]:
        """What decides when it runs."""
        return self.schedule, self.timezone, self.since

    def task(self) -> RecurringTask:
        """Raises ScheduleError, and RecurringTaskError for a row that names no job: commands are
        found in files only."""
        if self.class_name is None:
            raise RecurringTaskError(f"the dynamic task {self.key} names no job")
        return RecurringTask(
            key=self.key,
            schedule=schedules.parse(self.schedule, timezone=self.timezone),
            text=self.schedule,
            class_name=self.class_name,
            stored_arguments=self.arguments,
            queue=self.queue,
            priority=self.priority,
            description=self.description,
            missed=self.missed,
            missed_within=self.missed_within,
            is_static=False,
            place="a dynamic task",
        )


def now(database: Database) -> datetime:
    """The database's time, by which runs are due."""
    return database.moment_from_database(database.query("recurring.now")[0][0])


# Tasks


def store_static(database: Database, tasks: Sequence[RecurringTask]) -> None:
    """Have exactly these static tasks. Those of a file that is being deployed elsewhere at the same
    time come and go with its schedulers' starts."""
    ours = {task.key for task in tasks}
    if tasks:
        database.query("recurring.store", tasks=_json(tasks), is_static=True)
    gone = [key for key, is_static in kinds(database) if is_static and key not in ours]
    if gone:
        remove(database, gone, is_static=True)


def store_dynamic(database: Database, task: RecurringTask) -> bool:
    """Have this dynamic task, in place of one of its key. False when that one is static."""

    def work(connection: Connection) -> bool:
        parameters = {"tasks": _json([task]), "is_static": False}
        connection.run(database.named("recurring.store"), parameters)
        find = database.named("recurring.find")
        return not connection.run(find, {"task_key": task.key})[0][0]

    return database.transact(work)


def remove(database: Database, keys: Collection[str], *, is_static: bool) -> int:
    """Take tasks of this kind away; their runs stay. Returns how many there were."""
    rows = database.query("recurring.remove", keys=json.dumps(sorted(keys)), is_static=is_static)
    return len(rows)


def is_static(database: Database, key: str) -> bool | None:
    """Whether the task is static; None when there is none of that key."""
    rows = database.query("recurring.find", task_key=key)
    return bool(rows[0][0]) if rows else None


def kinds(database: Database) -> list[tuple[str, bool]]:
    """Every task's key, and whether it is static."""
    return [(key, bool(is_static)) for key, is_static in database.query("recurring.kinds")]


def dynamic(database: Database) -> list[DynamicRow]:
    rows = database.query("recurring.dynamic")
    return [DynamicRow(*row)._replace(since=database.moment_from_database(row[-1])) for row in rows]


def standing(database: Database) -> Mapping[str, Standing]:
    """How all tasks stand, by their keys."""
    return {
        key: Standing(database.moment_from_database(since), database.from_database(last_run))
        for key, since, last_run in database.query("recurring.standing")
    }


def _json(tasks: Iterable[RecurringTask]) -> str:
    return json.dumps([_columns(task) for task in tasks])


def _columns(task: RecurringTask) -> dict[str, Any]:
    return {
        "task_key": task.key,
        "schedule": task.text or task.schedule.cron,
        "class_name": task.class_name,
        "command": task.command,
        "arguments": task.stored_arguments or _stored(task),
        "queue_name": task.queue,
        "priority": task.priority,
        "description": task.description,
        "timezone": str(task.schedule.zone),
        "missed": task.missed,
        "missed_within": task.missed_within,
    }


def _stored(task: RecurringTask) -> str:
    """For people to see: what the job redacts is marked, where the job is known here."""
    kwargs = dict(task.kwargs)
    declaration = importing.known(task.class_name) if task.class_name else None
    if declaration is None:
        return arguments.dump(task.args, kwargs)
    return stored_arguments(declaration, task.args, kwargs)


# Runs


class RunRow(NamedTuple):
    """A run to be written: whose, when, an id of its own, and its job's id where it has a job."""

    key: str
    at: datetime
    token: str
    job_id: str | None


def record(
    database: Database, connection: Connection, runs: Iterable[RunRow]
) -> set[tuple[str, datetime]]:
    """Write runs within the transaction that is open. Returns those that nobody had written."""
    given = [
        {
            "task_key": run.key,
            "run_at": database.to_database(run.at),
            "token": run.token,
            "job_uuid": run.job_id,
        }
        for run in runs
    ]
    rows: list[Row] = connection.run(
        database.named("recurring.record"), {"runs": json.dumps(given)}
    )
    return {(key, database.moment_from_database(run_at)) for key, run_at in rows}


def reassign(database: Database, connection: Connection, runs: Iterable[RunRow]) -> None:
    """Write other jobs' ids into runs that were written in the transaction that is open."""
    given = [
        {"task_key": run.key, "run_at": database.to_database(run.at), "job_uuid": run.job_id}
        for run in runs
    ]
    connection.run(database.named("recurring.reassign"), {"runs": json.dumps(given)})


def clear_page(database: Database, seconds: float, limit: int) -> int:
    """Delete runs that were written so many seconds ago, but never a task's last one. Returns how
    many there were; fewer than `limit` when no more are left."""
    return len(database.query("recurring.clear", seconds=seconds, limit=limit))
