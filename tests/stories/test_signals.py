"""Signals beside those that stop (test_stopping): stacks on demand, and signals during boot."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import Application, enqueue_all, lives, wait_until


def test_usr1_writes_the_stack_of_every_thread_of_every_process(application: Application) -> None:
    application.configure(workers={"threads": 2, "processes": 2})
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(4)])
    application.wait_until_ran(*(f"{number} began" for number in range(4)))

    application.send(signal.SIGUSR1)

    # Each thread that runs a job stands in wait_until_open, each process has a main thread.
    application.wait_until_printed("in wait_until_open", times=4)
    application.wait_until_printed("Current thread 0x", times=4)
    application.wait_until_printed("in _supervise", times=1)
    application.wait_until_printed("in _beat", times=3)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    application.open()
    application.wait_until_jobs(finished=4)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_one_process_alone_can_be_asked_for_its_stacks(application: Application) -> None:
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    os.kill(application.worker().pid, signal.SIGUSR1)

    application.wait_until_printed("Current thread 0x")  # which comes last
    assert "in wait_until_open" in application.printed()
    assert application.printed().count("Current thread 0x") == 1
    application.open()
    application.wait_until_jobs(finished=1)
    assert_ended_once([receipt])
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_while_the_application_is_imported_ends_the_supervisor(
    application: Application, number: signal.Signals
) -> None:
    """There are no processes yet, nor any dealings with the database, so one of them will do."""
    application.configure(imports=["slow"])
    application.write(
        "slow.py", "import jobs\njobs.note('importing')\njobs.wait_until_open('gate')"
    )
    application.launch()
    application.wait_until_ran("importing")

    application.send(number)

    assert application.wait_for_end() != 0
    assert application.alive() == []
    assert application.processes() == []


def test_signals_while_the_children_boot_are_not_lost(application: Application) -> None:
    application.configure(imports=["slow"], workers={"processes": 3})
    application.write(
        "slow.py",
        "import queuekit, jobs\n"
        "@queuekit.on_worker_start\n"
        "def boot(process):\n"
        "    jobs.note('booting')\n"
        "    jobs.wait_until_open('gate')\n",
    )
    receipt = application.enqueue("jobs.note", "not now")
    application.launch()
    application.wait_until_ran("booting", "booting", "booting")

    application.send(signal.SIGTERM)
    application.wait_until_printed("Stopping 4 processes")
    application.open()

    assert_clean_termination(application)
    assert application.jobs() == {"ready": 1}
    assert_ended_once([receipt], outcomes=["ready"])


def test_a_second_term_does_not_hurt_where_jobs_of_several_processes_run(
    application: Application,
) -> None:
    application.configure(workers={"processes": 3, "threads": 1})
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(3)])
    application.wait_until_ran("0 began", "1 began", "2 began")

    workers = application.processes("Worker")
    for _ in range(3):
        application.send(signal.SIGTERM)
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)
    application.wait_until_printed("Stopping Worker", times=3)
    assert all(lives(worker.pid) for worker in workers)
    application.open()

    assert_clean_termination(application)
    assert application.jobs() == {"finished": 3}
    assert_ended_once(receipts)


@pytest.mark.databases("sqlite", "postgresql")
def test_a_job_that_does_not_even_listen_to_quit_is_killed_and_runs_again(
    application: Application,
) -> None:
    """The interpreter is held, so the worker cannot obey: TERM, QUIT, then KILL by its supervisor.
    It was we who ended it, so the job goes back to ready. To the databases this is a death like all
    others, so two will do."""
    application.configure(shutdown_timeout=0.2, workers={"threads": 1})
    application.start()
    receipt = application.enqueue("jobs.hold_the_interpreter", 600)
    application.wait_until_ran("holding")

    application.stop()

    assert_clean_termination(application)
    assert_ended_once([receipt], outcomes=["ready"])


@pytest.mark.databases("sqlite")
def test_children_that_outlive_a_stop_do_not_exist(application: Application) -> None:
    """A child stopped by a debugger, say, when all is told to end. What becomes of its job is
    what becomes of it in the story before this one, so one database will do."""
    application.configure(shutdown_timeout=0.2)
    application.start()
    worker = application.worker()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    os.kill(worker.pid, signal.SIGSTOP)

    application.stop()

    wait_until(lambda: not application.alive(), application, "all processes end")
    assert_clean_termination(application)
    assert_ended_once([receipt], outcomes=["ready"])
