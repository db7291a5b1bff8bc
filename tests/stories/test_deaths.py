"""Deaths: of a worker, of the dispatcher, of the supervisor; and jobs that try to cause one."""

from __future__ import annotations

import os
import signal

import pytest

import queuekit
from tests.stories.promises import (
    assert_clean_termination,
    assert_failed,
    assert_registered,
    assert_registered_workers,
)
from tests.stories.support import Application, wait_until


def test_the_jobs_of_a_killed_worker_fail_and_say_why(application: Application) -> None:
    application.configure(
        workers=[{"queues": "here", "threads": 2}, {"queues": "there", "threads": 2}]
    )
    application.start()
    victims = [application.enqueue("jobs.wait", f"victim {n}", queue="here") for n in range(2)]
    application.enqueue("jobs.wait", "survivor", queue="there")
    application.wait_until_ran("victim 0 began", "victim 1 began", "survivor began")
    (dying,) = [w for w in application.processes("Worker") if w.metadata["queues"] == "here"]

    os.kill(dying.pid, signal.SIGKILL)
    application.wait_until_jobs(failed=2, claimed=1)

    for victim in victims:
        assert_failed(
            victim,
            "queuekit.errors.ProcessExitError",
            f"the process {dying.pid} that ran this job was killed by SIGKILL",
        )
    application.wait_until_replaced(dying)
    application.enqueue("jobs.note", "next", queue="here")
    application.wait_until_ran("next")
    application.open()
    application.wait_until_jobs(failed=2, finished=2)
    assert f"Process {dying.pid} was killed by SIGKILL after " in application.printed()

    assert queuekit.failed.retry_all() == 2
    application.wait_until_jobs(finished=6)
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_ends_its_process_fails_and_the_others_go_on(application: Application) -> None:
    application.start()
    worker = application.worker()
    receipt = application.enqueue("jobs.exit_process", 7)
    application.wait_until_jobs(failed=1)

    assert_failed(
        receipt,
        "queuekit.errors.ProcessExitError",
        f"the process {worker.pid} that ran this job exited with status 7",
    )
    application.wait_until_replaced(worker)
    application.enqueue("jobs.note", "next")
    application.wait_until_jobs(failed=1, finished=1)
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize(
    ("name", "exception_class", "message"),
    [
        ("exit_politely", "SystemExit", "that was it"),
        ("sabotage", "jobs.Sabotage", "not an Exception"),
        ("exhaust_memory", "MemoryError", ""),
        ("interrupt", "KeyboardInterrupt", ""),
    ],
)
def test_whatever_a_job_raises_ends_that_job_alone(
    application: Application, name: str, exception_class: str, message: str
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()

    receipt = application.enqueue(f"jobs.{name}")
    application.enqueue("jobs.note", "next")

    application.wait_until_jobs(failed=1, finished=1)
    assert_failed(receipt, exception_class, message)
    assert [pid for pid, text in application.ran_where() if text == "next"] == [worker.pid]
    application.stop()
    assert_clean_termination(application)


def test_a_killed_dispatcher_is_replaced_and_nothing_is_late_for_long(
    application: Application,
) -> None:
    application.start()
    (dispatcher,) = application.processes("Dispatcher")
    application.enqueue("jobs.note", "scheduled", wait=0.5)

    os.kill(dispatcher.pid, signal.SIGKILL)

    application.wait_until_replaced(dispatcher)
    application.wait_until_jobs(finished=1)
    application.stop()
    assert_clean_termination(application)


def test_children_whose_supervisor_was_killed_finish_and_leave(application: Application) -> None:
    application.start()
    application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    supervisor = application.supervisor
    assert supervisor is not None

    supervisor.kill()
    supervisor.wait()
    application.wait_until_printed("its supervisor is gone", times=2)
    application.enqueue("jobs.note", "for the next")
    application.open()

    wait_until(lambda: not application.alive(), application, "the children leave")
    assert application.jobs() == {"finished": 1, "ready": 1}
    assert_registered(application, Supervisor=1)  # the dead one's row, until it is pruned

    application.start()
    application.wait_until_jobs(finished=2)
    application.stop()
    assert_registered(application, Supervisor=1)


def test_a_fresh_supervisor_works_beside_the_children_of_a_killed_one(
    application: Application,
) -> None:
    application.configure(
        process_heartbeat_interval=0.5, process_alive_threshold=4, workers={"threads": 1}
    )
    application.start()
    receipt = application.enqueue("jobs.wait", "old")
    application.wait_until_ran("old began")
    assert application.supervisor is not None
    for process in application.processes():
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not application.alive(), application, "all processes are gone")
    application.supervisor.wait()

    application.start()
    application.enqueue("jobs.note", "new")
    application.wait_until_ran("new")

    application.wait_until_jobs(failed=1, finished=1)
    assert_failed(receipt, "queuekit.errors.ProcessPrunedError", "Worker ")
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


def test_workers_that_die_young_are_replaced_again_and_again(application: Application) -> None:
    application.start()
    for round in range(3):
        worker = application.worker()
        application.enqueue("jobs.exit_process", round)
        application.wait_until_replaced(worker)
        assert_registered_workers(application, 1)

    application.wait_until_jobs(failed=3)
    application.stop()
    assert_clean_termination(application)
