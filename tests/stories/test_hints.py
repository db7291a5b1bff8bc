"""Idle processes hear of work: here they poll once in ten minutes, and nothing waits so long."""

from __future__ import annotations

import os
import signal

import pytest

from queuekit import arguments, failed, queues
from queuekit.description import Description
from queuekit.enqueueing import write
from queuekit.limits import HeldLimit
from tests.dialects.drivers import DRIVERS
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_invariant
from tests.stories.support import Application, describe, enqueue_all, wait_until

SELDOM = 600

pytestmark = pytest.mark.databases("sqlite", "postgresql")


@pytest.fixture
def idle(application: Application) -> Application:
    """An application whose processes have begun, and have nothing to do."""
    application.configure(
        workers={"threads": 2, "polling_interval": SELDOM},
        dispatchers={"polling_interval": SELDOM},
        max_process_deaths=3,
        on_process_death="retry",
    )
    application.start()
    warm_up(application)
    return application


def warm_up(application: Application) -> None:
    """A job that runs shows that hints come, however long it took to begin to listen."""
    application.enqueue("jobs.note", "warm")
    application.wait_until_ran("warm")


def test_a_job_that_is_enqueued_runs(idle: Application) -> None:
    for number in range(5):
        idle.enqueue("jobs.note", f"{number}")
        idle.wait_until_ran(f"{number}")

    idle.stop()
    assert_clean_termination(idle)


def test_what_follows_another_at_once_runs_too(idle: Application) -> None:
    """Whoever enqueues says the same only every few milliseconds."""
    for number in range(200):
        idle.enqueue("jobs.note", f"{number}")

    idle.wait_until_ran(*(f"{number}" for number in range(200)))


def test_many_jobs_at_once_run(idle: Application) -> None:
    enqueue_all([("jobs.note", (f"{number}",)) for number in range(300)])

    idle.wait_until_ran(*(f"{number}" for number in range(300)))


def test_a_scheduled_job_runs_in_its_time(idle: Application) -> None:
    idle.enqueue("jobs.note", "soon", wait=0.3)

    idle.wait_until_ran("soon")


def test_a_job_in_the_callers_transaction_runs_when_that_has_committed(idle: Application) -> None:
    product = "sqlite" if idle.database_url.startswith("sqlite") else "postgresql"
    driver = next(driver for driver in DRIVERS if product in driver.products)
    with driver.connection(idle.database_url) as caller:
        caller.begin()
        write([note("rolled back")], connection=caller.raw)
        caller.rollback()
        caller.begin()
        write([note("committed")], connection=caller.raw)
        caller.commit()

    idle.wait_until_ran("committed")
    assert "rolled back" not in idle.ran()


def test_a_limited_job_in_the_callers_transaction_gets_its_slot(idle: Application) -> None:
    product = "sqlite" if idle.database_url.startswith("sqlite") else "postgresql"
    driver = next(driver for driver in DRIVERS if product in driver.products)
    with driver.connection(idle.database_url) as caller:
        caller.begin()
        write([limited("limited")], connection=caller.raw)
        caller.commit()

    idle.wait_until_ran("limited")


def test_blocked_jobs_run_one_after_the_other(idle: Application) -> None:
    write([limited(f"{number}") for number in range(10)])

    idle.wait_until_ran(*(f"{number}" for number in range(10)))


def test_a_failed_job_that_is_retried_by_hand_runs(idle: Application) -> None:
    failing = idle.enqueue("jobs.fail_unless_open", "repaired")
    idle.wait_until_jobs(finished=1, failed=1)
    idle.open("repaired")

    failed.retry(failing.job_id)

    idle.wait_until_jobs(finished=3)


def test_a_queue_that_is_resumed_is_worked_off(idle: Application) -> None:
    queues.pause("default")
    idle.enqueue("jobs.note", "paused")

    queues.resume("default")

    idle.wait_until_ran("paused")


def test_what_a_dead_worker_had_runs_in_another(application: Application) -> None:
    application.configure(
        workers={"processes": 2, "threads": 1, "polling_interval": SELDOM},
        dispatchers={"polling_interval": SELDOM},
        on_process_death="retry",
    )
    application.start()
    warm_up(application)
    application.enqueue("jobs.wait_and_survive", "survived")
    application.wait_until_ran("survived began")
    pid = next(pid for pid, text in application.ran_where() if text == "survived began")
    os.kill(pid, signal.SIGKILL)
    application.open()

    application.wait_until_ran("survived ended")
    application.stop()
    assert_invariant()


def test_processes_in_one_hear_of_each_other(application: Application) -> None:
    application.configure(
        mode="async",
        workers={"threads": 1, "polling_interval": SELDOM},
        dispatchers={"polling_interval": SELDOM},
    )
    application.start()
    warm_up(application)

    application.enqueue("jobs.note", "soon", wait=0.3)

    application.wait_until_ran("soon")
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("postgresql")
def test_hints_come_again_after_the_server_was_away(killable_application: Application) -> None:
    application = killable_application
    application.configure(
        workers={"threads": 1, "polling_interval": SELDOM},
        dispatchers={"polling_interval": SELDOM},
    )
    application.start()
    warm_up(application)
    ask(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )

    def listens() -> bool:
        application.enqueue("jobs.note", "again")
        return "again" in application.ran()

    wait_until(listens, application, "jobs run again")


@pytest.mark.databases("postgresql")
def test_switched_off_nobody_listens(application: Application) -> None:
    application.configure(workers={"polling_interval": 0.05}, wake_on_enqueue=False)
    application.start()
    application.enqueue("jobs.note", "polled")
    application.wait_until_ran("polled")

    assert ask("select query from pg_stat_activity where query ilike '%listen%queuekit'") == []


def note(text: str) -> Description:
    return describe("jobs.note", arguments.dump((text,), {}))


def limited(text: str) -> Description:
    limit = HeldLimit("one at a time", 1, 3600.0, None)
    return note(text)._replace(limit=limit)
