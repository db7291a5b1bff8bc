"""Running a recurring task by hand, now: what its schedule would enqueue, beside the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from queuekit import application
from queuekit.config.problems import Problems, did_you_mean
from queuekit.enqueueing import write
from queuekit.errors import RecurringTaskNotFoundError
from queuekit.receipts import Receipt
from queuekit.recurring import commands, rows, static, targets
from queuekit.recurring.targets import ForeignTarget
from queuekit.recurring.task import RecurringTask


def run(key: str) -> Receipt | None:
    """Enqueue what the task of this key enqueues, now. Returns the job's receipt; None when it is
    another library's task, which has been handed on.

    It is no run of the schedule: the next one comes at its time, and this one is not the last. Like
    the schedule's, its job is enqueued without enqueue callbacks. A static task has to be one of
    this configuration's: its row is for people to see.

    Raises RecurringTaskNotFoundError; ConfigurationError where what is wrong with this
    configuration's tasks may be the reason; whatever the target's enqueueing raises.
    """
    return enqueue(find(key))


def enqueue(task: RecurringTask) -> Receipt | None:
    """What `run` does with the task that it has found."""
    imports, folder = application.configuration().imports, application.folder()
    target = targets.find(targets.with_arguments(task), imports, folder)
    if isinstance(target, ForeignTarget):
        target.enqueue()
        return None
    return write([target.describe()])[0]


def find(key: str) -> RecurringTask:
    """The task of this key: a static one of this configuration, else a dynamic one."""
    problems = Problems()
    # A host that leaves the schedule to others may still be told to run a task.
    configuration = replace(application.configuration(), skip_recurring=False)
    known = {
        task.key: task for task in static.collect(commands.in_its_folder(configuration), problems)
    }
    if key in known:
        return known[key]
    database = application.database()
    for row in rows.dynamic(database):
        if row.key == key:
            return row.task()
    problems.raise_if_any()
    raise RecurringTaskNotFoundError(_not_found(key, known, dict(rows.kinds(database))))


def _not_found(key: str, known: Mapping[str, object], stored: Mapping[str, bool]) -> str:
    if key in stored:
        return (
            f"the recurring task {key!r} is static, and is none of this configuration's: run it "
            "where its file is"
        )
    return f"there is no recurring task {key!r}{did_you_mean(key, [*known, *stored])}"
