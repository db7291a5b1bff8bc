"""Processes that are suspended for longer than the threshold, and wake up to a changed world."""

from __future__ import annotations

import os
import signal

import queuekit
from queuekit import status
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_registered,
)
from tests.stories.support import Application, wait_until

HEARTBEATS = {"process_heartbeat_interval": 0.5, "process_alive_threshold": 3}


def test_the_late_result_of_a_pruned_worker_changes_nothing(application: Application) -> None:
    """The job ends while the worker is suspended for all others: it wakes with a result in hand."""
    application.configure(**HEARTBEATS, workers={"threads": 1})
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGSTOP)
    application.wait_until_jobs(failed=1)
    assert_failed(receipt, "queuekit.errors.ProcessPrunedError", f"Worker {worker.pid} on ")
    queuekit.failed.retry(receipt.job_id)
    application.wait_until_jobs(ready=1, finished=1)
    application.open()
    os.kill(worker.pid, signal.SIGCONT)

    application.wait_until_printed("was taken for dead and pruned")
    application.wait_until_replaced(worker)
    application.wait_until_jobs(finished=2)
    # Twice begun, since the first was given up; the first attempt keeps the error it failed with.
    assert application.ran().count("one began") == 2
    assert_ended_once([receipt])
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_wakes_in_time_goes_on(application: Application) -> None:
    application.configure(process_heartbeat_interval=0.5, process_alive_threshold=60)
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: silence(application, worker) > 2, application, "it is silent")
    os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: silence(application, worker) < 1, application, "it beats again")
    application.open()

    application.wait_until_jobs(finished=1)
    assert application.worker().id == worker.id
    assert_ended_once([receipt])
    application.stop()
    assert_clean_termination(application)


def test_a_machine_that_was_suspended_as_a_whole_goes_on_where_it_was(
    application: Application,
) -> None:
    """Nobody was awake to prune anybody: after waking, everybody beats before anybody prunes."""
    application.configure(**HEARTBEATS, workers={"processes": 2, "threads": 1})
    application.start()
    receipts = [application.enqueue("jobs.wait", f"{number}") for number in range(2)]
    application.wait_until_ran("0 began", "1 began")
    before = {process.id for process in application.processes()}
    assert application.supervisor is not None

    os.killpg(application.supervisor.pid, signal.SIGSTOP)
    wait_until(
        lambda: min(process.seconds_since_heartbeat for process in application.processes()) > 4,
        application,
        "everybody is silent for longer than the threshold",
    )
    os.killpg(application.supervisor.pid, signal.SIGCONT)
    wait_until(
        lambda: max(process.seconds_since_heartbeat for process in application.processes()) < 1,
        application,
        "everybody beats again",
    )
    application.open()

    application.wait_until_jobs(finished=2)
    assert {process.id for process in application.processes()} == before
    assert "Killing process" not in application.printed()
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_a_supervisor_that_was_pruned_by_another_registers_again(
    application: Application,
) -> None:
    application.configure(**HEARTBEATS)
    application.start()
    first = application.supervisor
    assert first is not None
    (suspended,) = application.processes("Supervisor")
    application.start()  # another, as on another host; it is the one that stop() will end
    first.send_signal(signal.SIGSTOP)
    application.wait_until_printed(f"Buried Supervisor {suspended.pid} on ")

    first.send_signal(signal.SIGCONT)

    application.wait_until_printed("Supervisor was taken for dead and pruned: it registers again")
    assert_registered(application, Supervisor=2, Dispatcher=2, Worker=2)
    receipts = [application.enqueue("jobs.note", f"{number}") for number in range(20)]
    application.wait_until_jobs(finished=20)
    assert_ended_once(receipts)
    first.terminate()
    wait_until(lambda: first.poll() is not None, application, "the first ends")
    application.stop()
    assert_clean_termination(application)


def silence(application: Application, process: status.Process) -> float:
    (found,) = [p for p in application.processes() if p.id == process.id]
    return found.seconds_since_heartbeat
