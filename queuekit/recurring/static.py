"""The static tasks: those of the configuration's files and those declared beside the code, in one.

Where both have a key, the file counts: it is where an operator changes a schedule that a developer
has declared, without a deploy.
"""

from __future__ import annotations

from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.recurring import declared, reading
from queuekit.recurring.task import RecurringTask


def read(configuration: Configuration) -> list[RecurringTask]:
    """All static tasks, once the modules under `imports` are imported; none when they are skipped.

    Raises ConfigurationError with everything that is wrong with any of them.
    """
    problems = Problems()
    tasks = collect(configuration, problems)
    problems.raise_if_any()
    return tasks


def collect(configuration: Configuration, problems: Problems) -> list[RecurringTask]:
    """The tasks that nothing is wrong with; what is wrong with the others is reported, and what is
    only worth saying is a hint."""
    if configuration.skip_recurring:
        return []
    tasks = {task.key: task for task in reading.collect(configuration, problems)}
    for task in declared.collect(problems):
        first = tasks.setdefault(task.key, task)
        if first is not task:
            problems.hint(
                first.place, f"counts; a task of the same key, of {task.place}, is left alone"
            )
    return list(tasks.values())
