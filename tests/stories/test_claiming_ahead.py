"""Jobs that a worker has claimed ahead of its threads, when it dies, stops, or gets a long one."""

from __future__ import annotations

import os
import signal
from collections import Counter

import queuekit
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_invariant,
    attempts,
)
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
    # What has ended and was not settled yet would count as begun.
    wait_until(lambda: application.jobs().get("finished") == 300, application, "these are settled")
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


def test_of_all_that_is_claimed_when_a_worker_is_killed_at_full_speed_what_began_is_charged(
    application: Application,
) -> None:
    """Whatever has begun has failed or finished, and never runs again; all others run once."""
    threads = 3
    application.configure(workers={"threads": threads}, process_alive_threshold=3600)
    receipts = enqueue_all([("jobs.note", (str(number),)) for number in range(3000)])
    application.start()
    wait_until(lambda: len(application.ran()) > 300, application, "it is at full speed")
    worker = application.worker()

    os.kill(worker.pid, signal.SIGKILL)

    application.wait_until_replaced(worker)
    wait_until(
        lambda: set(application.jobs()) <= {"finished", "failed"}, application, "all have ended"
    )
    ends = attempts()
    ran = Counter(application.ran())
    failed = {str(n) for n, one in enumerate(receipts) if ends[one.job_id] == [(1, "failed")]}
    assert all(ends[one.job_id] in ([(1, "finished")], [(1, "failed")]) for one in receipts)
    assert set(ran.values()) == {1}
    assert ran.keys() | failed == {str(number) for number in range(3000)}
    assert len(failed - ran.keys()) <= threads, "killed before the first line of the job"
    application.stop()
    assert_clean_termination(application)


def test_who_has_begun_when_workers_are_killed_again_and_again_runs_again_as_a_new_attempt(
    application: Application,
) -> None:
    """Deaths are counted for these, and for nobody who waited for a thread."""
    application.configure(
        workers={"threads": 3, "processes": 2},
        process_alive_threshold=3600,
        on_process_death="retry",
        max_process_deaths=100,
    )
    receipts = enqueue_all([("jobs.note", (str(number),)) for number in range(3000)])
    application.start()
    for least in (300, 900, 1500):
        wait_until(lambda least=least: len(application.ran()) > least, application, "it goes on")
        for worker in application.processes("Worker"):
            os.kill(worker.pid, signal.SIGKILL)
            application.wait_until_replaced(worker)

    wait_until(lambda: application.jobs().keys() == {"finished"}, application, "all have ended")
    assert_ended_once(receipts)
    ran, ends = Counter(application.ran()), attempts()
    for number, one in enumerate(receipts):
        begun = ran[str(number)]
        assert begun <= len(ends[one.job_id]), "it ran again and was not charged"
        assert begun >= 1
    application.stop()
    assert_clean_termination(application)


def test_quit_puts_back_what_has_begun_and_what_has_not(application: Application) -> None:
    application.configure(workers={"threads": 1})
    (*short, long) = enqueue_all([*SHORT, ("jobs.wait", ("long",))])
    behind = enqueue_all([("jobs.note", (str(number),)) for number in range(50)])
    application.start()
    application.wait_until_ran("long began")

    application.stop(signal.SIGQUIT)

    assert application.jobs() == {"finished": 300, "ready": 51}
    assert all(attempts()[one.job_id] == [(1, "ready")] for one in [long, *behind])
    assert_invariant()
    application.open()
    application.start()
    application.wait_until_jobs(finished=351)
    assert_ended_once([*short, long, *behind])
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_was_stopped_begins_nothing_that_others_have_been_given_meanwhile(
    application: Application,
) -> None:
    """Its threads are faster than its next turn, by which it hears that it was taken for dead."""
    application.configure(
        workers={"threads": 1}, process_heartbeat_interval=0.5, process_alive_threshold=3
    )
    (*_, long) = enqueue_all([*SHORT, ("jobs.wait", ("long",))])
    behind = enqueue_all([("jobs.note", (f"{number} behind",)) for number in range(50)])
    application.start()
    application.wait_until_ran("long began")
    worker = application.worker()
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: "claimed" not in application.jobs(), application, "it is taken for dead")
    failed = [one for one in behind if attempts()[one.job_id] == [(1, "failed")]]

    application.open()
    os.kill(worker.pid, signal.SIGCONT)

    application.wait_until_replaced(worker)
    wait_until(
        lambda: set(application.jobs()) <= {"finished", "failed"}, application, "all have ended"
    )
    assert_failed(long, "queuekit.errors.ProcessPrunedError", "")
    said = application.ran()
    lost = {f"{number} behind" for number, one in enumerate(behind) if one in failed}
    assert not lost & set(said)
    application.stop()
    assert_clean_termination(application)
