"""Jobs that are not wanted any more, discarded by hand wherever they wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import queuekit
from queuekit import JobNotFoundError, Receipt, events
from queuekit.database import Database
from queuekit.executions import scheduled
from tests.dialects.limited_jobs import one_at_a_time, two_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    configure,
    counts,
    fail,
    failed_note,
    finished,
    in_background,
    in_threads,
    register,
    states,
    take,
    wait_until_blocked,
)
from tests.dialects.transactions import Other
from tests.servers import Server

MISSING = "00000000-0000-7000-8000-000000000000"


def slots() -> list[int]:
    return [row[0] for row in ask("select job_id from queuekit_semaphore_slots")]


def ready() -> Receipt:
    return note.enqueue()


def scheduled_for_later() -> Receipt:
    return note.using(wait=60).enqueue()


def blocked() -> Receipt:
    one_at_a_time.enqueue("a")
    return one_at_a_time.enqueue("a")


def with_a_slot() -> Receipt:
    return one_at_a_time.enqueue("b")


def limited_for_later() -> Receipt:
    return one_at_a_time.using(wait=60).enqueue("b")


WAITING = [ready, scheduled_for_later, blocked, with_a_slot, limited_for_later, failed_note]


@pytest.mark.parametrize("preserve", [True, False])
@pytest.mark.parametrize("wait", WAITING)
def test_a_job_that_waits_is_discarded(wait: Callable[[], Receipt], preserve: bool) -> None:
    configure(preserve_finished_jobs=preserve)
    receipt = wait()
    others = counts()
    told: list[events.Event] = []
    queuekit.events.subscribe(told.append)

    try:
        queuekit.jobs.discard(receipt.job_id)
    finally:
        queuekit.events.unsubscribe(told.append)

    assert told == [events.JobsDiscarded(count=1)]
    assert sum(counts().values()) == sum(others.values()) - (not preserve)
    if preserve:
        assert attempts(receipt.job_id) == [(1, "discarded")]
    else:
        assert ask("select id from queuekit_jobs where uuid = :id", id=receipt.job_id) == []
    assert receipt.row_id not in slots()


def test_a_discarded_job_hands_its_slot_to_the_next() -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))

    queuekit.jobs.discard(first.job_id)

    assert states() == {
        "finished": [first.row_id],
        "ready": [second.row_id],
        "blocked": [third.row_id],
    }
    assert slots() == [second.row_id]


def test_a_blocked_job_that_is_discarded_is_passed_over() -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))

    queuekit.jobs.discard(second.job_id)

    assert slots() == [first.row_id]
    worker = register()
    take(worker, [finished(job) for job in claim(worker)], limit=0)
    assert states()["ready"] == [third.row_id]


def test_a_discarded_failure_keeps_its_error() -> None:
    receipt = failed_note()

    queuekit.jobs.discard(receipt.job_id.upper())

    (attempt,) = queuekit.jobs.history(receipt.job_id)
    assert attempt.outcome == "discarded"
    assert attempt.error is not None


def test_the_latest_attempt_is_discarded() -> None:
    receipt = one_at_a_time.enqueue("a")
    fail(receipt)
    one_at_a_time.enqueue("a")
    queuekit.failed.retry(receipt.job_id)

    queuekit.jobs.discard(receipt.job_id)

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "discarded")]
    assert counts() == {"finished": 2, "ready": 1}


def test_a_job_that_runs_is_left_alone() -> None:
    receipt = one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)

    with pytest.raises(JobNotFoundError, match=f"is claimed by process {worker}"):
        queuekit.jobs.discard(receipt.job_id)

    assert slots() == [receipt.row_id]
    assert take(worker, [finished(job)], limit=0).settled == {receipt.row_id}


def test_a_job_that_has_ended_is_left_alone() -> None:
    first, second = note.enqueue(), note.enqueue()
    queuekit.jobs.discard(first.job_id)
    worker = register()
    take(worker, [finished(job) for job in claim(worker)], limit=0)

    for receipt, outcome in ((first, "discarded"), (second, "finished")):
        with pytest.raises(JobNotFoundError, match=f"has ended already: {outcome}"):
            queuekit.jobs.discard(receipt.job_id)


@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x", ""])
def test_an_id_of_no_job_is_refused(job_id: str) -> None:
    note.enqueue()

    with pytest.raises(JobNotFoundError, match="no job has the id"):
        queuekit.jobs.discard(job_id)

    assert counts() == {"ready": 1}


# Races


@pytest.mark.parametrize("job", [note, one_at_a_time])
def test_discarding_and_claiming_share_the_jobs(job: Any) -> None:
    receipts = queuekit.enqueue_all(job.bind(str(number)) for number in range(60))

    def work(index: int) -> int:
        if index:
            worker = register()
            taken = 0
            while jobs := claim(worker, 2):
                taken += len(jobs)
            return taken
        done = 0
        for receipt in reversed(receipts):
            try:
                queuekit.jobs.discard(receipt.job_id)
                done += 1
            except JobNotFoundError:
                break
        return done

    done = in_threads(work, 3)

    left = len(claim(register()))
    assert sum(done) + left == 60
    assert counts().get("finished", 0) == done[0]


def test_of_many_who_discard_one_job_one_does_it() -> None:
    receipts = [one_at_a_time.enqueue("a") for _ in range(3)]

    def discard(index: int) -> bool:
        try:
            queuekit.jobs.discard(receipts[0].job_id)
        except JobNotFoundError:
            return False
        return True

    assert sum(in_threads(discard, 4)) == 1
    assert states()["ready"] == [receipts[1].row_id]


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_job_that_is_being_claimed_is_waited_for_and_left_alone(
    server: Server, other: Other
) -> None:
    receipt = one_at_a_time.enqueue("a")
    worker = register()
    other.turn(worker, limit=1)

    with in_background(lambda: queuekit.jobs.discard(receipt.job_id)) as discard:
        wait_until_blocked(server, discard)
        other.commit()
        with pytest.raises(JobNotFoundError, match="is claimed by process"):
            discard.result()

    assert states() == {"claimed": [receipt.row_id]}
    assert slots() == [receipt.row_id]


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_job_that_is_being_discarded_is_not_claimed(other: Other) -> None:
    receipt = note.enqueue()
    second = note.enqueue()
    other.query("jobs.discard", job_id=receipt.row_id, preserve_finished=True)

    worker = register()
    assert [job.row_id for job in claim(worker)] == [second.row_id]
    other.commit()

    assert claim(worker) == []
    assert states() == {"claimed": [second.row_id], "finished": [receipt.row_id]}


def test_a_blocked_job_that_is_being_let_in_is_discarded_all_the_same(
    server: Server, other: Other
) -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    other.query("semaphores.lock", semaphores='[{"key": "one/a"}]')
    other.query("jobs.discard", job_id=first.row_id, preserve_finished=True)
    other.query("semaphores.free", job_ids=f"[{first.row_id}]")
    other.query("semaphores.promote", keys='["one/a"]')

    with in_background(lambda: queuekit.jobs.discard(second.job_id)) as discard:
        wait_until_blocked(server, discard)
        other.commit()
        discard.result()

    assert states() == {"finished": [first.row_id, second.row_id], "ready": [third.row_id]}
    assert slots() == [third.row_id]


def test_a_job_that_becomes_due_meanwhile_is_discarded_all_the_same(
    database: Database, server: Server, other: Other
) -> None:
    receipt = note.using(wait=0.001).enqueue()
    if server is not None:
        wait_for_due(other)

        with in_background(lambda: queuekit.jobs.discard(receipt.job_id)) as discard:
            wait_until_blocked(server, discard)
            other.commit()
            discard.result()
    else:
        scheduled.dispatch(database, 10)
        queuekit.jobs.discard(receipt.job_id)

    assert states() == {"finished": [receipt.row_id]}


def wait_for_due(other: Other) -> None:
    while not other.query("scheduled.dispatch", limit=10):
        pass


def test_discarding_releasing_and_clearing_in_the_midst_of_work() -> None:
    """Nobody deadlocks, nobody is forgotten: what is left can be worked off."""
    jobs = (one_at_a_time, two_at_a_time)

    def enqueue(index: int) -> None:
        for number in range(30):
            queue = "swept" if number % 3 == 0 else None
            bound = [job.using(queue=queue).bind(str(number % 3), number) for job in jobs]
            queuekit.enqueue_all([*bound, note.bind(number)])

    def work(index: int) -> None:
        worker = register()
        for _ in range(40):
            held = claim(worker, 5)
            take(worker, [finished(job) for job in held], limit=0)

    def by_hand(index: int) -> None:
        for number in range(40):
            waiting = queuekit.slots.blocked(f"two/{number % 3}", limit=2)
            held = queuekit.slots.holders(f"one/{key}" for key in range(3))
            for job in [*waiting, *held]:
                act = queuekit.slots.release if number % 2 else queuekit.jobs.discard
                with suppress(JobNotFoundError):
                    act(str(job.job_id))
        queuekit.queues.clear("swept", batch_size=5)

    in_threads(lambda index: (enqueue, work, by_hand, work, by_hand)[index](index), 5)

    worker = register()
    while held := claim(worker):
        take(worker, [finished(job) for job in held], limit=0)
    assert counts() == {"finished": 90}
    assert slots() == []
