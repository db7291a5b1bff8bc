"""kill -9, of each kind of process and of all at once, and the fresh start afterwards."""

from __future__ import annotations

import os
import signal

import pytest

import queuekit
from queuekit.executions.failed import FailedJob
from tests.dialects.support import ask
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    assert_registered,
)
from tests.stories.support import Application, enqueue_all, lives, wait_until

#: Short enough to wait for, long enough for a busy machine.
HEARTBEATS = {"process_heartbeat_interval": 0.5, "process_alive_threshold": 3}


def failed_jobs() -> list[FailedJob]:
    return queuekit.failed.list(limit=1000)


def test_every_worker_at_once(application: Application) -> None:
    application.configure(workers={"processes": 3, "threads": 2})
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(9)])
    wait_until(lambda: len(application.ran()) == 6, application, "six jobs run")
    workers = application.processes("Worker")

    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)

    application.open()
    application.wait_until_jobs(failed=6, finished=3)
    killed = {
        f"the process {worker.pid} that ran this job was killed by SIGKILL" for worker in workers
    }
    assert {job.error.message for job in failed_jobs()} == killed
    for worker in workers:
        application.wait_until_replaced(worker)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=3)
    assert queuekit.failed.retry_all() == 6
    application.wait_until_jobs(finished=15)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_the_dispatcher_again_and_again(application: Application) -> None:
    application.configure(dispatchers={"polling_interval": 0.1, "batch_size": 7})
    application.start()
    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(200)], wait=1)
    for _ in range(3):
        (dispatcher,) = application.processes("Dispatcher")
        os.kill(dispatcher.pid, signal.SIGKILL)
        application.wait_until_replaced(dispatcher)

    application.wait_until_jobs(finished=200)
    assert sorted(application.ran(), key=int) == [f"{number}" for number in range(200)]
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_the_supervisor_alone_leaves_no_orphans_behind(application: Application) -> None:
    application.configure(**HEARTBEATS, workers={"processes": 2, "threads": 1})
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(3)])
    wait_until(lambda: len(application.ran()) == 2, application, "two jobs run")
    kill_supervisor(application)

    application.wait_until_printed("its supervisor is gone", times=3)
    application.open()

    wait_until(lambda: not application.alive(), application, "the children leave")
    assert application.jobs() == {"finished": 2, "ready": 1}
    application.start()
    application.wait_until_jobs(finished=3)
    # The row of the one that was killed goes when it has been silent for long enough.
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_orphans_do_not_outstay_the_shutdown_timeout(application: Application) -> None:
    application.configure(shutdown_timeout=0.5)
    application.start()
    receipt = application.enqueue("jobs.wait", "long")
    application.wait_until_ran("long began")

    kill_supervisor(application)

    wait_until(lambda: not application.alive(), application, "the children leave")
    assert_ended_once([receipt], outcomes=["ready"])


def test_everything_at_once_and_a_fresh_start(application: Application) -> None:
    application.configure(
        **HEARTBEATS, on_process_death="retry", workers={"processes": 2, "threads": 2}
    )
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(6)])
    receipts += enqueue_all([("jobs.note", ("later",))], wait=0.5)
    wait_until(lambda: len(application.ran()) == 4, application, "four jobs run")
    assert application.supervisor is not None

    os.killpg(application.supervisor.pid, signal.SIGKILL)
    application.supervisor.wait()
    wait_until(lambda: not application.alive(), application, "all processes are gone")
    application.open()
    application.start()

    # Nobody saw them die, so they are pruned, and their jobs retried.
    application.wait_until_jobs(finished=7 + 4)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_claims_of_processes_that_nobody_knows_fail_at_the_next_start(
    application: Application,
) -> None:
    """As a backup leaves them that was taken while jobs ran, and put back without its processes."""
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    assert application.supervisor is not None
    os.killpg(application.supervisor.pid, signal.SIGKILL)
    application.supervisor.wait()
    wait_until(lambda: not application.alive(), application, "all processes are gone")
    ask("delete from queuekit_processes")

    application.start()

    application.wait_until_jobs(failed=1)
    assert_failed(receipt, "queuekit.errors.ProcessMissingError", "the process ")
    assert_ended_once([receipt], outcomes=["failed"])
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("sqlite")
def test_a_second_supervisor_with_the_same_pidfile_is_refused(application: Application) -> None:
    """The pidfile is the host's affair: one database will do."""
    application.configure(supervisor_pidfile="jobs.pid")
    application.start()
    first = application.supervisor
    assert first is not None
    assert (application.folder / "jobs.pid").read_text() == f"{first.pid}\n"

    refusal = application.run("start", succeeds=False)

    assert f"belongs to a supervisor that runs (pid {first.pid})" in refusal
    assert len(refusal.splitlines()) == 1
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)
    assert not (application.folder / "jobs.pid").exists()


def test_a_stale_pidfile_is_taken_over_while_children_of_its_owner_live(
    application: Application,
) -> None:
    application.configure(**HEARTBEATS, supervisor_pidfile="jobs.pid")
    application.start()
    receipts = [application.enqueue("jobs.wait", "old")]
    application.wait_until_ran("old began")
    worker = application.worker()
    kill_supervisor(application)

    application.start()

    assert application.supervisor is not None
    content = (application.folder / "jobs.pid").read_text()
    assert content == f"{application.supervisor.pid}\n"
    assert lives(worker.pid)
    receipts.append(application.enqueue("jobs.note", "new"))
    application.wait_until_ran("new")
    application.open()
    application.wait_until_jobs(finished=2)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def kill_supervisor(application: Application) -> None:
    assert application.supervisor is not None
    application.supervisor.kill()
    application.supervisor.wait()
