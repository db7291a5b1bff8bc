"""Two connections that meet at a concurrency limit: nobody is forgotten, no slot freed twice."""

from __future__ import annotations

import json

import pytest

from queuekit import Receipt, application
from queuekit.database import Database
from queuekit.executions import scheduled, semaphores
from queuekit.executions.turn import Turn, _stored
from queuekit.processes.registration import Burial, bury
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.support import (
    ask,
    claim,
    counts,
    finished,
    in_background,
    in_threads,
    register,
    states,
    take,
    wait_until_blocked,
)
from tests.dialects.transactions import DIED, Other
from tests.servers import Server

KEY = "one/a"


def hand_over(other: Other, *, freed: list[int]) -> None:
    """What ends a transaction that ended jobs."""
    other.query("semaphores.lock", semaphores=json.dumps([{"key": KEY}]))
    other.query("semaphores.free", job_ids=json.dumps(freed))
    other.query("semaphores.promote", keys=json.dumps([KEY]))


def enqueue(other: Other) -> int:
    """What enqueueing a job does, up to its commit: its row id."""
    receipt = one_at_a_time.bind("a")._description
    assert receipt.limit is not None
    job = {
        "uuid": receipt.job_id,
        "queue_name": receipt.queue,
        "class_name": receipt.class_name,
        "arguments": receipt.arguments,
        "priority": 0,
        "concurrency_key": KEY,
        "concurrency_limit": 1,
        "concurrency_duration": 3600,
    }
    ((_, row_id, *_),) = other.query(
        "jobs.enqueue", jobs=json.dumps([job]), places_later=False, wakes=None
    )
    other.query("semaphores.lock", semaphores=json.dumps([{"key": KEY}]))
    other.query("semaphores.place", job_ids=json.dumps([row_id]), preserve_finished=True)
    assert isinstance(row_id, int)
    return row_id


def slots() -> list[int]:
    return [row[0] for row in ask("select job_id from queuekit_semaphore_slots")]


# solid_queue 456: a job that is enqueued while the last holder of a slot ends


def test_a_job_that_is_being_blocked_is_seen_by_whoever_ends(server: Server, other: Other) -> None:
    one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    blocked = enqueue(other)

    with in_background(lambda: take(worker, [finished(job)], limit=0)) as turn:
        wait_until_blocked(server, turn)
        other.commit()
        taken: Turn = turn.result()

    assert taken.settled == {job.row_id}
    assert states()["ready"] == [blocked]
    assert slots() == [blocked]


def test_a_job_that_is_enqueued_sees_the_slot_that_is_being_freed(
    server: Server, other: Other
) -> None:
    one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    other.turn(worker, _stored([finished(job)]), limit=0)
    hand_over(other, freed=[job.row_id])

    with in_background(lambda: one_at_a_time.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        other.commit()
        receipt: Receipt = enqueued.result()

    assert receipt.status == "enqueued"
    assert slots() == [receipt.row_id]


def test_a_turn_that_is_undone_has_freed_nothing(server: Server, other: Other) -> None:
    first = one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    other.turn(worker, _stored([finished(job)]), limit=0)
    hand_over(other, freed=[job.row_id])

    with in_background(lambda: one_at_a_time.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        other.rollback()
        receipt: Receipt = enqueued.result()

    assert receipt.status == "blocked"
    assert states() == {"claimed": [first.row_id], "blocked": [receipt.row_id]}


# solid_queue 761: a pruned process that finishes late


def test_a_late_finish_that_meets_its_own_funeral_frees_nothing_twice(
    server: Server, other: Other
) -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    worker = register()
    (job,) = claim(worker)
    other.bury(worker)
    hand_over(other, freed=[job.row_id])

    with in_background(lambda: take(worker, [finished(job)], limit=0)) as turn:
        wait_until_blocked(server, turn)
        other.commit()
        taken: Turn = turn.result()

    assert not taken.registered
    assert states() == {
        "failed": [first.row_id],
        "ready": [second.row_id],
        "blocked": [third.row_id],
    }
    assert slots() == [second.row_id]


def test_a_funeral_that_meets_a_late_finish_frees_nothing_twice(
    database: Database, server: Server, other: Other
) -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    worker = register()
    (job,) = claim(worker)
    other.turn(worker, _stored([finished(job)]), limit=0)
    hand_over(other, freed=[job.row_id])

    with in_background(lambda: bury(database, application.configuration(), worker, DIED)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        found: Burial = burial.result()

    assert found.failed == ()
    assert states() == {
        "finished": [first.row_id],
        "ready": [second.row_id],
        "blocked": [third.row_id],
    }
    assert slots() == [second.row_id]


# solid_queue 546: a dead holder


def test_the_slot_of_a_dead_holder_is_handed_on_with_its_burial(
    database: Database, server: Server, other: Other
) -> None:
    one_at_a_time.enqueue("a")
    worker = register()
    claim(worker)
    blocked = enqueue(other)

    with in_background(lambda: bury(database, application.configuration(), worker, DIED)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        burial.result()

    assert states()["ready"] == [blocked]
    assert slots() == [blocked]


def test_of_two_funerals_of_one_holder_one_hands_its_slot_on(
    database: Database, server: Server, other: Other
) -> None:
    receipts = [one_at_a_time.enqueue("a") for _ in range(3)]
    worker = register()
    (job,) = claim(worker)
    other.bury(worker)
    hand_over(other, freed=[job.row_id])

    with in_background(lambda: bury(database, application.configuration(), worker, DIED)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        found: Burial = burial.result()

    assert not found.happened
    assert states()["ready"] == [receipts[1].row_id]


# Others


def test_two_sweeps_at_once_promote_once(database: Database) -> None:
    for _ in range(5):
        one_at_a_time.enqueue("a")
    (job,) = claim(register())
    ask(
        "update queuekit_semaphore_slots set expires_at = (select created_at from queuekit_jobs "
        "where id = job_id)"
    )

    assert sorted(in_threads(lambda _: semaphores.sweep(database), 4)) == [0, 0, 0, 1]

    assert counts() == {"claimed": 1, "ready": 1, "blocked": 3}
    assert job.row_id in slots()


def test_a_lock_row_that_is_being_forgotten_is_there_for_whoever_wants_it(
    server: Server, other: Other
) -> None:
    one_at_a_time.enqueue("a")
    worker = register()
    take(worker, [finished(*claim(worker))], limit=0)
    other.query("semaphores.lock", semaphores=json.dumps([{"key": KEY}]))
    assert other.query("semaphores.unused", limit=10) == [(KEY,)]
    other.query("semaphores.forget", keys=json.dumps([KEY]))

    with in_background(lambda: [one_at_a_time.enqueue("a") for _ in range(2)]) as enqueued:
        wait_until_blocked(server, enqueued)
        other.commit()
        receipts: list[Receipt] = enqueued.result()

    assert [receipt.status for receipt in receipts] == ["enqueued", "blocked"]
    assert ask("select concurrency_key, slots from queuekit_semaphores") == [(KEY, 1)]


@pytest.mark.databases("postgresql", "mariadb", "mysql")
@pytest.mark.parametrize("driver", DRIVERS, ids=repr)
def test_a_callers_open_transaction_holds_nobody_up(
    database: Database, database_url: str, driver: Driver
) -> None:
    first = one_at_a_time.enqueue("a")
    worker = register()
    with driver.connection(database_url) as connection:
        connection.begin()
        one_at_a_time.using(connection=connection.raw).enqueue("a")

        assert take(worker, [finished(*claim(worker))]).settled == {first.row_id}
        receipt = one_at_a_time.enqueue("a")
        scheduled.dispatch(database, 10)
        connection.commit()

    assert states()["ready"] == [receipt.row_id]
    assert scheduled.dispatch(database, 10) == 1
    assert counts() == {"finished": 1, "ready": 1, "blocked": 1}


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_keys_that_are_locked_hold_up_no_other_key(database: Database, other: Other) -> None:
    other.query("semaphores.lock", semaphores=json.dumps([{"key": KEY}, {"key": "one/c"}]))

    receipts = [one_at_a_time.enqueue(key) for key in ("b", "b", "0", "d")]
    worker = register()
    jobs = claim(worker)
    take(worker, [finished(job) for job in jobs])

    assert [receipt.status for receipt in receipts] == ["enqueued", "blocked"] + ["enqueued"] * 2
    assert counts() == {"finished": 3, "claimed": 1}
