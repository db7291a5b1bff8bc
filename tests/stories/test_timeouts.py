"""Timeouts: a job that runs too long is told so; one that does not listen ends its process."""

from __future__ import annotations

from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_registered,
)
from tests.stories.support import Application, lives, wait_until


def test_a_job_past_its_timeout_fails_and_its_worker_goes_on(application: Application) -> None:
    application.configure(workers={"threads": 2})
    application.start()
    worker = application.worker()
    receipts = [application.enqueue("jobs.overrun", "long"), application.enqueue("jobs.wait", "ok")]

    application.wait_until_jobs(failed=1, claimed=1)

    failed = assert_failed(
        receipts[0], "queuekit.errors.JobTimeout", "the job ran longer than its timeout"
    )
    assert "wait_until_open" in failed.error.traceback
    assert "ran longer than 0.5 s and is told to end" in application.printed()
    application.open()
    application.wait_until_jobs(failed=1, finished=1)
    assert application.worker().id == worker.id
    assert_ended_once(receipts, outcomes=["failed", "finished"])
    application.stop()
    assert_clean_termination(application)


def test_a_job_may_catch_its_timeout_and_finish(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()
    receipts = [application.enqueue("jobs.overrun_and_tidy_up", f"{n}") for n in range(3)]
    receipts.append(application.enqueue("jobs.note", "next"))

    application.wait_until_jobs(finished=4)

    assert [text for text in application.ran() if text.endswith("tidied up")] == [
        f"{n} tidied up" for n in range(3)
    ]
    assert application.worker().id == worker.id
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_does_not_end_fails_when_its_process_is_gone_and_not_before(
    application: Application,
) -> None:
    """It waits in C, where no exception reaches it. Its siblings finish; on_process_death="retry"
    is not for it: it would do the same again."""
    application.configure(workers={"threads": 3}, timeout_grace_period=0.3)
    application.start()
    worker = application.worker()
    stuck = application.enqueue("jobs.overrun_in_c", "stuck")
    siblings = [application.enqueue("jobs.wait", f"sibling {n}") for n in range(2)]
    application.wait_until_ran("stuck began", "sibling 0 began", "sibling 1 began")

    application.wait_until_printed("does not end: this process leaves, and is replaced")
    siblings.append(application.enqueue("jobs.note", "for the next process"))
    assert application.jobs() == {"claimed": 3, "ready": 1}
    assert lives(worker.pid)
    application.open()
    wait_until(lambda: "failed" in application.jobs(), application, "the stuck job fails")

    assert not lives(worker.pid)
    message = "the job ran longer than its timeout, and did not end when told to"
    assert_failed(stuck, "queuekit.errors.JobTimeout", message)
    application.wait_until_replaced(worker)
    application.wait_until_jobs(failed=1, finished=3)
    where = {text: pid for pid, text in application.ran_where()}
    assert where["sibling 0 ended"] == where["sibling 1 ended"] == worker.pid
    assert where["for the next process"] != worker.pid
    assert application.ran().count("stuck began") == 1
    assert_ended_once([stuck, *siblings], outcomes=["failed", "finished"])
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


def test_a_stuck_job_never_has_two_holders(application: Application) -> None:
    """Whoever retries it by hand the moment it fails finds that its first run is over."""
    application.configure(workers={"processes": 2, "threads": 1}, timeout_grace_period=0.2)
    application.start()
    receipt = application.enqueue("jobs.overrun_in_c", "stuck")
    first: set[int] = set()

    for attempt in range(1, 4):
        wait_until(lambda: "failed" in application.jobs(), application, "it fails")
        runs = [pid for pid, text in application.ran_where() if text == "stuck began"]
        assert len(runs) == attempt
        assert not any(lives(pid) for pid in runs)
        first |= set(runs)
        if attempt < 3:
            application.run("failed", "retry", receipt.job_id)

    assert len(first) == 3
    assert_ended_once([receipt], outcomes=["failed"])
    application.stop()
    assert_clean_termination(application)


def test_a_stop_in_the_midst_of_it_puts_a_stuck_job_back(application: Application) -> None:
    application.configure(workers={"threads": 2}, timeout_grace_period=0.2, shutdown_timeout=0.3)
    application.start()
    stuck = application.enqueue("jobs.overrun_in_c", "stuck")
    sibling = application.enqueue("jobs.wait", "sibling")
    application.wait_until_printed("does not end: this process leaves, and is replaced")

    application.stop()

    assert_clean_termination(application)
    assert_ended_once([stuck, sibling], outcomes=["ready", "failed"])
