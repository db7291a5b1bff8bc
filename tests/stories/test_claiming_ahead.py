"""Jobs that a worker has claimed ahead of its threads, when it dies, stops, or gets a long one."""

from __future__ import annotations

import os
import signal

import queuekit
from tests.stories.promises import assert_clean_termination, assert_failed, attempts
from tests.stories.support import Application, enqueue_all, wait_until

#: Enough for a worker to find that they are shorter than its turns.
SHORT = [("jobs.note", ("short",))] * 300


def claimed() -> int:
    return queuekit.status.gather().jobs["claimed"]


def test_what_had_not_begun_when_its_worker_was_killed_is_not_charged(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1}, process_alive_threshold=3600)
    (*_, long) = enqueue_all([*SHORT, ("jobs.wait", ("long",))])
    behind = enqueue_all([("jobs.note", (str(number),)) for number in range(50)])
    application.start()
    application.wait_until_ran("long began")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGKILL)

    application.wait_until_replaced(worker)
    application.wait_until_jobs(finished=350, failed=1)
    assert_failed(long, "queuekit.errors.ProcessExitError", "")
    assert all(attempts()[one.job_id] == [(1, "finished")] for one in behind)
    application.stop()
    assert_clean_termination(application)


def test_what_waits_behind_a_long_job_is_run_by_another_worker(application: Application) -> None:
    application.configure(workers={"threads": 1, "processes": 2})
    enqueue_all([*SHORT, ("jobs.wait", ("long",))])
    enqueue_all([("jobs.note", (str(number),)) for number in range(50)])
    application.start()

    application.wait_until_jobs(finished=350, claimed=1)

    application.open()
    application.wait_until_jobs(finished=351)
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_is_told_to_stop_hands_back_what_has_not_begun(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    enqueue_all([*SHORT, ("jobs.wait", ("long",))])
    enqueue_all([("jobs.note", (str(number),)) for number in range(50)])
    application.start()
    application.wait_until_ran("long began")

    application.send(signal.SIGTERM)

    wait_until(lambda: claimed() == 1, application, "what has not begun is ready")
    assert application.jobs() == {"finished": 300, "ready": 50, "claimed": 1}
    application.open()
    assert_clean_termination(application)
    assert application.jobs() == {"finished": 301, "ready": 50}
