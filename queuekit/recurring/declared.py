"""Tasks declared beside the code, with `@job(recurring=...)` or a class's `recurring`.

They are those of the jobs that this process has imported: the scheduler's are those under
`imports`.
"""

from __future__ import annotations

from queuekit import declaration
from queuekit.config.problems import Problems
from queuekit.recurring.reading import as_task
from queuekit.recurring.task import RecurringTask


def collect(problems: Problems) -> list[RecurringTask]:
    """The declared tasks. Two of one key are a problem, which is reported."""
    tasks: dict[str, RecurringTask] = {}
    for declared in declaration.every():
        for key, schedule, settings in declared.recurrences:
            place = f"job {declared.name} ({declared.place})"
            task = as_task(key, schedule, settings, place, class_name=declared.name)
            first = tasks.setdefault(key, task)
            if first is not task:
                problems.add(place, f"its recurring task {key} has the key of one of {first.place}")
    return list(tasks.values())
