"""Stopping: TERM and INT let what runs finish, QUIT does not, and no job is lost either way."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stories.promises import assert_clean_termination, assert_registered
from tests.stories.support import Application, enqueue_all


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_jobs_in_flight_finish_and_nothing_new_begins(
    application: Application, number: signal.Signals
) -> None:
    application.configure(workers={"threads": 2})
    application.start()
    enqueue_all([("jobs.wait", ("one",)), ("jobs.wait", ("two",)), ("jobs.note", ("three",))])
    application.wait_until_ran("one began", "two began")

    application.send(number)
    application.wait_until_printed("Stopping Worker")
    application.enqueue("jobs.note", "four", priority=-1)
    application.open()

    assert_clean_termination(application)
    assert sorted(application.ran()) == ["one began", "one ended", "two began", "two ended"]
    assert application.jobs() == {"finished": 2, "ready": 2}


def test_an_idle_supervisor_stops_at_once(application: Application) -> None:
    application.configure(workers={"processes": 2})
    application.start()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)

    application.stop()

    assert_clean_termination(application)
    for kind, times in {"Worker": 2, "Dispatcher": 1, "Supervisor": 1}.items():
        assert application.printed().count(f"Stopped {kind}") == times


def test_a_job_that_outlasts_the_shutdown_timeout_runs_again_after_the_next_start(
    application: Application,
) -> None:
    application.configure(shutdown_timeout=0.3)
    application.start()
    receipt = application.enqueue("jobs.wait", "long")
    application.wait_until_ran("long began")

    application.stop()

    assert_clean_termination(application)
    assert application.jobs() == {"ready": 1}
    assert "1 job released back to ready" in application.printed()

    application.open()
    application.start()
    application.wait_until_jobs(finished=1)
    assert application.ran() == ["long began", "long began", "long ended"]
    # The same attempt: a release is no failure.
    assert f"{receipt.job_id}, attempt 2" not in application.printed()
    application.stop()
    assert_clean_termination(application)


def test_quit_puts_running_jobs_back_at_once(application: Application) -> None:
    application.configure(workers={"threads": 3})
    application.start()
    for number in range(5):
        application.enqueue("jobs.wait", f"{number}")
    application.wait_until_ran("0 began", "1 began", "2 began")

    application.stop(signal.SIGQUIT)

    assert_clean_termination(application)
    assert application.jobs() == {"ready": 5}
    assert "3 jobs released back to ready" in application.printed()


def test_quit_cuts_a_graceful_stop_short(application: Application) -> None:
    application.configure(shutdown_timeout=300)
    application.start()
    application.enqueue("jobs.wait", "long")
    application.wait_until_ran("long began")

    application.send(signal.SIGTERM)
    application.wait_until_printed("Stopping Worker")
    application.send(signal.SIGQUIT)

    assert_clean_termination(application)
    assert application.jobs() == {"ready": 1}


def test_five_times_term_is_term(application: Application) -> None:
    application.start()
    application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    for _ in range(5):
        application.send(signal.SIGTERM)
    application.wait_until_printed("Stopping Worker")
    application.send(signal.SIGTERM)
    application.open()

    assert_clean_termination(application)
    assert application.jobs() == {"finished": 1}


def test_control_c_in_a_terminal_reaches_everybody_and_is_int(application: Application) -> None:
    application.start()
    application.enqueue("jobs.wait", "one")
    application.enqueue("jobs.note", "later", wait=3600)
    application.wait_until_ran("one began")

    assert application.supervisor is not None
    os.killpg(application.supervisor.pid, signal.SIGINT)
    application.wait_until_printed("Stopping Worker")
    os.killpg(application.supervisor.pid, signal.SIGINT)
    application.open()

    assert_clean_termination(application)
    assert application.jobs() == {"finished": 1, "scheduled": 1}


def test_a_child_told_to_stop_by_somebody_else_finishes_and_is_replaced(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()
    application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    os.kill(worker.pid, signal.SIGTERM)
    application.wait_until_printed("Stopping Worker")
    application.enqueue("jobs.note", "for the next")
    application.open()

    application.wait_until_replaced(worker)
    application.wait_until_jobs(finished=2)
    application.stop()
    assert_clean_termination(application)


def test_programs_that_a_job_starts_can_be_ended(application: Application) -> None:
    """A worker's threads must not pass on signals that they themselves hold back."""
    application.start()
    receipt = application.enqueue("jobs.terminate_a_program")

    application.wait_until_ran("ended by SIGTERM")

    application.wait_until_jobs(finished=1)
    assert receipt.job_id not in application.printed()
    application.stop()
    assert_clean_termination(application)
