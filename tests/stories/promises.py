"""What an application must keep, whatever its story: processes, errors, the invariant."""

from __future__ import annotations

from collections import Counter

import queuekit
from queuekit.application import database
from queuekit.enqueueing import Receipt
from queuekit.executions.failed import FailedJob
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


def assert_failed(receipt: Receipt, exception_class: str, message: str) -> FailedJob:
    """The job has failed with this error; `message` is how the error's begins."""
    failed = queuekit.failed.show(receipt.job_id)
    assert failed.error.exception_class == exception_class
    assert failed.error.message.startswith(message), failed.error.message
    return failed
