"""Tasks as config/recurring.yml has them, or a dispatcher, and everything that is wrong with them.

What a mapping may hold is for `queuekit.config.tasks`; here come schedules, commands and arguments.
"""

from __future__ import annotations

from queuekit import arguments
from queuekit.config import Configuration
from queuekit.config.checking import Settings
from queuekit.config.problems import Problems
from queuekit.config.recurring import recurring_entries
from queuekit.config.settings import TaskEntry
from queuekit.config.tasks import (
    IN_A_FILE,
    TaskSettings,
    has_unusable,
    read_task,
    refuse_neither_or_both,
)
from queuekit.errors import SerializationError
from queuekit.recurrences import schedule_of
from queuekit.recurring import commands
from queuekit.recurring.task import RecurringTask
from queuekit.schedules import Schedule


def collect(configuration: Configuration, problems: Problems) -> list[RecurringTask]:
    """The tasks that nothing is wrong with; the problems of the others are reported."""
    entries = recurring_entries(configuration, problems)
    return [task for entry in entries if (task := _read(entry, problems)) is not None]


def _read(entry: TaskEntry, problems: Problems) -> RecurringTask | None:
    before = len(problems.found)
    task = Settings(entry.values, entry.place, problems)
    refuse_neither_or_both(task)
    settings = read_task(task, IN_A_FILE)
    schedule = schedule_of(settings, task)
    _check_command(settings, task)
    _check_arguments(settings, task)
    if schedule is None or len(problems.found) > before or has_unusable(dict(entry.values)):
        return None
    return as_task(entry.key, schedule, settings, entry.place)


def as_task(
    key: str,
    schedule: Schedule,
    settings: TaskSettings,
    place: str,
    class_name: str | None = None,
) -> RecurringTask:
    return RecurringTask(
        key=key,
        schedule=schedule,
        text=settings.schedule,
        class_name=class_name or settings.class_name,
        command=settings.command,
        args=settings.args,
        kwargs=settings.kwargs,
        queue=settings.queue,
        priority=settings.priority,
        description=settings.description,
        missed=settings.missed,
        missed_within=settings.missed_within,
        place=place,
    )


def _check_command(settings: TaskSettings, task: Settings) -> None:
    if settings.command is None:
        return
    try:
        commands.parse(settings.command)
    except commands.UnusableCommandError as error:
        task.report("command", str(error))


def _check_arguments(settings: TaskSettings, task: Settings) -> None:
    try:
        arguments.dump(settings.args, dict(settings.kwargs))
    except SerializationError as error:
        task.report("args", str(error))
