"""Jobs declared with `async def`: many at a time in one process, and in all else as any job."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from queuekit.enqueueing import Receipt
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_registered,
    attempts,
)
from tests.stories.support import Application, enqueue_all, lives, wait_until

JOBS = Path(__file__).parent / "app" / "coroutines.py"


@pytest.fixture
def application(application: Application) -> Application:
    shutil.copyfile(JOBS, application.folder / "coroutines.py")
    return application


def enqueue(application: Application, name: str, *args: Any) -> Receipt:
    return application.enqueue(f"coroutines.{name}", *args)


def test_a_hundred_run_at_once_in_one_process_of_one_thread(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    receipts = enqueue_all([("coroutines.Meeting", (100,))] * 100)

    application.wait_until_jobs(finished=100)

    assert application.ran() == ["met"] * 100
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("mode", ["fork", "async"])
def test_they_run_beside_jobs_in_threads(application: Application, mode: str) -> None:
    application.configure(workers={"threads": 3}, mode=mode)
    application.start()
    waiting = [enqueue(application, "wait", f"coroutine {n}") for n in range(10)]
    application.wait_until_ran(*(f"coroutine {n} began" for n in range(10)))
    others = [application.enqueue("jobs.wait", f"thread {n}") for n in range(2)]
    application.wait_until_ran("thread 0 began", "thread 1 began")
    others.append(application.enqueue("jobs.note", "in a thread"))
    others.append(enqueue(application, "say", "in the loop"))
    application.wait_until_ran("in a thread", "in the loop")

    application.open()

    application.wait_until_jobs(finished=14)
    assert len({pid for pid, _ in application.ran_where()}) == 1
    assert_ended_once([*waiting, *others])
    application.stop()
    assert_clean_termination(application)


def test_never_more_run_at_once_than_the_worker_may(application: Application) -> None:
    application.configure(workers={"threads": 5, "async_concurrency": 4})
    application.start()
    receipts = enqueue_all([("coroutines.count_those_at_once", ())] * 30)
    application.wait_until_ran(*["here"] * 4)
    application.wait_until_jobs(claimed=4, ready=26)

    application.open()

    application.wait_until_jobs(finished=30)
    assert application.ran()[-1] == "at most 4"
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_a_worker_with_one_place_in_its_loop_uses_all_its_threads(application: Application) -> None:
    application.configure(workers={"threads": 3, "async_concurrency": 1, "polling_interval": 60})
    receipts = [application.enqueue("jobs.wait", f"{n}") for n in range(3)]
    application.start()

    application.wait_until_ran("0 began", "1 began", "2 began")

    application.open()
    application.wait_until_jobs(finished=3)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_no_job_comes_before_those_of_an_earlier_queue(application: Application) -> None:
    application.configure(workers={"threads": 2, "queues": ["first", "second"]})
    for queue in ("second", "first"):
        enqueue_all([("coroutines.say", (queue,))] * 50, queue=queue)
    application.start()

    application.wait_until_jobs(finished=100)

    assert application.ran() == ["first"] * 50 + ["second"] * 50
    application.stop()
    assert_clean_termination(application)


def test_policies_are_the_same(application: Application) -> None:
    application.configure(dispatchers={"polling_interval": 0.1})
    application.start()
    names = ["late", "hopeless", "lost"]
    receipts = {name: enqueue(application, "be_unreliable", name) for name in names}

    application.wait_until_jobs(failed=1, finished=6)

    ends = {name: attempts()[receipt.job_id] for name, receipt in receipts.items()}
    retried = [(1, "retried"), (2, "retried")]
    assert ends["late"] == [*retried, (3, "finished")]
    assert ends["hopeless"] == [*retried, (3, "failed")]
    assert ends["lost"] == [(1, "discarded")]
    failed = assert_failed(receipts["hopeless"], "coroutines.UnreliableError", "hopeless")
    assert "in be_unreliable" in failed.error.traceback
    application.stop()
    assert_clean_termination(application)


def test_they_enqueue_without_blocking_the_loop(application: Application) -> None:
    application.start()
    enqueue_all([("coroutines.lead", (number,)) for number in range(20)])

    application.wait_until_jobs(finished=100)

    assert sorted(application.ran()) == sorted(
        text
        for number in range(20)
        for text in [f"{number} alone", *(f"{number} with {other}" for other in range(3))]
    )
    application.stop()
    assert_clean_termination(application)


# Timeouts


def test_one_past_its_timeout_fails_and_its_siblings_go_on(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()
    receipts = [enqueue(application, "overrun", "long"), enqueue(application, "wait", "ok")]

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


def test_one_that_does_not_end_fails_when_its_process_is_gone(application: Application) -> None:
    application.configure(workers={"threads": 2}, timeout_grace_period=0.3)
    application.start()
    worker = application.worker()
    stuck = enqueue(application, "swallow", "stuck")
    siblings = [
        enqueue(application, "wait", "coroutine"),
        application.enqueue("jobs.wait", "thread"),
    ]
    application.wait_until_ran("stuck goes on", "coroutine began", "thread began")

    application.wait_until_printed("does not end: this process leaves, and is replaced")
    assert application.jobs() == {"claimed": 3}
    application.open()

    application.wait_until_jobs(failed=1, finished=2)
    message = "the job ran longer than its timeout, and did not end when told to"
    assert_failed(stuck, "queuekit.errors.JobTimeout", message)
    application.wait_until_replaced(worker)
    assert not lives(worker.pid)
    assert application.ran().count("stuck began") == 1
    assert_ended_once([stuck, *siblings], outcomes=["failed", "finished"])
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


def test_one_that_blocks_the_loop_fails_and_what_it_held_up_runs_again(
    application: Application,
) -> None:
    """Nothing reaches the others on that loop: the process does not wait for them, and they go back
    to ready, uncharged, as after QUIT. Jobs in threads finish."""
    application.configure(workers={"threads": 2}, timeout_grace_period=0.3)
    application.start()
    worker = application.worker()
    held_up = [enqueue(application, "wait", f"coroutine {n}") for n in range(3)]
    thread = application.enqueue("jobs.wait", "thread", "thread")
    application.wait_until_ran("thread began", *(f"coroutine {n} began" for n in range(3)))
    stuck = enqueue(application, "block", "stuck")
    application.wait_until_printed("does not end: this process leaves, and is replaced")
    assert lives(worker.pid)

    application.open("thread")

    wait_until(lambda: "failed" in application.jobs(), application, "the stuck job fails")
    assert not lives(worker.pid)
    message = "the job ran longer than its timeout, and did not end when told to"
    assert_failed(stuck, "queuekit.errors.JobTimeout", message)
    application.open()
    application.wait_until_jobs(failed=1, finished=4)
    where = {text: pid for pid, text in application.ran_where()}
    assert where["thread ended"] == worker.pid
    assert all(where[f"coroutine {n} ended"] != worker.pid for n in range(3))
    assert_ended_once([stuck, thread, *held_up], outcomes=["failed", "finished"])
    application.stop()
    assert_clean_termination(application)


def test_a_blocked_loop_keeps_nothing_else_from_going_on(application: Application) -> None:
    """Heartbeats are sent, and jobs in threads are claimed, run and settled."""
    application.configure(
        workers={"threads": 2}, process_heartbeat_interval=0.2, process_alive_threshold=1
    )
    application.start()
    worker = application.worker()
    blocking = enqueue(application, "block_until_open", "coroutine")
    application.wait_until_ran("coroutine began")

    others = []
    for number in range(15):
        others.append(application.enqueue("jobs.note", f"{number}"))
        application.wait_until_jobs(claimed=1, finished=number + 1)

    application.open()
    application.wait_until_jobs(finished=16)
    assert application.worker().id == worker.id
    assert_ended_once([blocking, *others])
    application.stop()
    assert_clean_termination(application)


# Ends of processes


def test_a_stop_waits_for_them(application: Application) -> None:
    application.start()
    receipts = [enqueue(application, "wait", f"{n}") for n in range(5)]
    application.wait_until_ran(*(f"{n} began" for n in range(5)))

    application.send(signal.SIGTERM)
    application.wait_until_printed("finishing the jobs that run")
    application.open()

    assert_clean_termination(application)
    assert sorted(application.ran()[5:]) == [f"{n} ended" for n in range(5)]
    assert_ended_once(receipts)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
@pytest.mark.parametrize("mode", ["fork", "async"])
def test_what_has_not_ended_goes_back_to_ready(
    application: Application, number: signal.Signals, mode: str
) -> None:
    """At once, or after the shutdown_timeout."""
    application.configure(workers={"threads": 2}, shutdown_timeout=0.5, mode=mode)
    application.start()
    receipts = [enqueue(application, "wait", f"{n}") for n in range(5)]
    application.wait_until_ran(*(f"{n} began" for n in range(5)))

    application.stop(number)

    assert_clean_termination(application)
    assert application.jobs() == {"ready": 5}
    assert not any(text.endswith("ended") for text in application.ran())
    assert_ended_once(receipts, outcomes=["ready"])


def test_a_killed_process_retries_those_that_may_be(application: Application) -> None:
    application.start()
    code = "import coroutines as c; [c.wait_and_survive.enqueue(f'{n}') for n in range(5)]"
    application.python(f"{code}; c.say.enqueue('settled'); c.wait.enqueue('other')")
    application.wait_until_ran(*(f"{n} began" for n in range(5)), "settled", "other began")
    application.wait_until_jobs(claimed=6, finished=1)
    worker = application.worker()

    os.kill(worker.pid, signal.SIGKILL)
    application.wait_until_replaced(worker)
    application.open()

    application.wait_until_jobs(failed=1, finished=11)
    retried = [(1, "retried"), (2, "finished")]
    assert sorted(attempts().values()) == sorted(
        [[(1, "finished")], [(1, "failed")], *[retried] * 5]
    )
    assert application.ran().count("settled") == 1
    application.stop()
    assert_clean_termination(application)
