"""Two connections that meet in the middle of a transaction: who waits for whom, and finds what."""

from __future__ import annotations

import pytest

import queuekit
from queuekit import ConflictError, JobNotFoundError, application
from queuekit.database import Database
from queuekit.executions import claimed, scheduled
from queuekit.executions.turn import Result, Turn
from queuekit.processes.registration import bury, release
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed,
    failed_note,
    finished,
    in_background,
    register,
    silent_for,
    states,
    take,
    wait_until,
    wait_until_blocked,
)
from tests.dialects.transactions import DIED, Other, transaction
from tests.servers import Server


def failed_by_burial(database: Database, process_id: int, silent_for: float = 0.0) -> list[str]:
    """Bury a process; the jobs that failed with it."""
    burial = bury(database, application.configuration(), process_id, DIED, silent_for=silent_for)
    return list(burial.failed)


def test_a_turn_that_meets_its_own_funeral_claims_nothing(server: Server, other: Other) -> None:
    note.enqueue()
    worker = register()
    other.bury(worker)

    with in_background(lambda: take(worker)) as turn:
        wait_until_blocked(server, turn)
        other.commit()
        taken: Turn = turn.result()

    assert not taken.registered
    assert taken.claimed == ()
    assert counts() == {"ready": 1}


def test_a_turn_that_meets_its_own_funeral_settles_nothing(server: Server, other: Other) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    other.bury(worker)

    with in_background(lambda: take(worker, [finished(job)])) as turn:
        wait_until_blocked(server, turn)
        other.commit()
        taken: Turn = turn.result()

    assert not taken.registered
    assert taken.settled == frozenset()
    assert attempts(receipt.job_id) == [(1, "failed")]


def test_a_funeral_that_was_called_off_lets_the_turn_go_on(server: Server, other: Other) -> None:
    note.enqueue()
    worker = register()
    (job,) = claim(worker)
    other.bury(worker)

    with in_background(lambda: take(worker, [finished(job)])) as turn:
        wait_until_blocked(server, turn)
        other.rollback()
        taken: Turn = turn.result()

    assert taken.registered
    assert taken.settled == {job.row_id}


def test_a_funeral_waits_for_the_turn_under_way_and_fails_what_it_claimed(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    worker = register()
    other.turn(worker)

    with in_background(lambda: failed_by_burial(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result() == [receipt.job_id]

    assert states() == {"failed": [receipt.row_id]}


def test_a_funeral_waits_for_the_turn_under_way_and_leaves_what_it_settled(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    other.turn(worker, f'[{{"job_id": {job.row_id}, "outcome": "finished"}}]')

    with in_background(lambda: failed_by_burial(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result() == []

    assert attempts(receipt.job_id) == [(1, "finished")]


def test_leaving_waits_for_the_turn_under_way_and_releases_what_it_claimed(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    worker = register()
    other.turn(worker)

    with in_background(lambda: release(database, worker)) as leaving:
        wait_until_blocked(server, leaving)
        other.commit()
        assert leaving.result() == 1

    assert states() == {"ready": [receipt.row_id]}


def test_two_funerals_of_one_process_fail_its_jobs_once(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    worker = register()
    claim(worker)
    assert [(str(job_id), end) for job_id, end, *_ in other.bury(worker)] == [
        ("None", "buried"),
        (receipt.job_id, "failed"),
    ]

    with in_background(lambda: failed_by_burial(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result() == []

    assert states() == {"failed": [receipt.row_id]}


def test_a_heartbeat_during_the_funeral_comes_too_late(
    server: Server, database: Database, other: Other
) -> None:
    worker = register()
    other.bury(worker)

    with in_background(lambda: database.query("processes.heartbeat", process_id=worker)) as beat:
        wait_until_blocked(server, beat)
        other.commit()
        assert beat.result() == []


def test_a_heartbeat_before_the_funeral_calls_it_off(
    server: Server, database: Database, other: Other
) -> None:
    note.enqueue()
    worker = register()
    claim(worker)
    silent_for(worker, 100)
    other.query("processes.heartbeat", process_id=worker)

    with in_background(lambda: failed_by_burial(database, worker, silent_for=30)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result() == []

    assert counts() == {"claimed": 1}


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_turn_passes_over_what_another_is_about_to_claim(other: Other) -> None:
    one, another, third = queuekit.enqueue_all(note.bind(number) for number in range(3))
    other.turn(register(), limit=2)

    assert [job.row_id for job in claim(register())] == [third.row_id]

    other.commit()
    assert states() == {"claimed": [one.row_id, another.row_id, third.row_id]}


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_enqueueing_waits_for_no_turn_and_no_turn_for_enqueueing(
    database: Database, other: Other
) -> None:
    note.enqueue()
    other.turn(register())

    second = note.enqueue()

    with transaction(database) as enqueueing:
        row = {"class_name": "x", "arguments": "[]", "priority": 0, "at": None, "wait": None}
        job_id = "01890000-0000-7000-8000-000000000000"
        row |= {"uuid": job_id, "queue_name": "default", "max_process_deaths": None}
        row |= {"context": None}
        enqueueing.query("jobs.enqueue_one", wakes=None, **row)
        assert [job.row_id for job in claim(register())] == [second.row_id]
        enqueueing.commit()
    other.commit()
    assert counts() == {"ready": 1, "claimed": 2}


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_dispatchers_share_what_is_due(database: Database, other: Other) -> None:
    queuekit.enqueue_all(note.using(wait=0.001).bind(number) for number in range(5))
    wait_until_due()
    assert len(other.query("scheduled.dispatch", limit=2)) == 2

    assert scheduled.dispatch(database, 10) == 3

    other.commit()
    assert counts() == {"ready": 5}


def test_of_two_retries_of_one_job_one_makes_a_new_attempt(server: Server, other: Other) -> None:
    bystander, receipt = failed_note(), failed_note()
    rows = other.query("failed.retry", job_ids=f"[{receipt.row_id}]", preserve_finished=True)
    assert [str(job_id) for job_id, *_ in rows] == [receipt.job_id]

    both = (bystander.job_id, receipt.job_id)
    with in_background(lambda: queuekit.failed.retry(*both)) as retry:
        wait_until_blocked(server, retry)
        other.commit()
        assert str(retry.exception()) == (
            "nothing was done: retried or discarded by somebody else meanwhile: " + receipt.job_id
        )

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]
    assert attempts(bystander.job_id) == [(1, "failed")]


def test_a_job_is_retried_or_discarded_but_not_both(server: Server, other: Other) -> None:
    receipt = failed_note()
    other.query("failed.discard", job_ids=f"[{receipt.row_id}]", preserve_finished=True)

    with in_background(lambda: queuekit.failed.retry(receipt.job_id)) as retry:
        wait_until_blocked(server, retry)
        other.commit()
        assert isinstance(retry.exception(), JobNotFoundError)

    assert attempts(receipt.job_id) == [(1, "discarded")]


def test_two_who_find_an_orphan_fail_it_once(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    orphan(claim(worker := register())[0].row_id, worker)
    assert claimed.orphaned_processes(database) == [worker]
    assert len(other.bury(worker)) == 1

    with in_background(lambda: failed_by_burial(database, worker)) as second:
        wait_until_blocked(server, second)
        other.commit()
        assert second.result() == []

    assert states() == {"failed": [receipt.row_id]}


@pytest.mark.databases("sqlite")
def test_a_writer_that_lasts_is_a_conflict_in_the_end(database: Database, other: Other) -> None:
    queuekit.configure(database_url=f"{database.url}?busy_timeout=10")
    other.begin()

    with pytest.raises(queuekit.EnqueueError) as refused:
        note.enqueue()

    assert isinstance(refused.value.__cause__, ConflictError)


def test_a_failure_to_settle_leaves_the_claims() -> None:
    """A turn is all or nothing: an error among its results settles and claims nothing."""
    note.enqueue()
    note.enqueue()
    worker = register()
    one, two = claim(worker)

    with pytest.raises(queuekit.DatabaseError):
        take(worker, [finished(one), Result(two.row_id, "failed")])

    assert counts() == {"claimed": 2}
    assert take(worker, [finished(one), failed(two)]).settled == {one.row_id, two.row_id}


def orphan(row_id: int, worker: int) -> None:
    ask("delete from queuekit_processes where id = :id", id=worker)
    assert states()["claimed"] == [row_id]


def wait_until_due() -> None:
    wait_until(lambda: (scheduled.seconds_until_next(application.database()) or 0) < -0.01)
