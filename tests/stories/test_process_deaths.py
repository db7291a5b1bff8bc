"""What becomes of the jobs of a process that died: failed or run again, and what is not charged."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

import queuekit
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    attempts,
)
from tests.stories.support import Application, enqueue_all, wait_until


def enqueue(application: Application, call: str) -> str:
    """Enqueue as an application does, with what the declaration says. Returns the job's id."""
    return application.python(f"import jobs; print(jobs.{call}.job_id)").strip()


def test_a_job_that_may_be_retried_runs_again(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    job_id = enqueue(application, "wait_and_survive.enqueue('one')")
    for deaths in range(1, 3):
        wait_until(lambda d=deaths: len(application.ran()) == d, application, "it runs")  # type: ignore[misc]
        worker = application.worker()
        os.kill(worker.pid, signal.SIGKILL)
        application.wait_until_replaced(worker)
    application.open()

    application.wait_until_jobs(finished=3)
    assert attempts() == {job_id: [(1, "retried"), (2, "retried"), (3, "finished")]}
    assert application.ran() == ["one began", "one began", "one began", "one ended"]
    assert "retried 1 job: " in application.printed()
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_kills_every_process_fails_after_max_process_deaths(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    job_id = enqueue(application, "die_again_and_again.enqueue()")

    application.wait_until_jobs(failed=1, finished=2)

    assert application.ran() == ["dying"] * 3
    assert attempts() == {job_id: [(1, "retried"), (2, "retried"), (3, "failed")]}
    error = queuekit.failed.show(job_id).error
    assert error.exception_class == "queuekit.errors.ProcessExitError"
    application.stop()
    assert_clean_termination(application)


def test_a_retry_by_hand_counts_the_deaths_anew(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    job_id = enqueue(application, "die_again_and_again.enqueue()")
    application.wait_until_jobs(failed=1, finished=2)
    application.stop()
    queuekit.failed.retry(job_id)

    application.start()  # anew, so that its workers do not count as dying again and again

    application.wait_until_jobs(failed=1, finished=5)
    assert application.ran() == ["dying"] * 6
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        ({}, 1),
        ({"on_process_death": "retry"}, 3),
        ({"on_process_death": "retry", "max_process_deaths": 2}, 2),
    ],
)
def test_the_configuration_decides_where_the_job_says_nothing(
    application: Application, settings: dict[str, Any], runs: int
) -> None:
    application.configure(workers={"threads": 1}, **settings)
    application.start()
    receipt = application.enqueue("jobs.be_killed")

    application.wait_until_jobs(failed=1, finished=runs - 1)

    assert application.ran() == ["being killed"] * runs
    assert_failed(receipt, "queuekit.errors.ProcessExitError", "the process ")
    assert_ended_once([receipt], outcomes=["failed"])
    application.stop()
    assert_clean_termination(application)


def test_what_the_job_says_comes_before_the_configuration(application: Application) -> None:
    application.configure(workers={"threads": 1}, on_process_death="retry")
    application.start()
    job_id = enqueue(application, "die_once.enqueue()")

    application.wait_until_jobs(failed=1)

    assert application.ran() == ["dying"]
    assert attempts() == {job_id: [(1, "failed")]}
    application.stop()
    assert_clean_termination(application)


def test_a_claimed_job_that_had_not_begun_is_not_charged(application: Application) -> None:
    """The worker dies between its claim and the job's first line: the same attempt is ready again,
    though the configuration lets every process death fail its jobs."""
    application.configure(imports=["assassin"], workers={"threads": 5})
    application.write(
        "assassin.py",
        "import os, signal, jobs, queuekit\n"
        "@queuekit.events.subscribe\n"
        "def kill(event):\n"
        "    taken = isinstance(event, queuekit.events.TurnTaken) and event.claimed\n"
        "    if taken and not (jobs.FOLDER / 'open' / 'mercy').exists():\n"
        "        jobs.note(f'killed with {event.claimed}')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(5)])
    application.start()
    application.wait_until_ran("killed with 5")
    application.open("mercy")

    application.wait_until_jobs(finished=5)

    assert attempts() == {receipt.job_id: [(1, "finished")] for receipt in receipts}
    said = Counter(text for text in application.ran() if not text.startswith("killed"))
    assert said == Counter(f"{number}" for number in range(5))
    assert "released 5 jobs: " in application.printed()
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_only_those_that_had_begun_are_charged(application: Application) -> None:
    """One job runs when its worker dies with the next claim not begun."""
    application.configure(imports=["assassin"], workers={"threads": 3})
    application.write(
        "assassin.py",
        "import os, signal, jobs, queuekit\n"
        "@queuekit.events.subscribe\n"
        "def kill(event):\n"
        "    taken = isinstance(event, queuekit.events.TurnTaken) and event.claimed == 2\n"
        "    if taken and not (jobs.FOLDER / 'open' / 'mercy').exists():\n"
        "        (jobs.FOLDER / 'open' / 'mercy').touch()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    application.start()
    running = application.enqueue("jobs.wait", "running")
    application.wait_until_ran("running began")

    waiting = enqueue_all([("jobs.note", (f"{number}",)) for number in range(2)])

    application.wait_until_jobs(failed=1, finished=2)
    assert attempts() == {
        running.job_id: [(1, "failed")],
        **{receipt.job_id: [(1, "finished")] for receipt in waiting},
    }
    assert_ended_once([running, *waiting], outcomes=["failed", "finished"])
    application.stop()
    assert_clean_termination(application)


def test_jobs_that_are_not_kept_are_retried_all_the_same(application: Application) -> None:
    application.configure(
        workers={"threads": 1}, on_process_death="retry", preserve_finished_jobs=False
    )
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGKILL)

    application.wait_until_ran("one began", "one began")
    assert attempts() == {receipt.job_id: [(2, "claimed")]}
    application.open()
    application.wait_until_jobs()
    assert attempts() == {}
    application.stop()
    assert_clean_termination(application)
