"""What an application must keep, whatever its story: processes, errors, the invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import queuekit
from queuekit.application import database
from queuekit.enqueueing import Receipt
from queuekit.executions.failed import FailedJob
from tests.dialects.support import ask
from tests.stories.support import Application, wait_until


def assert_registered(application: Application, **kinds: int) -> None:
    """So many processes of each kind are registered, and no others."""
    wait_until(
        lambda: Counter(p.kind for p in application.processes()) == Counter(kinds),
        application,
        f"these processes are registered: {kinds}",
    )


def assert_registered_workers(application: Application, count: int) -> None:
    wait_until(
        lambda: len(application.processes("Worker")) == count, application, f"{count} workers"
    )


def assert_clean_termination(application: Application) -> None:
    """The supervisor has ended as it should: nothing lives, nothing is registered or claimed."""
    assert application.wait_for_end() == 0, application.printed()
    wait_until(lambda: not application.alive(), application, "all processes end")
    assert application.processes() == []
    assert "claimed" not in application.jobs()
    assert "Traceback" not in application.printed(), application.printed()
    assert_invariant()


def assert_invariant() -> None:
    """Every job has exactly one execution, every execution its job."""
    assert database().query("jobs.misplaced", limit=10) == []


def assert_ended_once(
    receipts: Iterable[Receipt], *, outcomes: Iterable[str] = ("finished",)
) -> None:
    """No job is lost: each has attempts numbered from 1, all of them retried but the last, which
    alone ended, in one of these ways. There are no others."""
    found = attempts()
    assert found.keys() == {receipt.job_id for receipt in receipts}
    for job_id, ends in found.items():
        numbers = [number for number, _ in ends]
        *before, (_, last) = ends
        assert numbers == list(range(1, len(ends) + 1)), (job_id, ends)
        assert all(end == "retried" for _, end in before), (job_id, ends)
        assert last in outcomes, (job_id, ends)
    assert_invariant()


def attempts() -> dict[str, list[tuple[int, str]]]:
    """Every job's attempts: their numbers and states, or outcomes where they have finished."""
    rows = ask(
        "select job.uuid, job.attempt, execution.state from queuekit_jobs job left join ("
        " select job_id, 'scheduled' as state from queuekit_scheduled_executions"
        " union all select job_id, 'ready' from queuekit_ready_executions"
        " union all select job_id, 'blocked' from queuekit_blocked_executions"
        " union all select job_id, 'claimed' from queuekit_claimed_executions"
        " union all select job_id, 'failed' from queuekit_failed_executions"
        " union all select job_id, outcome from queuekit_finished_executions"
        ") execution on execution.job_id = job.id order by job.attempt"
    )
    found: dict[str, list[tuple[int, str]]] = {}
    for job_id, attempt, state in rows:
        found.setdefault(str(job_id), []).append((attempt, state))
    return found


def assert_failed(receipt: Receipt, exception_class: str, message: str) -> FailedJob:
    """The job has failed with this error; `message` is how the error's begins."""
    failed = queuekit.failed.show(receipt.job_id)
    assert failed.error.exception_class == exception_class
    assert failed.error.message.startswith(message), failed.error.message
    return failed
