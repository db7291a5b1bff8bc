"""The test helpers on the test's own connection: real rows, in its transaction, gone with it."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import Limit, Retry, context
from queuekit.testing import Jobs, JobsTestCase, on_connection
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.support import counts, misplaced

drivers = pytest.mark.parametrize("driver", DRIVERS, ids=repr)

ran: list[Any] = []


@queuekit.job(queue="mailers")
def greet(name: str) -> None:
    ran.append((name, context.attempt))


@queuekit.job(retry_on=Retry(ConnectionError, wait=60, attempts=2), discard_on=LookupError)
def fetch(path: str) -> None:
    ran.append((path, context.executions))
    raise {"gone": LookupError, "away": ConnectionError, "broken": ValueError}[path](path)


@queuekit.job(limits_concurrency=Limit("exports", group="tests"))
def export(path: str) -> None:
    ran.append(path)


@queuekit.job(limits_concurrency=Limit("exports", group="tests"))
def export_twice(path: str) -> None:
    queuekit.enqueue_all(export.bind(f"{path} {number}") for number in (1, 2))
    ran.append(f"twice {path}")


@pytest.fixture
def jobs(driver: Driver, database_url: str) -> Iterator[Jobs]:
    ran.clear()
    with driver.connection(database_url) as connection:
        connection.begin()
        with on_connection(connection.raw) as jobs:
            yield jobs
        connection.rollback()


@drivers
def test_jobs_are_in_the_tests_own_transaction(driver: Driver, database_url: str) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        with on_connection(connection.raw) as jobs:
            greet.enqueue("Ädä 🦊")
            queuekit.enqueue_all([greet.bind("b"), greet.using(wait=3600).bind("c")])
            jobs.assert_enqueued_with(greet, args=("Ädä 🦊",), queue="mailers")
            jobs.assert_enqueued_with(greet, args=("c",), at=timedelta(hours=1))
            assert queuekit.status.gather().jobs["ready"] == 2
        connection.rollback()

    assert counts() == {}


@drivers
def test_jobs_run_and_are_settled_there(jobs: Jobs) -> None:
    greet.enqueue("a")
    greet.using(wait=3600, priority=-1).enqueue("b")

    assert jobs.perform_enqueued_jobs() == 2
    assert ran == [("a", 1), ("b", 1)]
    jobs.assert_performed_jobs(2, only=greet)
    jobs.assert_no_enqueued_jobs()
    assert queuekit.status.gather().jobs["finished"] == 2
    assert misplaced() == []


@drivers
def test_policies_act_as_in_a_worker(jobs: Jobs) -> None:
    fetch.enqueue("gone")
    fetch.enqueue("away")
    fetch.enqueue("broken")

    with pytest.raises(ValueError, match="broken"):
        jobs.perform_enqueued_jobs()

    jobs.assert_enqueued_jobs(1)
    jobs.travel(timedelta(minutes=2))
    with pytest.raises(ConnectionError):
        jobs.perform_due_jobs()
    assert ran == [("gone", 1), ("away", 1), ("broken", 1), ("away", 2)]
    assert [job.error.message for job in queuekit.failed.list()] == ["away", "broken"]


@drivers
def test_waits_count_from_the_tests_time(jobs: Jobs) -> None:
    jobs.travel(timedelta(days=1))
    greet.using(wait=3600).enqueue("Ada")
    fetch.enqueue("away")

    jobs.assert_enqueued_with(greet, at=timedelta(hours=1))
    assert jobs.perform_due_jobs() == 1
    assert ran == [("away", 1)]

    jobs.travel(timedelta(minutes=30))
    with pytest.raises(ConnectionError):
        jobs.perform_due_jobs()
    jobs.travel(timedelta(minutes=31))
    assert jobs.perform_due_jobs() == 1


@drivers
def test_a_block_runs_jobs_as_they_are_enqueued(jobs: Jobs) -> None:
    with jobs.performing(only=greet):
        greet.enqueue("a")
        fetch.enqueue("away")

    assert ran == [("a", 1)]
    jobs.assert_enqueued_jobs(1, only=fetch)


@drivers
def test_blocked_jobs_count_as_enqueued_and_run_in_turn(jobs: Jobs) -> None:
    export.using(priority=5).enqueue("a")
    export.using(priority=1).enqueue("b")
    export.enqueue("c")
    assert queuekit.status.gather().jobs["blocked"] == 2

    jobs.assert_enqueued_jobs(3, only=export)
    jobs.assert_enqueued_with(export, args=("b",), priority=1)
    assert jobs.perform_enqueued_jobs() == 3

    assert ran == ["a", "c", "b"]
    jobs.assert_no_enqueued_jobs()
    assert queuekit.slots.list() == []


@drivers
def test_a_job_that_stays_blocked_is_not_run(jobs: Jobs) -> None:
    export.using(queue="other").enqueue("a")
    export.enqueue("b")

    assert jobs.perform_enqueued_jobs(queue="default") == 0
    assert jobs.perform_due_jobs(queue="default") == 0
    jobs.assert_enqueued_jobs(2)
    assert jobs.perform_due_jobs() == 2
    assert ran == ["a", "b"]


@drivers
def test_a_block_runs_blocked_jobs_when_their_slot_is_free(jobs: Jobs) -> None:
    with jobs.performing():
        export_twice.enqueue("a")
        export.enqueue("c")

    assert ran == ["twice a", "a 1", "a 2", "c"]
    jobs.assert_no_enqueued_jobs()
    jobs.assert_performed_jobs(4)


@drivers
def test_jobs_that_wait_are_discarded_there(jobs: Jobs) -> None:
    first, second = export.enqueue("a"), export.enqueue("b")

    queuekit.jobs.discard(first.job_id)

    (left,) = jobs.enqueued
    assert left.job_id == second.job_id
    assert jobs.perform_enqueued_jobs() == 1
    assert misplaced() == []


@drivers
def test_the_mixin_keeps_jobs_on_the_connection_that_it_is_given(
    driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()

        class Case(JobsTestCase, unittest.TestCase):
            def queuekit_connection(self) -> Any:
                return connection.raw

            def test_one(self) -> None:
                greet.enqueue("a")
                self.jobs.assert_enqueued_jobs(1)

        result = unittest.TestResult()
        Case("test_one").run(result)
        connection.rollback()

    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
    assert counts() == {}


@queuekit.job(unique=queuekit.Unique("name"))
def once(name: str) -> None:
    ran.append(name)


@drivers
def test_unique_jobs_are_unique(jobs: Jobs) -> None:
    first, second = once.enqueue("a"), once.enqueue("a")
    assert (second.status, second.job_id) == ("existing", first.job_id)

    with jobs.performing():
        assert once.enqueue("a").is_existing
        assert once.enqueue("b").is_enqueued
    assert ran == ["b"]

    jobs.perform_enqueued_jobs()
    assert ran == ["b", "a"]
    assert once.enqueue("a").is_enqueued


@drivers
def test_dynamic_tasks_are_due_where_a_test_travels(jobs: Jobs) -> None:
    queuekit.schedule_recurring_task("hello", job=greet, args=("a",), schedule="every hour UTC")
    jobs.travel(timedelta(hours=3), recurring=True)

    jobs.assert_enqueued_jobs(3, only=greet)
    assert jobs.perform_due_jobs() == 3
