"""Concurrency limits: who gets a slot, who waits, who is turned away, and who comes next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import queuekit
from queuekit import Limit, application
from queuekit.database import Database
from queuekit.executions import claimed, scheduled, semaphores
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import NextAttempt, Result
from queuekit.processes import registration
from queuekit.processes.completions import Completions
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.limited_jobs import never_waits, one_at_a_time, survives, two_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    configure,
    counts,
    failed,
    finished,
    misplaced,
    register,
    silent_for,
    states,
    take,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def slots() -> list[tuple[str, int]]:
    """The keys and the jobs that hold their slots."""
    return ask(
        "select concurrency_key, job_id from queuekit_semaphore_slots "
        "order by concurrency_key, job_id"
    )


def expire(row_id: int | None) -> None:
    """This job has been claimed for longer than its limit's duration."""
    ask(
        "update queuekit_semaphore_slots set expires_at = :past where job_id = :id",
        past=application.database().to_database(LONG_AGO),
        id=row_id,
    )


def retried(job: Any, wait: float = 0) -> Result:
    error = describe_error(ValueError("it broke"))
    again = NextAttempt(wait=wait, executions=1)
    return Result(job.row_id, "retried", error, 0.1, again, concurrency_key=job.concurrency_key)


# Enqueueing


def test_a_job_takes_a_slot_and_the_next_one_is_blocked() -> None:
    first, second, other = (one_at_a_time.enqueue(key) for key in ("a", "a", "A"))

    assert [receipt.status for receipt in (first, second, other)] == [
        "enqueued",
        "blocked",
        "enqueued",
    ]
    assert [receipt.is_enqueued for receipt in (first, second)] == [True, True]
    assert states() == {"ready": [first.row_id, other.row_id], "blocked": [second.row_id]}
    assert slots() == [("one/A", other.row_id), ("one/a", first.row_id)]


def test_a_job_that_finds_no_slot_is_discarded_where_its_limit_says_so() -> None:
    receipts = [never_waits.enqueue("a") for _ in range(3)]

    assert [receipt.status for receipt in receipts] == ["enqueued", "enqueued", "discarded"]
    assert not receipts[2].is_enqueued
    assert attempts(receipts[2].job_id) == [(1, "discarded")]
    assert states()["finished"] == [receipts[2].row_id]


def test_a_discarded_job_leaves_nothing_where_finished_jobs_are_not_kept() -> None:
    configure(preserve_finished_jobs=False)

    receipts = queuekit.enqueue_all(never_waits.bind("a", number) for number in range(3))

    assert [receipt.status for receipt in receipts] == ["enqueued", "enqueued", "discarded"]
    assert receipts[2].row_id is None
    assert counts() == {"ready": 2}


def test_many_jobs_at_once_get_their_slots_by_priority_and_then_in_order() -> None:
    jobs = [two_at_a_time.using(priority=-number).bind("a", number) for number in range(5)]

    receipts = queuekit.enqueue_all([*jobs, note.bind(1)])

    statuses = ["blocked"] * 3 + ["enqueued"] * 3
    assert [receipt.status for receipt in receipts] == statuses


def test_only_enqueued_jobs_are_counted() -> None:
    told: list[Any] = []
    queuekit.events.subscribe(told.append)
    try:
        queuekit.enqueue_all(never_waits.bind("a", number) for number in range(5))
    finally:
        queuekit.events.unsubscribe(told.append)

    (event,) = [event for event in told if isinstance(event, queuekit.events.JobsEnqueued)]
    assert event.count == 2


@pytest.mark.parametrize("driver", DRIVERS, ids=repr)
def test_in_a_callers_transaction_a_limited_job_waits_for_the_dispatcher(
    database: Database, database_url: str, driver: Driver
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        using = one_at_a_time.using(connection=connection.raw)
        receipts = [using.enqueue("a"), using.enqueue("a")]
        connection.commit()
    assert [receipt.status for receipt in receipts] == ["enqueued", "enqueued"]
    assert counts() == {"scheduled": 2}
    assert slots() == []

    assert scheduled.dispatch(database, 10) == 2

    assert counts() == {"ready": 1, "blocked": 1}


def test_a_job_for_later_meets_its_limit_when_it_is_due(database: Database) -> None:
    later = two_at_a_time.using(wait=0.001).enqueue("a")
    first, second = (two_at_a_time.enqueue("a") for _ in range(2))

    scheduled.dispatch(database, 10)

    assert states() == {"ready": [first.row_id, second.row_id], "blocked": [later.row_id]}


def test_what_the_job_enqueued_last_says_of_the_slots_counts(database: Database) -> None:
    later = one_at_a_time.using(wait=0.001).enqueue("a")
    blocked = [one_at_a_time.enqueue("a") for _ in range(3)][1:]
    assert counts() == {"scheduled": 1, "ready": 1, "blocked": 2}

    @queuekit.job(name="limits.more", limits_concurrency=Limit("a", to=3))
    def more() -> None: ...

    more_in_one = more.bind()
    assert more_in_one._description.limit is not None
    more_in_one._description = more_in_one._description._replace(
        limit=more_in_one._description.limit._replace(key="one/a")
    )
    (newest,) = queuekit.enqueue_all([more_in_one])
    assert newest.status == "blocked"
    assert set(states()["ready"]) > {receipt.row_id for receipt in blocked}

    scheduled.dispatch(database, 10)

    assert states()["blocked"] == [later.row_id, newest.row_id]
    assert ask("select slots from queuekit_semaphores") == [(3,)]


# Ends, each of which frees the slot and hands it on


def by_finishing(worker: int, job: Any) -> None:
    take(worker, [finished(job)], limit=0)


def by_failing(worker: int, job: Any) -> None:
    take(worker, [failed(job)], limit=0)


def by_being_discarded(worker: int, job: Any) -> None:
    take(worker, [Result(job.row_id, "discarded", concurrency_key=job.concurrency_key)], limit=0)


def by_being_forgotten(worker: int, job: Any) -> None:
    take(worker, [finished(job)], limit=0, preserve_finished=False)


def by_waiting_for_a_retry(worker: int, job: Any) -> None:
    take(worker, [retried(job, wait=60)], limit=0)


def by_death(worker: int, job: Any) -> None:
    error = RuntimeError("killed")
    registration.bury(application.database(), application.configuration(), worker, error)


def by_pruning(worker: int, job: Any) -> None:
    silent_for(worker, 600)
    error = RuntimeError("silent")
    registration.bury(
        application.database(), application.configuration(), worker, error, silent_for=300
    )


def by_completing_itself(worker: int, job: Any) -> None:
    database = application.database()
    complete(database, worker, job)
    completions = Completions(database)
    completions.add(job, finished(job))
    completed, others = completions.settle(worker)
    assert (len(completed), others) == (1, [])


def by_completing_itself_and_leaving(worker: int, job: Any) -> None:
    complete(application.database(), worker, job)
    registration.release(application.database(), worker)


def by_completing_itself_and_dying(worker: int, job: Any) -> None:
    complete(application.database(), worker, job)
    by_death(worker, job)


def complete(database: Database, worker: int, job: Any) -> None:
    rows = database.query(
        "claimed.complete", job_id=job.row_id, process_id=worker, preserve_finished=True
    )
    assert len(rows) == 1


ENDS = [
    by_finishing,
    by_failing,
    by_being_discarded,
    by_being_forgotten,
    by_waiting_for_a_retry,
    by_death,
    by_pruning,
    by_completing_itself,
    by_completing_itself_and_leaving,
    by_completing_itself_and_dying,
]


@pytest.mark.parametrize("end", ENDS)
def test_a_job_that_ends_hands_its_slot_to_the_next(end: Callable[[int, Any], None]) -> None:
    receipts = [one_at_a_time.using(priority=p).enqueue("a") for p in (5, 7, 6)]
    worker = register()
    (job,) = claim(worker)

    end(worker, job)

    assert states()["ready"] == [receipts[2].row_id]
    assert slots() == [("one/a", receipts[2].row_id)]


def test_a_retry_competes_anew_by_its_priority() -> None:
    first, second, third = (one_at_a_time.using(priority=p).enqueue("a") for p in (5, 6, 5))
    worker = register()

    take(worker, [retried(*claim(worker))], limit=0)
    assert attempts(first.job_id) == [(1, "retried"), (2, "blocked")]
    assert states()["ready"] == [third.row_id]

    take(worker, [finished(*claim(worker))], limit=0)
    assert attempts(first.job_id) == [(1, "retried"), (2, "ready")]
    assert states()["blocked"] == [second.row_id]


def test_a_death_that_is_survived_competes_anew() -> None:
    first, second = survives.enqueue("a"), survives.enqueue("a")
    worker = register()
    claim(worker)

    by_death(worker, None)

    assert attempts(first.job_id) == [(1, "retried"), (2, "blocked")]
    assert attempts(second.job_id) == [(1, "ready")]


def test_a_death_that_is_survived_goes_on_when_nobody_waits() -> None:
    receipt = survives.enqueue("a")
    worker = register()
    claim(worker)

    by_death(worker, None)

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]
    assert len(slots()) == 1


def test_a_queue_that_is_cleared_frees_the_slots() -> None:
    one_at_a_time.using(queue="bad").enqueue("a")
    second = one_at_a_time.enqueue("a")

    assert queuekit.queues.clear("bad") == 1

    assert states()["ready"] == [second.row_id]


def test_a_failed_job_that_is_retried_by_hand_queues_like_a_new_one() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    worker = register()
    by_failing(worker, *claim(worker))
    assert attempts(second.job_id) == [(1, "ready")]

    queuekit.failed.retry(first.job_id)

    assert attempts(first.job_id) == [(1, "retried"), (2, "blocked")]


# Released jobs keep their slots


def released_by_itself(worker: int, job: Any) -> None:
    claimed.release(application.database(), worker, [job.row_id])


def released_with_its_process(worker: int, job: Any) -> None:
    registration.release(application.database(), worker)


def released_by_burial(worker: int, job: Any) -> None:
    error = RuntimeError("killed")
    registration.bury(application.database(), application.configuration(), worker, error, begun=[])


RELEASES = [released_by_itself, released_with_its_process, released_by_burial]


@pytest.mark.parametrize("release", RELEASES)
def test_a_job_that_is_released_keeps_its_slot(release: Callable[[int, Any], None]) -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    worker = register()
    (job,) = claim(worker)

    release(worker, job)

    assert states() == {"ready": [first.row_id], "blocked": [second.row_id]}
    assert ask("select job_id, expires_at, process_id from queuekit_semaphore_slots") == [
        (first.row_id, None, None)
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_a_job_that_is_released_too_late_has_lost_it(
    database: Database, release: Callable[[int, Any], None]
) -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    worker = register()
    (job,) = claim(worker)
    expire(job.row_id)
    assert semaphores.sweep(database) == 1

    release(worker, job)

    assert states() == {"ready": [second.row_id], "blocked": [first.row_id]}
    assert slots() == [("one/a", second.row_id)]


# Expiry


def test_a_slots_time_begins_with_the_claim() -> None:
    one_at_a_time.enqueue("a")
    assert ask("select expires_at from queuekit_semaphore_slots") == [(None,)]
    worker = register()
    claim(worker)

    database = application.database()
    ((expires_at, claimed_at, process_id),) = ask(
        "select slot.expires_at, claimed.claimed_at, slot.process_id "
        "from queuekit_semaphore_slots slot "
        "join queuekit_claimed_executions claimed on claimed.job_id = slot.job_id"
    )
    ends, begins = database.from_database(expires_at), database.from_database(claimed_at)
    assert ends is not None
    assert begins is not None
    assert 3600 <= (ends - begins).total_seconds() < 3601
    assert process_id == worker


def test_who_comes_after_an_expiry_does_not_pass_those_who_wait() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    claim(register())
    expire(first.row_id)

    third = one_at_a_time.enqueue("a")

    assert third.status == "blocked"
    assert states()["ready"] == [second.row_id]


def test_a_holder_that_is_late_frees_only_its_own_slot(database: Database) -> None:
    """solid_queue's issue 761: its counter went up for each late finish."""
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    worker = register()
    (late,) = claim(worker)
    expire(first.row_id)
    assert semaphores.sweep(database) == 1

    take(worker, [finished(late)], limit=0)
    take(worker, [finished(late)], limit=0)

    assert states()["ready"] == [second.row_id]
    assert states()["blocked"] == [third.row_id]
    assert slots() == [("one/a", second.row_id)]


# The backstop


def test_the_sweep_frees_what_a_worker_without_limits_has_left(database: Database) -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    worker = register()
    (job,) = claim(worker)
    take(worker, [Result(job.row_id, "finished")], limit=0)
    ask("update queuekit_semaphore_slots set process_id = null, expires_at = null")
    assert states()["blocked"] == [second.row_id]

    semaphores.sweep(database)

    assert slots() == [("one/a", second.row_id)]
    assert states()["ready"] == [second.row_id]
    assert first.row_id not in states()["ready"]


def test_the_sweep_leaves_a_job_alone_that_has_completed_itself_and_goes_on(
    database: Database,
) -> None:
    one_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    complete(database, worker, job)

    semaphores.sweep(database)

    assert slots() == [("one/a", job.row_id)]


def test_the_sweep_forgets_lock_rows_that_nobody_needs(database: Database) -> None:
    queuekit.enqueue_all(one_at_a_time.bind(f"key {number}") for number in range(600))
    worker = register()
    jobs = claim(worker)
    take(worker, [finished(job) for job in jobs[1:]], limit=0)

    semaphores.sweep(database)

    assert ask("select concurrency_key from queuekit_semaphores") == [(jobs[0].concurrency_key,)]


def test_after_a_slot_count_was_raised_far_all_who_wait_come_in(database: Database) -> None:
    queuekit.enqueue_all(one_at_a_time.bind("a", number) for number in range(1_200))
    ask("update queuekit_semaphores set slots = 1100")

    semaphores.sweep(database)

    assert counts() == {"ready": 1_100, "blocked": 100}


# How much it costs


def test_a_thousand_jobs_over_a_hundred_keys_are_as_many_queries_as_two(
    asked: Counter[str],
) -> None:
    receipts = queuekit.enqueue_all(
        two_at_a_time.bind(f"key {number % 100}", number) for number in range(1_000)
    )

    assert Counter(receipt.status for receipt in receipts) == {"enqueued": 200, "blocked": 800}
    assert set(asked.values()) == {1}
    assert asked.keys() == {
        "jobs.enqueue",
        "semaphores.lock",
        "semaphores.place",
        "semaphores.promote",
    }


def test_a_batch_of_500_that_is_due_is_as_many_queries_as_two(
    database: Database, asked: Counter[str]
) -> None:
    queuekit.enqueue_all(
        two_at_a_time.using(wait=0.001).bind(f"key {number % 100}", number) for number in range(500)
    )
    asked.clear()

    assert scheduled.dispatch(database, 500) == 500

    assert set(asked.values()) == {1}
    assert counts() == {"ready": 200, "blocked": 300}


def test_a_turn_that_settles_50_is_as_many_queries_as_two(asked: Counter[str]) -> None:
    queuekit.enqueue_all(one_at_a_time.bind(f"key {number % 50}", number) for number in range(100))
    worker = register()
    jobs = claim(worker)
    asked.clear()

    take(worker, [finished(job) if job.row_id % 2 else retried(job) for job in jobs], limit=0)

    assert set(asked.values()) == {1}
    assert misplaced() == []


def test_a_turn_claims_what_it_has_promoted() -> None:
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    worker = register()

    taken = take(worker, [finished(*claim(worker))], limit=1)

    assert taken.settled == {first.row_id}
    assert [job.row_id for job in taken.claimed] == [second.row_id]


def test_a_turn_without_keys_is_one_query(asked: Counter[str]) -> None:
    note.enqueue()
    one_at_a_time.enqueue("a")
    worker = register()

    jobs = claim(worker)
    take(worker, [finished(job) for job in jobs if job.concurrency_key is None])

    assert asked == {"jobs.enqueue": 1, "semaphores.lock": 1, "semaphores.place": 1}


# Keys


@pytest.mark.parametrize(
    "key", ["a" * 180, "ключ", "🚀", "a/b", "o'clock", 'a"b', "a\\b", "a%sb", "line\nbreak", 7]
)
def test_keys_of_any_kind_are_told_apart(key: Any) -> None:
    statuses = [one_at_a_time.enqueue(key).status, one_at_a_time.enqueue(key).status]

    assert statuses == ["enqueued", "blocked"]
    assert slots()[0][0] == f"one/{key}"


@pytest.mark.parametrize("key", ["", "a ", "a\0b", "a" * 10_000, None, "\ud800", object])
def test_a_key_that_cannot_be_kept_is_refused_and_nothing_enqueued(key: Any) -> None:
    with pytest.raises(queuekit.EnqueueError, match="one_at_a_time"):
        queuekit.enqueue_all([note.bind(1), one_at_a_time.bind(key)])

    assert counts() == {}
    assert json.dumps(slots()) == "[]"
