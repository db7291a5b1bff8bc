"""Jobs that harm their process: each harms itself, and its neighbours' process at the most."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from queuekit.application import database
from tests.dialects.support import ask
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_registered,
)
from tests.stories.support import Application, lives, wait_until


@pytest.mark.parametrize(
    ("name", "args", "end"),
    [
        ("exit_process", (1,), "exited with status 1"),
        ("exit_process", (0,), "exited with status 0"),
        ("crash", (), "was killed by SIGSEGV"),
        ("be_killed", (), "was killed by SIGKILL"),
    ],
)
def test_a_job_that_ends_its_process_fails_and_says_how(
    application: Application, name: str, args: tuple[int, ...], end: str
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()

    culprit = application.enqueue(f"jobs.{name}", *args)
    next_one = application.enqueue("jobs.note", "next")

    application.wait_until_jobs(failed=1, finished=1)
    message = f"the process {worker.pid} that ran this job {end}"
    assert_failed(culprit, "queuekit.errors.ProcessExitError", message)
    application.wait_until_replaced(worker)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    assert_ended_once([culprit, next_one], outcomes=["finished", "failed"])
    application.stop()
    assert_clean_termination(application)


def test_a_memory_error_ends_the_job_and_not_the_worker(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()

    receipts = [application.enqueue("jobs.exhaust_memory"), application.enqueue("jobs.note", "ok")]

    application.wait_until_jobs(failed=1, finished=1)
    assert_failed(receipts[0], "MemoryError", "")
    assert application.worker().id == worker.id
    assert_ended_once(receipts, outcomes=["finished", "failed"])
    application.stop()
    assert_clean_termination(application)


def test_jobs_that_never_let_go_of_the_processor_do_not_silence_the_heartbeat(
    application: Application,
) -> None:
    """Three threads that spin, and a fourth that works: nobody is taken for dead or hung."""
    application.configure(
        workers={"threads": 4}, process_heartbeat_interval=0.5, process_alive_threshold=3
    )
    application.start()
    worker = application.worker()
    receipts = [application.enqueue("jobs.spin") for _ in range(3)]
    application.wait_until_ran("spinning", "spinning", "spinning")

    wait_until(
        lambda: last_heartbeat() - worker.started_at > timedelta(seconds=5),
        application,
        "heartbeats go on for longer than the threshold",
    )
    receipts.append(application.enqueue("jobs.note", "beside them"))
    application.wait_until_ran("beside them")
    application.open()

    application.wait_until_jobs(finished=4)
    assert application.worker().id == worker.id
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def last_heartbeat() -> datetime:
    """Of the only worker, by the database's clock."""
    ((value,),) = ask("select last_heartbeat_at from queuekit_processes where kind = 'Worker'")
    moment = database().from_database(value)
    assert moment is not None
    return moment


def test_a_job_that_holds_the_interpreter_for_minutes_is_found_and_its_process_killed(
    application: Application,
) -> None:
    application.configure(
        workers=[{"queues": "calm"}, {"queues": "held", "threads": 2}],
        process_heartbeat_interval=0.5,
        process_alive_threshold=4,
    )
    application.start()
    held = next(w for w in application.processes("Worker") if w.metadata["queues"] == "held")
    neighbour = application.enqueue("jobs.wait", "neighbour", queue="held")
    application.wait_until_ran("neighbour began")

    culprit = application.enqueue("jobs.hold_the_interpreter", 600, queue="held")
    application.wait_until_ran("holding")
    calm = application.enqueue("jobs.note", "calm", queue="calm")

    application.wait_until_jobs(failed=2, finished=1)
    application.wait_until_printed(f"Killing process {held.pid}, which has not shown")
    application.wait_until_replaced(held)
    after = application.enqueue("jobs.note", "after", queue="held")
    application.wait_until_jobs(failed=2, finished=2)
    assert_ended_once([neighbour, culprit, calm, after], outcomes=["finished", "failed"])
    application.stop()
    assert_clean_termination(application)


def test_a_process_whose_interpreter_is_held_is_gone_before_its_job_runs_again(
    application: Application,
) -> None:
    """There are two supervisors, as on two hosts, and either may take the worker for dead. Its own
    kills it before that, so that the job is never in two processes at a time."""
    application.configure(
        workers={"threads": 1},
        process_heartbeat_interval=0.5,
        process_alive_threshold=4,
        on_process_death="retry",
        max_process_deaths=2,
    )
    application.start()
    first = application.supervisor
    assert first is not None
    application.start()  # it is this one that stop() will end
    receipt = application.enqueue("jobs.hold_the_interpreter", 600)

    for times in (1, 2):
        wait_until(
            lambda times=times: application.ran().count("holding") == times,  # type: ignore[misc]
            application,
            f"the interpreter is held, {times}",
        )
        pids = [pid for pid, _ in application.ran_where()]
        assert [lives(pid) for pid in pids] == [False] * (times - 1) + [True]
    application.wait_until_jobs(finished=1, failed=1)

    assert_failed(
        receipt,
        "queuekit.errors.ProcessExitError",
        f"the process {pids[-1]} that ran this job was killed by SIGKILL",
    )
    assert "sent no heartbeat" not in application.printed(), application.printed()
    assert_registered(application, Supervisor=2, Dispatcher=2, Worker=2)
    first.terminate()
    wait_until(lambda: first.poll() is not None, application, "the first ends")
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_job_that_forks_ends_once(application: Application, comes_back: bool) -> None:
    application.configure(workers={"threads": 2})
    application.start()
    worker = application.worker()
    application.enqueue("jobs.wait", "beside it")
    application.wait_until_ran("beside it began")

    application.python(f"import jobs; jobs.fork.enqueue('forking', comes_back={comes_back})")

    application.wait_until_ran("forking ended")
    application.wait_until_jobs(claimed=1, finished=1)
    assert len(application.alive()) == 3
    application.open()
    application.wait_until_jobs(finished=2)
    assert application.ran().count("forking ended") == 1
    assert application.worker().id == worker.id
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_closes_every_descriptor_costs_its_process_at_the_most(
    application: Application,
) -> None:
    application.configure(
        workers=[{"queues": "calm"}, {"queues": "closed", "threads": 1}],
        process_heartbeat_interval=0.5,
        process_alive_threshold=4,
    )
    application.start()
    calm = [application.enqueue("jobs.wait", "calm", queue="calm")]
    application.wait_until_ran("calm began")

    culprit = application.enqueue("jobs.close_everything", queue="closed")
    application.wait_until_ran("closing")

    after = application.enqueue("jobs.note", "after", queue="closed")
    application.wait_until_ran("after")
    application.open()
    wait_until(lambda: "claimed" not in application.jobs(), application, "everything has ended")
    assert_ended_once([*calm, culprit, after], outcomes=["finished", "failed"])
    assert application.jobs()["finished"] >= 2
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    application.stop()
    application.wait_for_end()
    wait_until(lambda: not application.alive(), application, "all processes end")
