"""What can be said of the static tasks before any of them runs, as `bin/jobs check` says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from queuekit import importing
from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.config.queues import serves
from queuekit.errors import ConfigurationError
from queuekit.recurring import reading, static, targets
from queuekit.recurring.targets import JobTarget, Target
from queuekit.recurring.task import RecurringTask


class Checked(NamedTuple):
    """The tasks that can be read, and what is wrong with any, or worth saying. A warning is about
    what may be right with another host's part in it."""

    tasks: list[RecurringTask]
    problems: list[str]
    hints: list[str]
    warnings: list[str]


def check(configuration: Configuration) -> Checked:
    """The static tasks, checked as far as can be done without enqueueing any. Imports what is under
    `imports`, and the modules of the tasks."""
    if configuration.skip_recurring:
        return Checked([], [], [], [])
    problems = Problems()
    _import(configuration, problems)
    tasks = static.collect(configuration, problems)
    queues = _check_targets(tasks, configuration, problems)
    return Checked(
        tasks,
        list(dict.fromkeys(problems.found)),
        problems.hints,
        list(_unserved(queues, configuration)),
    )


def check_files(configuration: Configuration) -> Checked:
    """What the files alone say, for a configuration that is not complete enough to import any
    module."""
    problems = Problems()
    tasks = reading.collect(configuration, problems)
    return Checked(tasks, list(dict.fromkeys(problems.found)), problems.hints, [])


def describe(task: RecurringTask) -> str:
    """A task in one line."""
    what = task.command or task.class_name
    queue = f"; queue {task.queue}" if task.queue is not None else ""
    return f"{task.key}: {what}; {task.schedule.describe()}{queue}"


def _import(configuration: Configuration, problems: Problems) -> None:
    try:
        importing.import_all(configuration.imports)
    except ConfigurationError as error:
        problems.found += [_in_one_line(problem) for problem in error.problems]


def _check_targets(
    tasks: list[RecurringTask], configuration: Configuration, problems: Problems
) -> dict[str, list[str]]:
    """The queues that tasks use, each with the keys of these."""
    queues: dict[str, list[str]] = {}
    folder = Path.cwd()
    for task in tasks:
        # Importing runs the application's modules, and a queue may be its function: anything can
        # go wrong there, and is what check is to report.
        try:
            queue = _queue(targets.check(task, configuration.imports, folder))
        except Exception as error:
            problems.add(_place(task), _in_one_line(str(error) or type(error).__name__))
        else:
            if queue is not None:
                queues.setdefault(queue, []).append(task.key)
    return queues


def _queue(target: Target) -> str | None:
    return target.queue if isinstance(target, JobTarget) else None


def _place(task: RecurringTask) -> str:
    if task.place.startswith("job "):
        return f"{task.place}: recurring"
    return f"{task.place}.{'class' if task.command is None else 'command'}"


def _unserved(queues: dict[str, list[str]], configuration: Configuration) -> Iterator[str]:
    """Where there are no workers at all, they run elsewhere."""
    for queue, keys in queues.items() if configuration.workers else ():
        if not any(serves(worker.queues, queue) for worker in configuration.workers):
            shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            yield f"no worker here serves the queue {queue}, which is used by {shown}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
