"""What a job's declaration says of when it recurs: `recurring=`, as a text, a mapping or a list.

    recurring="every hour"
    recurring={"schedule": "every day at 1am", "args": [42], "timezone": "Europe/Paris"}
    recurring=[{"key": "early", "schedule": "every day at 6am"}, ...]

The settings are those of a task in config/recurring.yml, whose `class` the job is. The key of the
task is the job's name where `key` does not say another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from queuekit.checks import unusable_name
from queuekit.config.checking import Settings
from queuekit.config.problems import Problems
from queuekit.config.tasks import IN_CODE, TaskSettings, read_task
from queuekit.errors import ScheduleError

if TYPE_CHECKING:
    from queuekit.schedules import Schedule

Recurring = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]


class UnusableRecurrenceError(ValueError):
    """A `recurring` that makes no task. The message says why."""


class Recurrence(NamedTuple):
    """One task that a declaration makes of its job."""

    key: str
    schedule: Schedule
    settings: TaskSettings


def read(job: str, value: Any) -> tuple[Recurrence, ...]:
    """The tasks that the `recurring` of a job makes of it.

    Raises UnusableRecurrenceError.
    """
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        found = [_read(job, item, f"recurring[{index}]") for index, item in enumerate(value)]
    else:
        found = [_read(job, value, "recurring")]
    keys = [recurrence.key for recurrence in found]
    for key in keys:
        if keys.count(key) > 1:
            raise UnusableRecurrenceError(
                f"recurring: two of its tasks have the key {key}; give each a key of its own"
            )
    return tuple(found)


def _read(job: str, value: Any, place: str) -> Recurrence:
    if isinstance(value, str):
        value = {"schedule": value}
    if not isinstance(value, Mapping):
        raise UnusableRecurrenceError(
            f"{place} is a schedule, or a mapping with one, or a list of these, not {value!r}"
        )
    problems = Problems()
    task = Settings(_in_seconds(value), place, problems)
    settings = read_task(task, IN_CODE)
    key = task.text("key") or job
    if (problem := unusable_name("the key", key)) is not None:
        problems.add(place, problem)
    schedule = schedule_of(settings, task)
    if problems.found or schedule is None:
        raise UnusableRecurrenceError("; ".join(problems.found))
    return Recurrence(key, schedule, settings)


def _in_seconds(value: Mapping[str, Any]) -> Mapping[str, Any]:
    within = value.get("missed_within")
    if isinstance(within, timedelta):
        return {**value, "missed_within": within.total_seconds()}
    return value


def schedule_of(settings: TaskSettings, task: Settings) -> Schedule | None:
    """The schedule of a task, in the zone of its text, else in its own. None when there is
    none: the reason is reported. For tasks in files as well."""
    from queuekit import schedules  # only those who have a schedule pay for it
    from queuekit.schedules.zones import zone_named

    zone = None
    if settings.timezone is not None:
        try:
            zone = zone_named(settings.timezone)
        except ScheduleError as error:
            task.report("timezone", str(error))
    if settings.schedule is None:
        return None
    try:
        return schedules.parse(settings.schedule, timezone=zone)
    except ScheduleError as error:
        task.report("schedule", str(error))
        return None
