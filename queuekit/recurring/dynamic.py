"""Recurring tasks that are made, replaced and removed while everything runs.

    queuekit.schedule_recurring_task("digest-42", job=digest, args=(42,), schedule="every hour")
    queuekit.unschedule_recurring_task("digest-42")

They are rows, so they outlive restarts and deploys. Schedulers whose configuration has
`dynamic_tasks_enabled` pick them up within their polling interval. Everything is checked here,
before it becomes a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from queuekit import application, schedules
from queuekit.checks import in_seconds, unusable_name
from queuekit.declaration import Declaration
from queuekit.description import options
from queuekit.errors import RecurringTaskError, RecurringTaskNotFoundError, ScheduleError
from queuekit.recurring import rows, targets
from queuekit.recurring.task import MISSED, Missed, RecurringTask
from queuekit.schedules import Schedule


def schedule_recurring_task(
    key: str,
    *,
    job: Any,
    schedule: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
    priority: int | None = None,
    description: str | None = None,
    timezone: str | None = None,
    missed: Missed = "skip",
    missed_within: timedelta | float | None = None,
) -> None:
    """Enqueue a job again and again, from now on, until the task is unscheduled.

    `job` is a declared job, or the name that it is stored under. `key` names the task; a dynamic
    task that has it is replaced. `queue` and `priority` are the job's own where they are not given.
    A `schedule` without a time zone is of `timezone`, else of this machine's. `missed` says what
    becomes of runs whose time comes while no scheduler is alive: they are skipped, the last of them
    is made up for `once`, or `all` are, as far as they lie within the last `missed_within` seconds.

    Raises RecurringTaskError, also when the task of this key is static; ScheduleError;
    UnknownJobError for a name without a job; SignatureError, SerializationError and
    EnqueueOptionError as `enqueue` does; and the DatabaseErrors.
    """
    _check(key, description, missed)
    options(queue=queue, priority=priority, wait=None, at=None, connection=None)
    task = RecurringTask(
        key=key,
        schedule=_schedule(key, schedule, timezone),
        text=schedule,
        class_name=_name(key, job),
        args=tuple(args),
        kwargs=dict(kwargs or {}),
        queue=queue,
        priority=priority,
        description=description,
        missed=missed,
        missed_within=_seconds(key, missed_within),
        is_static=False,
    )
    targets.check(task, application.configuration().imports, application.folder())
    if not rows.store_dynamic(application.database(), task):
        raise _is_static(key, "replaced")


def unschedule_recurring_task(key: str) -> None:
    """Have this dynamic task run no more. What it has enqueued stays.

    Raises RecurringTaskNotFoundError, RecurringTaskError when the task is static, and the
    DatabaseErrors.
    """
    database = application.database()
    if rows.remove(database, [key], is_static=False):
        return
    if rows.is_static(database, key):
        raise _is_static(key, "removed")
    raise RecurringTaskNotFoundError(f"there is no recurring task {key!r}")


def _is_static(key: str, verb: str) -> RecurringTaskError:
    return RecurringTaskError(
        f"the recurring task {key!r} is static and cannot be {verb}: it stands in the recurring "
        "file, or beside its job's code"
    )


def _check(key: Any, description: Any, missed: Any) -> None:
    problem = unusable_name("key", key)
    if problem:
        raise RecurringTaskError(f"a recurring task's {problem}")
    if description is not None and not isinstance(description, str):
        raise RecurringTaskError(
            f"recurring task {key}: description is a text, not {description!r}"
        )
    if missed not in MISSED:
        raise RecurringTaskError(
            f"recurring task {key}: missed is {', '.join(MISSED[:-1])} or {MISSED[-1]}, "
            f"not {missed!r}"
        )


def _schedule(key: str, text: str, timezone: str | None) -> Schedule:
    """The schedule, in a zone that every scheduler finds by its name, whatever its machine's is."""
    schedule = schedules.parse(text, timezone=timezone)
    try:
        schedules.parse(text, timezone=str(schedule.zone))
    except ScheduleError as error:
        raise RecurringTaskError(
            f"recurring task {key}: this machine's time zone has no name that others know: say "
            "which timezone is meant"
        ) from error
    return schedule


def _name(key: str, job: Any) -> str:
    """The name that a job is stored under."""
    if isinstance(job, str):
        return job
    declaration = getattr(job, "_declaration", None)
    if isinstance(declaration, Declaration):
        return declaration.name
    raise RecurringTaskError(
        f"recurring task {key}: job is a declared job or the name of one, not {job!r}"
    )


def _seconds(key: str, span: timedelta | float | None) -> float | None:
    if span is None:
        return None
    seconds = in_seconds(span)
    if seconds is None or not 0 < seconds < float("inf"):
        raise RecurringTaskError(
            f"recurring task {key}: missed_within is a timedelta or a number of seconds, more than "
            f"0, not {span!r}"
        )
    return seconds
