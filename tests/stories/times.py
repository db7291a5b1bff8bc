"""Time in stories: waits of hours are read from the rows, and let pass at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from queuekit.application import database
from queuekit.enqueueing import Receipt
from tests.dialects.support import ask
from tests.stories.support import Application, wait_until


def pass_time_until(
    condition: Callable[[], object], application: Application, promise: str
) -> None:
    """Let all scheduled jobs become due, again and again, until the condition holds. What their own
    rows say of the time that they were to wait for stays."""

    def holds() -> bool:
        ask(
            "update queuekit_scheduled_executions set scheduled_at ="
            " (select created_at from queuekit_jobs where id = job_id)"
        )
        return bool(condition())

    wait_until(holds, application, promise)


def pass_time_until_jobs(application: Application, **counts: int) -> None:
    """Let time pass until so many jobs are in these states, and none in any other."""
    pass_time_until(lambda: application.jobs() == counts, application, f"the jobs are {counts}")


def waits(receipt: Receipt) -> list[float]:
    """The seconds that a job was to wait after each attempt that was retried."""
    rows = ask(
        "select ended.finished_at, job.scheduled_at from queuekit_jobs job"
        " join queuekit_jobs last on last.uuid = job.uuid and last.attempt = job.attempt - 1"
        " join queuekit_finished_executions ended on ended.job_id = last.id"
        " where job.uuid = :job_id order by job.attempt",
        job_id=receipt.job_id,
    )
    return [(_moment(due) - _moment(ended)).total_seconds() for ended, due in rows]


def _moment(stored: object) -> datetime:
    found = database().from_database(stored)
    assert found is not None
    return found
