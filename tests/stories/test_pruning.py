"""Heartbeats: who is silent for too long is taken for dead, and what it does afterwards is void."""

from __future__ import annotations

import os
import signal
import time

import queuekit
from tests.stories.promises import (
    assert_clean_termination,
    assert_failed,
    assert_invariant,
    assert_registered,
)
from tests.stories.support import Application, wait_until


def test_a_process_that_lives_is_not_pruned(application: Application) -> None:
    application.configure(process_heartbeat_interval=0.5, process_alive_threshold=4)
    application.start()
    before = application.processes()

    application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 6, application, "6 s have passed")
    application.open()

    application.wait_until_jobs(finished=1)
    assert [process.id for process in application.processes()] == [p.id for p in before]
    application.stop()
    assert_clean_termination(application)


def test_a_suspended_worker_is_pruned_and_changes_nothing_when_it_wakes(
    application: Application,
) -> None:
    application.configure(process_heartbeat_interval=0.5, process_alive_threshold=3)
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGSTOP)
    application.wait_until_jobs(failed=1)
    assert_failed(
        receipt,
        "queuekit.errors.ProcessPrunedError",
        f"Worker {worker.pid} on {worker.hostname} sent no heartbeat for more than 3 s",
    )
    application.wait_until_printed(f"Buried Worker {worker.pid} on {worker.hostname}: ")
    assert_registered(application, Supervisor=1, Dispatcher=1)

    application.open()
    os.kill(worker.pid, signal.SIGCONT)
    application.wait_until_printed("was taken for dead and pruned")
    application.wait_until_replaced(worker)
    assert application.jobs() == {"failed": 1}
    assert_invariant()

    queuekit.failed.retry(receipt.job_id)
    application.wait_until_jobs(finished=2)
    application.stop()
    assert_clean_termination(application)
