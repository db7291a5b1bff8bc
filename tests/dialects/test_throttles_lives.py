"""Throttled jobs through their lives: attempts, limits, tests, and what of them is forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import queuekit
from queuekit import Receipt, application, testing
from queuekit.config import DispatcherSettings
from queuekit.database import Database
from queuekit.executions import claimed, scheduled, semaphores, throttles
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import NextAttempt, Result
from queuekit.processes import registration
from queuekit.processes.dispatcher import Dispatcher
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed,
    finished,
    in_threads,
    register,
    states,
    take,
)
from tests.dialects.test_limits import slots
from tests.dialects.throttled_jobs import (
    gentle,
    often,
    survives,
    twice_a_minute,
)
from tests.dialects.throttling import (
    LATEST,
    backlog,
    claim_and_start,
    come,
    due,
    moments,
    pass_time,
    start,
)

# Attempts


def test_each_attempt_is_a_start() -> None:
    receipt = survives.enqueue("a")
    worker = register()
    for attempt in (1, 2):
        (job,) = claim(worker)
        assert start(worker, [job]).seconds
        again = NextAttempt(wait=0, executions=attempt)
        take(worker, [Result(job.row_id, "retried", None, 0.1, again)], limit=0)

    assert claim_and_start(worker) == []
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "retried"), (3, "scheduled")]


def by_hand(worker: int, receipt: Receipt, job: ClaimedJob) -> None:
    take(worker, [failed(job)], limit=0)
    queuekit.failed.retry(receipt.job_id)


def by_death(worker: int, receipt: Receipt, job: ClaimedJob) -> None:
    error = RuntimeError("killed")
    registration.bury(application.database(), application.configuration(), worker, error)


@pytest.mark.parametrize("again", [by_hand, by_death])
def test_whatever_runs_a_job_again_keeps_its_throttle(
    again: Callable[[int, Receipt, ClaimedJob], None],
) -> None:
    receipt = survives.enqueue("a")
    worker = register()
    (job,) = claim(worker)

    again(worker, receipt, job)

    assert (
        ask("select throttle_key, throttle_to, throttle_per from queuekit_jobs")
        == [("two/a", 2, 60.0)] * 2
    )


@pytest.mark.parametrize("driver", DRIVERS, ids=repr)
def test_in_a_callers_transaction_too(
    database: Database, database_url: str, driver: Driver
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        for _ in range(3):
            twice_a_minute.using(connection=connection.raw).enqueue("a")
        connection.commit()

    assert len(claim_and_start(register())) == 2
    assert counts() == {"claimed": 2, "scheduled": 1}


def test_a_job_for_later_asks_when_it_is_due(database: Database) -> None:
    queuekit.enqueue_all(twice_a_minute.using(wait=0.001).bind("a", value) for value in range(3))
    assert moments() == {}

    assert len(come(register())) == 2


def test_a_worker_that_knows_of_no_throttles_simply_runs_them() -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    worker = register()

    take(worker, [finished(job) for job in claim(worker)], limit=0)

    assert counts() == {"finished": 3}


def test_who_asks_where_the_job_is_gets_the_moment_that_it_waits_for() -> None:
    receipts = queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    claim_and_start(register())

    (attempt,) = queuekit.jobs.history(receipts[2].job_id)

    assert (attempt.state, [attempt.scheduled_at]) == ("scheduled", due(receipts[2]))


def test_tests_in_memory_run_throttled_jobs_at_once() -> None:
    with testing.in_memory() as jobs:
        for number in range(5):
            twice_a_minute.enqueue("a", number)

        assert jobs.perform_enqueued_jobs() == 5


@pytest.mark.parametrize("driver", DRIVERS, ids=repr)
def test_tests_on_a_connection_run_throttled_jobs_at_once(
    driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        with testing.on_connection(connection.raw) as jobs:
            for number in range(5):
                twice_a_minute.enqueue("a", number)

            assert jobs.perform_enqueued_jobs() == 5
        connection.rollback()


# With a concurrency limit


def test_a_slot_is_given_back_and_handed_on() -> None:
    first, second, third = (gentle.enqueue("a", number) for number in range(3))
    worker = register()
    (job,) = claim(worker)
    assert start(worker, [job]).seconds
    take(worker, [finished(job)], limit=0)
    assert states()["ready"] == [second.row_id]

    assert claim_and_start(worker) == []

    assert states() == {
        "finished": [first.row_id],
        "scheduled": [second.row_id],
        "ready": [third.row_id],
    }
    assert slots() == [("gentle/a", third.row_id)]


def test_who_comes_at_its_moment_competes_for_a_slot() -> None:
    first, second = (gentle.enqueue("a", number) for number in range(2))
    worker = register()
    (job,) = claim(worker)
    start(worker, [job])
    take(worker, [finished(job)], limit=0)
    claim_and_start(worker)
    third = gentle.enqueue("a")
    pass_time(LATEST)

    scheduled.dispatch(application.database(), 10)

    assert states() == {
        "finished": [first.row_id],
        "ready": [third.row_id],
        "blocked": [second.row_id],
    }


# Forgetting


def test_the_sweep_forgets_starts_that_are_over_and_lock_rows(database: Database) -> None:
    worker = register()
    receipts = backlog(4, worker)
    often.enqueue("b")
    claim_and_start(worker)
    throttles.sweep(database)
    assert len(moments()) == 5

    pass_time(LATEST)
    throttles.sweep(database)

    assert sorted(moments()) == sorted(
        [row.row_id for row in receipts[2:] if row.row_id] + [claimed_now()]
    )
    assert len(ask("select throttle_key from queuekit_throttles")) == 2

    come(worker)
    take(worker, [finished(job) for job in claimed.held_by(database, worker)], limit=0)
    pass_time(LATEST)
    throttles.sweep(database)
    assert moments() == {}
    assert ask("select throttle_key from queuekit_throttles") == []


def claimed_now() -> int:
    ((row_id,),) = ask("select job_id from queuekit_claimed_executions")
    return int(row_id)


def test_a_dispatcher_forgets_them_though_it_does_no_maintenance_of_limits(
    database: Database,
) -> None:
    worker = register()
    backlog(2, worker)
    pass_time(LATEST)

    Dispatcher(DispatcherSettings(concurrency_maintenance=False), database, False).poll()

    assert moments() == {}


def test_the_sweep_gives_the_moments_of_jobs_back_that_are_gone(database: Database) -> None:
    worker = register()
    receipts = backlog(6, worker)
    ask("delete from queuekit_scheduled_executions")
    ask("delete from queuekit_jobs where id > :id", id=receipts[1].row_id)

    throttles.sweep(database)

    assert list(moments()) == [receipts[0].row_id, receipts[1].row_id]


def test_the_sweep_goes_through_many_pages(database: Database) -> None:
    queuekit.enqueue_all(often.bind(f"key {number}", number) for number in range(1_200))
    worker = register()
    jobs = claim(worker, limit=2000)
    start(worker, jobs)
    take(worker, [finished(job) for job in jobs[1:]], limit=0)
    pass_time(3)

    throttles.sweep(database)

    assert list(moments()) == [jobs[0].row_id]
    assert ask("select throttle_key from queuekit_throttles") == [(jobs[0].throttle_key,)]


def test_the_sweep_holds_up_nobody_who_starts(database: Database) -> None:
    queuekit.enqueue_all(often.bind(f"key {n % 20}", n) for n in range(100))

    def work(number: int) -> None:
        if number == 0:
            for _ in range(20):
                throttles.sweep(database)
                semaphores.sweep(database)
            return
        worker = register()
        while jobs := claim(worker, limit=5):
            start(worker, jobs)
            take(worker, [finished(job) for job in jobs], limit=0)

    in_threads(work, 3)

    assert counts() == {"finished": 100}
