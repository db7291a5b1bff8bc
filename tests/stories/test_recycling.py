"""Recycling: a worker that has had enough finishes what it has, leaves, and is replaced."""

from __future__ import annotations

import time
from collections import Counter

from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import Application, enqueue_all, wait_until


def test_after_max_jobs(application: Application) -> None:
    application.configure(workers={"threads": 3, "max_jobs": 10})
    application.start()
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(45)])

    application.wait_until_jobs(finished=45)

    performed = Counter(pid for pid, _ in application.ran_where())
    assert sorted(performed.values()) == [5, 10, 10, 10, 10]
    assert application.printed().count("it has had its max_jobs, 10") == 4
    assert_ended_once(receipts)
    # None of them died: nothing was killed, failed or throttled.
    assert "replacing it" not in application.printed()
    application.stop()
    assert_clean_termination(application)


def test_after_max_age(application: Application) -> None:
    application.configure(workers={"threads": 2, "max_age": 0.5})
    application.start()
    worker = application.worker()
    receipts = [application.enqueue("jobs.wait", "old")]
    application.wait_until_ran("old began")

    application.wait_until_printed("it has reached its max_age, 0.5 s")
    receipts.append(application.enqueue("jobs.note", "new"))
    application.open()

    application.wait_until_replaced(worker)
    application.wait_until_jobs(finished=2)
    where = {text: pid for pid, text in application.ran_where()}
    assert where["old ended"] == worker.pid
    assert where["new"] != worker.pid
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_after_max_memory(application: Application) -> None:
    application.configure(workers={"threads": 2, "max_memory": "150 MB"})
    application.start()
    worker = application.worker()
    receipts = [
        application.enqueue("jobs.wait", "beside it"),
        application.enqueue("jobs.leak", 200_000_000),
    ]
    application.wait_until_ran("leaked", "beside it began")

    application.wait_until_printed("it has grown over its max_memory, 150,000,000 bytes")
    receipts.append(application.enqueue("jobs.note", "next"))
    application.open()

    application.wait_until_replaced(worker)
    application.wait_until_jobs(finished=3)
    where = {text: pid for pid, text in application.ran_where()}
    assert where["beside it ended"] == worker.pid
    assert where["next"] != worker.pid
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_has_nothing_to_do_is_replaced_for_its_age_and_not_for_its_size(
    application: Application,
) -> None:
    application.configure(
        workers=[{"max_age": 0.5, "queues": "young"}, {"max_memory": "16 MiB", "queues": "small"}]
    )
    application.start()
    small, young = sorted(application.processes("Worker"), key=lambda p: p.metadata["queues"])

    application.wait_until_replaced(young)

    assert small.id in [process.id for process in application.processes()]
    assert "max_memory" not in application.printed()
    application.stop()
    assert_clean_termination(application)


def test_a_limit_below_what_a_worker_needs_for_itself_lets_each_one_do_some_work(
    application: Application,
) -> None:
    application.configure(
        workers=[
            {"threads": 1, "max_memory": "16 MiB"},
            {"threads": 1, "max_age": 0.001},
        ]
    )
    application.launch()
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(3)])

    application.wait_until_jobs(finished=3)

    assert_ended_once(receipts)
    assert len({pid for pid, _ in application.ran_where()}) > 1
    application.stop()
    assert_clean_termination(application)


def test_no_worker_performs_more_than_its_max_jobs_however_many_threads_it_has(
    application: Application,
) -> None:
    application.configure(workers={"threads": 8, "max_jobs": 1})
    application.start()
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(5)])

    application.wait_until_jobs(finished=5)

    assert set(Counter(pid for pid, _ in application.ran_where()).values()) == {1}
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_workers_that_are_recycled_all_the_time_lose_nothing(application: Application) -> None:
    """Leaving by itself is no early death: the next begins at once, however often."""
    application.configure(workers={"processes": 2, "threads": 2, "max_jobs": 5})
    application.start()
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(150)])
    began = time.monotonic()

    application.wait_until_jobs(finished=150)

    assert Counter(application.ran()) == Counter(f"{number}" for number in range(150))
    assert time.monotonic() - began < 20
    assert_ended_once(receipts)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_is_leaving_can_still_be_stopped(application: Application) -> None:
    application.configure(workers={"threads": 2, "max_jobs": 1}, shutdown_timeout=0.3)
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_printed("it has had its max_jobs, 1")
    wait_until(lambda: application.ran() == ["one began"], application, "it runs")

    application.stop()

    assert_clean_termination(application)
    assert_ended_once([receipt], outcomes=["ready"])
