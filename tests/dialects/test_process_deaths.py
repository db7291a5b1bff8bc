"""How many deaths of its process a job may see: where that is said, and how it travels."""

from __future__ import annotations

from typing import Any

import pytest

import queuekit
from queuekit import ProcessExitError, Receipt, application
from queuekit.database import Database
from queuekit.executions import ready
from queuekit.processes import registration
from queuekit.processes.registration import Burial
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    configure,
    counts,
    fail,
    failed,
    finished,
    in_threads,
    register,
    silent_for,
    states,
    take,
)

DIED = ProcessExitError("was killed by SIGKILL")


@queuekit.job(on_process_death="retry", max_process_deaths=2)
def twice(value: Any = None) -> None: ...


@queuekit.job(on_process_death="retry")
def again(value: Any = None) -> None: ...


@queuekit.job(on_process_death="fail")
def never(value: Any = None) -> None: ...


@queuekit.job(max_process_deaths=2)
def twice_if_any(value: Any = None) -> None: ...


def die(*jobs: Receipt, **how: Any) -> Burial:
    """A worker claims all there is, begins these jobs, and dies."""
    worker = register()
    row_ids = {job.row_id for job in claim(worker)}
    begun = [row_id for row_id in row_ids if row_id in newest(*jobs)] if jobs else None
    return registration.bury(
        application.database(), application.configuration(), worker, DIED, begun=begun, **how
    )


def newest(*jobs: Receipt) -> set[int]:
    """The row ids of these jobs' last attempts."""
    return {
        ask("select max(id) from queuekit_jobs where uuid = :uuid", uuid=job.job_id)[0][0]
        for job in jobs
    }


def deaths(job: Receipt) -> list[tuple[int, int, int | None]]:
    """Every attempt of a job, with the deaths that it had seen, and how many it may see."""
    return ask(
        "select attempt, process_deaths, max_process_deaths from queuekit_jobs"
        " where uuid = :uuid order by attempt",
        uuid=job.job_id,
    )


# Death after death


def test_a_job_that_may_is_retried_until_it_has_seen_its_deaths(database: Database) -> None:
    job = twice.enqueue(1)

    assert die() == Burial(retried=(job.job_id,))
    assert attempts(job.job_id) == [(1, "retried"), (2, "ready")]

    assert die() == Burial(failed=(job.job_id,))
    assert attempts(job.job_id) == [(1, "retried"), (2, "failed")]
    assert deaths(job) == [(1, 0, 2), (2, 1, 2)]
    assert queuekit.failed.show(job.job_id).error.message == "was killed by SIGKILL"


def test_the_attempt_that_died_keeps_its_error(database: Database) -> None:
    job = twice.enqueue(1)
    die()

    ((outcome, error),) = ask(
        "select outcome, error from queuekit_finished_executions where job_id = :id", id=job.row_id
    )
    assert outcome == "retried"
    assert "was killed by SIGKILL" in error


def test_a_new_attempt_is_the_same_job(database: Database) -> None:
    job = twice.using(queue="mailers", priority=-3).enqueue({"größe": "🚀"})
    (before,) = claim(first := register())
    registration.bury(database, application.configuration(), first, DIED)

    (after,) = claim(register())

    assert (after.job_id, after.attempt) == (job.job_id, 2)
    assert after.row_id > before.row_id
    for name in ("queue", "class_name", "arguments", "priority"):
        assert getattr(after, name) == getattr(before, name)
    assert take(register(), [finished(after)], limit=0).settled == frozenset()


def test_retried_jobs_keep_their_order(database: Database) -> None:
    jobs = queuekit.enqueue_all(twice.bind(number) for number in range(50))
    die()

    assert [job.job_id for job in claim(register())] == [job.job_id for job in jobs]


def test_a_death_before_it_began_is_not_counted(database: Database) -> None:
    job, other = twice.enqueue(1), twice.enqueue(2)
    for _ in range(5):
        assert job.job_id in die(other).released or other.job_id not in states()

    assert deaths(job) == [(1, 0, 2)]
    assert attempts(job.job_id) == [(1, "ready")]


def test_who_may_not_retry_fails_even_what_would_be(database: Database) -> None:
    job = twice.enqueue(1)

    assert die(may_retry=False) == Burial(failed=(job.job_id,))


def test_a_process_that_has_beaten_lately_keeps_its_claims(database: Database) -> None:
    job = twice.enqueue(1)
    worker = register()
    claim(worker)
    silent_for(worker, 20)

    configuration = application.configuration()
    bury = registration.bury
    for begun in ([], None):
        burial = bury(database, configuration, worker, DIED, silent_for=30, begun=begun)
        assert burial == Burial(happened=False)
    assert states() == {"claimed": [job.row_id]}
    assert bury(database, configuration, worker, DIED, silent_for=10).retried == (job.job_id,)


def test_without_finished_jobs_kept_the_dead_attempt_is_forgotten(database: Database) -> None:
    configure(preserve_finished_jobs=False)
    again_it_runs, fails, waits = twice.enqueue(1), never.enqueue(2), twice.enqueue(3)

    assert die(again_it_runs, fails) == Burial(
        failed=(fails.job_id,), retried=(again_it_runs.job_id,), released=(waits.job_id,)
    )

    assert attempts(again_it_runs.job_id) == [(2, "ready")]
    assert deaths(again_it_runs) == [(2, 1, 2)]
    assert counts() == {"ready": 2, "failed": 1}


def test_of_many_who_bury_the_same_process_one_does(database: Database) -> None:
    jobs = queuekit.enqueue_all(twice.bind(number) for number in range(20))
    jobs += queuekit.enqueue_all(never.bind(number) for number in range(20))
    worker = register()
    claim(worker)
    begun = [job.row_id for job in jobs[::2]]
    configuration = application.configuration()

    burials = in_threads(
        lambda index: registration.bury(
            application.database(), configuration, worker, DIED, begun=begun
        ),
        8,
    )

    assert sum(burial.happened for burial in burials) == 1
    assert sum(burial != Burial(happened=False) for burial in burials) == 1
    assert counts() == {"ready": 30, "failed": 10, "finished": 10}


# What the configuration says


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        ({}, ["failed"]),
        ({"max_process_deaths": 5}, ["failed"]),
        ({"on_process_death": "retry", "max_process_deaths": 1}, ["failed"]),
        ({"on_process_death": "retry", "max_process_deaths": 2}, ["retried", "failed"]),
        ({"on_process_death": "retry"}, ["retried", "retried", "failed"]),
    ],
)
def test_a_job_that_says_nothing_leaves_it_to_the_configuration(
    database: Database, settings: dict[str, Any], ends: list[str]
) -> None:
    configure(**settings)
    job = note.enqueue()
    assert deaths(job) == [(1, 0, None)]

    for _ in ends:
        die()

    assert [end for _, end in attempts(job.job_id)] == ends


@pytest.mark.parametrize(
    ("declared", "ends"),
    [
        (never, ["failed"]),
        (twice, ["retried", "failed"]),
        (twice_if_any, ["retried", "failed"]),
        (again, ["retried"] * 3 + ["failed"]),
    ],
)
@pytest.mark.parametrize("on_process_death", ["fail", "retry"])
def test_what_a_job_says_wins(
    database: Database, declared: Any, ends: list[str], on_process_death: str
) -> None:
    configure(on_process_death="retry", max_process_deaths=4)
    job = declared.enqueue()
    configure(on_process_death=on_process_death, max_process_deaths=7)  # of who buries

    for _ in ends:
        die()

    assert [end for _, end in attempts(job.job_id)] == ends


# On its way into the table


@pytest.mark.parametrize("wait", [None, 0.0, 3600.0])
def test_every_way_of_enqueueing_writes_it(database: Database, wait: float | None) -> None:
    jobs = [job.using(wait=wait).enqueue() for job in (twice, again, never, note)]
    jobs += queuekit.enqueue_all(
        job.using(wait=wait).bind(1) for job in (twice, again, never, note)
    )

    assert [deaths(job) for job in jobs] == [[(1, 0, most)] for most in (2, 3, 1, None)] * 2


@pytest.mark.parametrize("driver", DRIVERS, ids=repr)
def test_a_callers_connection_writes_it_too(
    database: Database, database_url: str, driver: Driver
) -> None:
    ready.any_waiting(database)
    with driver.connection(database_url) as connection:
        connection.begin()
        jobs = [job.using(connection=connection.raw).enqueue() for job in (twice, note)]
        jobs += [twice.using(connection=connection.raw, wait=60).enqueue()]
        jobs += queuekit.enqueue_all([never.bind(1), note.bind(2)], connection=connection.raw)
        connection.commit()

    assert [deaths(job)[0][2] for job in jobs] == [2, None, 2, 1, None]


def test_a_dispatched_job_still_has_it(database: Database) -> None:
    job = twice.using(wait=3600).enqueue()
    moment = application.database().to_database(job.scheduled_at.replace(year=2001))  # type: ignore[union-attr]
    ask("update queuekit_scheduled_executions set scheduled_at = :at", at=moment)
    database.query("scheduled.dispatch", limit=10)

    assert die() == Burial(retried=(job.job_id,))


# By hand


def test_a_retry_by_hand_begins_to_count_anew(database: Database) -> None:
    job = twice.enqueue()
    die()
    die()

    queuekit.failed.retry(job.job_id)

    assert deaths(job) == [(1, 0, 2), (2, 1, 2), (3, 0, 2)]
    assert die() == Burial(retried=(job.job_id,))
    assert die() == Burial(failed=(job.job_id,))


def test_other_failures_are_no_deaths(database: Database) -> None:
    job = twice.enqueue()
    fail(job)
    queuekit.failed.retry(job.job_id)

    worker = register()
    (claimed,) = claim(worker)
    take(worker, [failed(claimed)], limit=0)
    assert deaths(job) == [(1, 0, 2), (2, 0, 2)]
