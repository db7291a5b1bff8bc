"""Unique jobs in the test helpers, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import queuekit
from queuekit import Receipt, Retry, Unique
from queuekit.testing import Jobs, in_memory

ran: list[Receipt | str] = []


@queuekit.job(unique=Unique("key"), retry_on=Retry(OSError, wait=60))
def refresh(key: str, error: bool = False) -> None:
    ran.append(key)
    if error and len(ran) == 1:
        raise OSError


@queuekit.job(unique=Unique("key", window=3600))
def hourly(key: str) -> None: ...


@queuekit.job(unique=Unique("key", while_="pending_or_running"))
def itself(key: str) -> None:
    ran.append(itself.enqueue(key))


@queuekit.job(unique=Unique("key"))
def itself_again(key: str) -> None:
    ran.append(itself_again.enqueue(key))


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    ran.clear()
    with in_memory() as jobs:
        yield jobs


def test_one_that_waits_is_there_already(jobs: Jobs) -> None:
    first, second = refresh.using(wait=60).enqueue("a"), refresh.enqueue("a")
    receipts = queuekit.enqueue_all(refresh.bind(key) for key in "abb")

    assert (second.status, second.job_id, second.row_id) == ("existing", first.job_id, first.row_id)
    assert second.scheduled_at == first.scheduled_at
    assert [receipt.status for receipt in receipts] == ["existing", "enqueued", "existing"]
    jobs.assert_enqueued_jobs(2)


def test_after_its_run_another_one_is_enqueued(jobs: Jobs) -> None:
    first = refresh.enqueue("a")
    jobs.perform_enqueued_jobs()

    assert refresh.enqueue("a").job_id != first.job_id


def test_one_that_waits_for_its_retry_is_there_already(jobs: Jobs) -> None:
    first = refresh.enqueue("a", error=True)
    jobs.perform_enqueued_jobs()
    (again,) = jobs.enqueued

    second = refresh.enqueue("a")
    assert (second.status, second.job_id) == ("existing", first.job_id)
    assert second.row_id == again.claimed.row_id


def test_in_its_window_it_is_there_by_the_tests_time(jobs: Jobs) -> None:
    first = hourly.enqueue("a")
    jobs.perform_enqueued_jobs()
    jobs.travel(timedelta(minutes=59))
    second = hourly.enqueue("a")
    assert (second.status, second.job_id, second.row_id) == ("existing", first.job_id, None)

    jobs.travel(timedelta(minutes=2))
    assert hourly.enqueue("a").status == "enqueued"


@pytest.mark.parametrize(("job", "status"), [(itself, "existing"), (itself_again, "enqueued")])
def test_one_that_runs_is_there_where_the_job_says_so(
    jobs: Jobs, job: queuekit.job, status: str
) -> None:
    job.enqueue("a")
    jobs.perform_enqueued_jobs()

    (receipt,) = ran
    assert isinstance(receipt, Receipt)
    assert receipt.status == status


def test_one_that_is_there_already_is_not_performed_at_once(jobs: Jobs) -> None:
    refresh.enqueue("a")
    with jobs.performing():
        refresh.enqueue("a")
        queuekit.enqueue_all(refresh.bind(key) for key in "bb")

    assert ran == ["b"]
