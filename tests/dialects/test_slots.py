"""Slots of concurrency limits, as `queuekit.slots` shows them and frees them by hand."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

import queuekit
from queuekit import JobNotFoundError, application, events
from queuekit.database import Database
from queuekit.executions import semaphores
from queuekit.slots import Key
from tests.dialects.limited_jobs import one_at_a_time, two_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    claim,
    finished,
    in_background,
    in_threads,
    register,
    states,
    take,
    wait_until_blocked,
)
from tests.dialects.test_limits import complete, expire
from tests.dialects.transactions import Other
from tests.servers import Server

MISSING = "00000000-0000-7000-8000-000000000000"


# Looking


def test_nothing_is_listed_where_no_job_has_a_limit() -> None:
    note.enqueue()
    worker = register()
    one_at_a_time.enqueue("a")
    take(worker, [finished(job) for job in claim(worker)], limit=0)

    assert queuekit.slots.list() == []
    assert queuekit.slots.list(blocked=True) == []
    assert queuekit.slots.show("one/a") == Key("one/a", 1, 0, 0, 0)
    assert queuekit.slots.show("one/b") == Key("one/b", None, 0, 0, 0)


def test_keys_are_listed_with_what_is_held_and_what_waits() -> None:
    for key, number in (("b", 4), ("a", 2), ("A", 1)):
        queuekit.enqueue_all(two_at_a_time.bind(key) for _ in range(number))

    assert queuekit.slots.list() == [
        Key("two/A", 2, 1, 0, 0),
        Key("two/a", 2, 2, 0, 0),
        Key("two/b", 2, 2, 0, 2),
    ]
    assert queuekit.slots.list(blocked=True) == [Key("two/b", 2, 2, 0, 2)]
    assert [key.key for key in queuekit.slots.list(limit=1)] == ["two/A"]
    assert [key.key for key in queuekit.slots.list(after="two/A", limit=1)] == ["two/a"]


def test_more_keys_than_a_page_are_listed(database: Database) -> None:
    queuekit.enqueue_all(one_at_a_time.bind(f"{number:04}") for number in range(1_100))

    keys = [key.key for key in queuekit.slots.list(limit=1_050)]

    assert keys == [f"one/{number:04}" for number in range(1_050)]


def test_what_has_expired_counts_no_more() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    claim(register())
    expire(first.row_id)

    assert queuekit.slots.list() == [Key("one/a", 1, 0, 1, 1)]
    (slot,) = queuekit.slots.holders(["one/a"])
    assert slot.is_expired
    (blocked,) = queuekit.slots.blocked("one/a")
    assert blocked.job_id == second.job_id


def test_holders_are_shown_with_their_processes() -> None:
    running = two_at_a_time.enqueue("a")
    worker = register()
    claim(worker)
    ready = two_at_a_time.using(queue="slow").enqueue("a")
    one_at_a_time.enqueue("z")

    one, other = queuekit.slots.holders(["two/a", "two/nobody"])

    assert (one.key, one.job_id, one.row_id) == ("two/a", running.job_id, running.row_id)
    assert (one.state, one.process_id, one.is_expired) == ("claimed", worker, False)
    assert one.pid is not None
    assert one.hostname is not None
    assert one.since is not None
    assert one.expires_at is not None
    assert timedelta(seconds=3599) < one.expires_at - one.since < timedelta(seconds=3601)
    assert abs(one.since - datetime.now(UTC)) < timedelta(minutes=1)
    assert (other.job_id, other.state, other.queue) == (ready.job_id, "ready", "slow")
    assert (other.process_id, other.pid, other.hostname, other.expires_at) == (None,) * 4
    assert other.class_name == two_at_a_time.bind("a")._description.class_name
    assert len(queuekit.slots.holders(["two/a", "one/z"], limit=2)) == 2


def test_a_job_that_has_completed_itself_holds_its_slot_for_a_moment(database: Database) -> None:
    receipt = one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    complete(database, worker, job)

    (slot,) = queuekit.slots.holders(["one/a"])

    assert (slot.job_id, slot.state, slot.process_id) == (receipt.job_id, "ended", worker)


def test_blocked_jobs_are_shown_in_the_order_in_which_they_come_in() -> None:
    receipts = [one_at_a_time.using(priority=p).enqueue("a") for p in (5, 7, 6, 7)]

    blocked = queuekit.slots.blocked("one/a")

    assert [job.job_id for job in blocked] == [receipts[index].job_id for index in (2, 1, 3)]
    assert [job.priority for job in blocked] == [6, 7, 7]
    assert len(queuekit.slots.blocked("one/a", limit=2)) == 2
    assert queuekit.slots.blocked("one/b") == []


@pytest.mark.parametrize("key", ["ключ", "🚀", "o'clock", 'a"b', "a\\b", "a%sb", "line\nbreak"])
def test_keys_of_any_kind_are_found(key: str) -> None:
    receipt = one_at_a_time.enqueue(key)

    (listed,) = queuekit.slots.list()

    assert listed == queuekit.slots.show(f"one/{key}") == Key(f"one/{key}", 1, 1, 0, 0)
    assert queuekit.slots.holders([listed.key])[0].job_id == receipt.job_id


def test_many_idle_keys_do_not_get_into_the_way(database: Database) -> None:
    keys = json.dumps([{"key": f"idle/{number}"} for number in range(2_000)])
    database.query("semaphores.lock", semaphores=keys)
    one_at_a_time.enqueue("a")

    assert queuekit.slots.list() == [Key("one/a", 1, 1, 0, 0)]


# Releasing


def test_a_slot_that_is_released_goes_to_the_next() -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    worker = register()
    (job,) = claim(worker)

    released = queuekit.slots.release(first.job_id)

    assert (released.key, released.state, released.ready) == (
        "one/a",
        "claimed",
        (second.job_id,),
    )
    assert states() == {
        "claimed": [first.row_id],
        "ready": [second.row_id],
        "blocked": [third.row_id],
    }
    assert take(worker, [finished(job)], limit=0).settled == {first.row_id}
    assert [slot.job_id for slot in queuekit.slots.holders(["one/a"])] == [second.job_id]
    assert states()["blocked"] == [third.row_id]


def test_a_ready_job_whose_slot_was_released_runs_all_the_same() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))

    assert queuekit.slots.release(first.job_id.upper()).state == "ready"

    worker = register()
    jobs = claim(worker)
    assert {job.job_id for job in jobs} == {first.job_id, second.job_id}
    take(worker, [finished(job) for job in jobs], limit=0)
    assert queuekit.slots.list() == []


def test_a_slot_for_which_nobody_waits_is_just_free() -> None:
    first = one_at_a_time.enqueue("a")

    assert queuekit.slots.release(first.job_id).ready == ()
    assert one_at_a_time.enqueue("a").status == "enqueued"


@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x", ""])
def test_an_unknown_job_has_no_slot(job_id: str) -> None:
    with pytest.raises(JobNotFoundError, match=r"no job with the id .* holds a slot"):
        queuekit.slots.release(job_id)


def test_a_job_without_a_slot_is_refused_and_nothing_changes() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    without_limit = note.enqueue()
    before = states()

    for receipt in (second, without_limit):
        with pytest.raises(JobNotFoundError, match=receipt.job_id):
            queuekit.slots.release(receipt.job_id)

    assert states() == before
    queuekit.slots.release(first.job_id)
    with pytest.raises(JobNotFoundError):
        queuekit.slots.release(first.job_id)


def test_releasing_is_told() -> None:
    first, _ = (one_at_a_time.enqueue("a") for _ in range(2))
    told: list[events.Event] = []
    queuekit.events.subscribe(told.append)
    try:
        queuekit.slots.release(first.job_id)
    finally:
        queuekit.events.unsubscribe(told.append)

    assert told == [events.SlotReleased(job_id=first.job_id, concurrency_key="one/a", ready=1)]


def test_of_many_who_release_one_slot_one_does_it() -> None:
    receipts = [one_at_a_time.enqueue("a") for _ in range(5)]

    def release(index: int) -> tuple[str, ...] | None:
        try:
            return queuekit.slots.release(receipts[0].job_id).ready
        except JobNotFoundError:
            return None

    answers = Counter(in_threads(release, 4))

    assert answers == {(receipts[1].job_id,): 1, None: 3}
    assert states()["ready"] == [receipts[0].row_id, receipts[1].row_id]


def test_a_slot_that_is_being_given_back_is_not_released_twice(
    server: Server, other: Other
) -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    other.query("semaphores.lock", semaphores=json.dumps([{"key": "one/a"}]))
    other.query("semaphores.free", job_ids=json.dumps([first.row_id]))
    other.query("semaphores.promote", keys=json.dumps(["one/a"]))

    with in_background(lambda: queuekit.slots.release(first.job_id)) as release:
        wait_until_blocked(server, release)
        other.commit()
        with pytest.raises(JobNotFoundError):
            release.result()

    assert states()["blocked"] == [third.row_id]
    assert ask("select job_id from queuekit_semaphore_slots") == [(second.row_id,)]


def test_the_sweep_leaves_a_job_alone_whose_slot_was_released(database: Database) -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    claim(register())
    queuekit.slots.release(first.job_id)

    assert semaphores.sweep(application.database()) == 0
    assert states() == {"claimed": [first.row_id], "ready": [second.row_id]}
