"""The worker's turn: settle what has gathered and claim the next jobs, in one transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database
from queuekit.executions import claimed, ready
from queuekit.executions.errors import read_error
from queuekit.executions.turn import Result
from tests.dialects.sample_jobs import mail, note
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


def test_a_turn_claims_by_priority_and_then_in_the_order_of_enqueueing() -> None:
    second = note.using(priority=1).enqueue()
    last = note.using(priority=9, queue="other").enqueue()
    third = note.using(priority=1, queue="another").enqueue()
    first = note.using(priority=-5).enqueue()

    jobs = claim(register())

    expected = [receipt.row_id for receipt in (first, second, third, last)]
    assert [job.row_id for job in jobs] == expected
    assert states() == {"claimed": sorted(expected)}


@pytest.mark.parametrize("queue", [None, "default"])
def test_a_turn_claims_no_more_than_its_limit(queue: str | None) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(5))
    worker = register()

    assert [job.row_id for job in claim(worker, 2, queue)] == [r.row_id for r in receipts[:2]]
    assert [job.row_id for job in claim(worker, 2, queue)] == [r.row_id for r in receipts[2:4]]
    assert [job.row_id for job in claim(worker, 2, queue)] == [receipts[4].row_id]
    assert claim(worker, 2, queue) == []


def test_a_turn_for_one_queue_leaves_the_others_alone() -> None:
    receipt = mail.enqueue(1)
    other = note.using(priority=-9).enqueue()

    (job,) = claim(register(), queue="mailers")

    assert job.row_id == receipt.row_id
    assert states() == {"ready": [other.row_id], "claimed": [receipt.row_id]}


def test_a_turn_settles_and_claims_at_once() -> None:
    one, other, third = queuekit.enqueue_all(note.bind(number) for number in range(3))
    worker = register()
    first, second = claim(worker, 2)

    taken = take(worker, [finished(first), failed(second)], limit=1)

    assert taken.registered
    assert taken.settled == {one.row_id, other.row_id}
    assert [job.row_id for job in taken.claimed] == [third.row_id]
    assert states() == {
        "finished": [one.row_id],
        "failed": [other.row_id],
        "claimed": [third.row_id],
    }


def test_a_turn_with_limit_zero_only_settles() -> None:
    note.enqueue()
    note.enqueue()
    worker = register()
    (job,) = claim(worker, 1)

    taken = take(worker, [finished(job)], limit=0)

    assert (taken.settled, taken.claimed) == ({job.row_id}, ())
    assert counts() == {"finished": 1, "ready": 1}


def test_jobs_of_the_last_turn_are_not_claimed_again() -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(4))
    worker = register()
    held = claim(worker, 2)

    more = take(worker, limit=10)

    assert len(more.claimed) == 2
    assert not {job.row_id for job in held} & {job.row_id for job in more.claimed}


def test_a_result_settles_once() -> None:
    note.enqueue()
    worker = register()
    (job,) = claim(worker)
    take(worker, [finished(job)])

    again = take(worker, [failed(job)])

    assert again.registered
    assert again.settled == frozenset()
    assert counts() == {"finished": 1}


def test_results_of_any_number_settle_in_one_turn() -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(1000))
    worker = register()
    jobs = claim(worker, 1000)

    results = [failed(job) if job.row_id % 3 == 0 else finished(job) for job in jobs]
    taken = take(worker, results)

    assert taken.settled == {job.row_id for job in jobs}
    expected = sum(job.row_id % 3 == 0 for job in jobs)
    assert counts() == {"failed": expected, "finished": 1000 - expected}


def test_a_failed_job_keeps_its_error_whatever_it_says() -> None:
    message = "NUL \0, emoji 🚀, surrogate \ud800, quote ', percent %s\n" + "long " * 1000
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)

    take(worker, [failed(job, ZeroDivisionError(message))])

    ((stored,),) = ask("select error from queuekit_failed_executions")
    error = read_error(stored)
    assert (error.exception_class, error.message) == ("ZeroDivisionError", message)
    assert attempts(receipt.job_id) == [(1, "failed")]


def test_finished_jobs_are_kept_with_their_outcome() -> None:
    receipt = note.enqueue()
    worker = register()

    take(worker, [finished(job) for job in claim(worker)])

    assert attempts(receipt.job_id) == [(1, "finished")]
    assert ask("select outcome, error from queuekit_finished_executions") == [("finished", None)]


def test_finished_jobs_that_are_not_to_be_kept_leave_nothing_behind() -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(4))
    worker = register()
    first, second, *others = claim(worker)

    taken = take(worker, [finished(first), failed(second)], preserve_finished=False)

    assert taken.settled == {first.row_id, second.row_id}
    assert counts() == {"failed": 1, "claimed": 2}
    assert ask("select count(*) from queuekit_jobs") == [(3,)]
    assert {job.row_id for job in others} == set(states()["claimed"])


# Pauses


def test_while_a_queue_is_paused_a_turn_over_any_queue_claims_nothing_and_says_so() -> None:
    note.enqueue()
    mail.enqueue(1)
    queuekit.queues.pause("mailers")
    queuekit.queues.pause("Größe 🚀")

    taken = take(register())

    assert taken.claimed == ()
    assert taken.paused == {"mailers", "Größe 🚀"}
    assert counts() == {"ready": 2}


def test_a_paused_queue_is_not_claimed_from_and_the_others_are() -> None:
    mail.enqueue(1)
    receipt = note.enqueue()
    queuekit.queues.pause("mailers")
    worker = register()

    assert claim(worker, queue="mailers") == []
    taken = take(worker, queue="default")

    assert [job.row_id for job in taken.claimed] == [receipt.row_id]
    assert taken.paused == {"mailers"}


def test_what_runs_while_its_queue_is_paused_still_settles() -> None:
    mail.enqueue(1)
    worker = register()
    (job,) = claim(worker)
    queuekit.queues.pause("mailers")

    assert take(worker, [finished(job)]).settled == {job.row_id}
    assert take(worker, [], queue="mailers").paused == {"mailers"}


def test_after_resuming_claims_go_on() -> None:
    receipt = mail.enqueue(1)
    queuekit.queues.pause("mailers")
    worker = register()
    assert claim(worker) == []

    queuekit.queues.resume("mailers")

    taken = take(worker)
    assert [job.row_id for job in taken.claimed] == [receipt.row_id]
    assert taken.paused == frozenset()


# Fencing


@pytest.mark.parametrize("queue", [None, "default"])
def test_a_process_that_is_not_registered_claims_nothing(queue: str | None) -> None:
    note.enqueue()

    taken = take(987_654, queue=queue)

    assert not taken.registered
    assert taken.claimed == ()
    assert counts() == {"ready": 1}


@pytest.mark.parametrize("queue", [None, "default"])
def test_a_process_that_lost_its_row_settles_nothing(queue: str | None) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    ask("delete from queuekit_processes where id = :id", id=worker)

    taken = take(worker, [finished(job)], queue=queue)

    assert not taken.registered
    assert taken.settled == frozenset()
    assert states() == {"claimed": [receipt.row_id]}


@pytest.mark.parametrize("queue", [None, "default"])
def test_a_process_cannot_settle_what_another_has_claimed(queue: str | None) -> None:
    note.enqueue()
    one, other = register(), register()
    (job,) = claim(one)

    taken = take(other, [failed(job)], queue=queue)

    assert taken.registered
    assert taken.settled == frozenset()
    assert counts() == {"claimed": 1}
    assert take(one, [finished(job)]).settled == {job.row_id}


def test_a_result_of_a_job_that_never_was_changes_nothing() -> None:
    worker = register()

    taken = take(worker, [Result(123_456, "finished"), Result(123_457, "failed", "{}")])

    assert taken.registered
    assert taken.settled == frozenset()
    assert counts() == {}


def test_what_is_held_can_be_asked_for(database: Database) -> None:
    queuekit.enqueue_all(note.using(priority=-number).bind(number) for number in range(3))
    worker = register()
    jobs = claim(worker, 2)

    assert claimed.held_by(database, worker) == jobs
    assert claimed.held_by(database, register()) == []


def test_an_idle_worker_can_ask_whether_anything_waits(database: Database) -> None:
    assert not ready.any_waiting(database)
    note.using(wait=60).enqueue()
    assert not ready.any_waiting(database)
    note.enqueue()
    assert ready.any_waiting(database)


# Many at once


@pytest.mark.parametrize("queue", [None, "default"])
def test_concurrent_turns_never_claim_a_job_twice(queue: str | None) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(2000))

    def work(index: int) -> list[int]:
        worker = register()
        ran: list[int] = []
        jobs = claim(worker, 10, queue)
        while jobs:
            ran += [job.row_id for job in jobs]
            taken = take(worker, [finished(job) for job in jobs], limit=10, queue=queue)
            assert taken.settled == {job.row_id for job in jobs}
            jobs = list(taken.claimed)
        return ran

    ran = [row_id for row_ids in in_threads(work, 8) for row_id in row_ids]

    assert sorted(ran) == [receipt.row_id for receipt in receipts]
    assert counts() == {"finished": 2000}


def test_turns_and_enqueueing_do_not_disturb_each_other() -> None:
    number_of_jobs = 400

    def enqueue(index: int) -> None:
        for number in range(number_of_jobs // 4):
            if number % 10:
                note.enqueue(number)
            else:
                queuekit.enqueue_all([note.bind(number)])
        application.database().disconnect()

    def work(index: int) -> int:
        worker, ran = register(), 0
        jobs = claim(worker, 5)
        while jobs or not all(future.done() for future in enqueuers):
            ran += len(jobs)
            jobs = list(take(worker, [finished(job) for job in jobs], limit=5).claimed)
        return ran

    with ThreadPoolExecutor(4) as pool:
        enqueuers = [pool.submit(enqueue, index) for index in range(4)]
        ran = in_threads(work, 3)
        for future in enqueuers:
            future.result()

    left = len(claim(register()))
    assert sum(ran) + left == number_of_jobs
