"""Throttles: who starts, who waits and until when, and what comes of being late."""

from __future__ import annotations

from datetime import timedelta

import pytest

import queuekit
from queuekit import application
from queuekit.executions import claimed, scheduled, throttles
from queuekit.executions.throttles import MOVED, STARTED, Starts
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    claim,
    counts,
    finished,
    register,
    states,
    take,
)
from tests.dialects.throttled_jobs import (
    HOUR,
    MINUTE,
    often,
    once_a_year,
    survives,
    ten_a_second,
    twice_a_minute,
)
from tests.dialects.throttling import (
    LATEST,
    assert_never_too_many,
    backlog,
    claim_and_start,
    come,
    due,
    moments,
    pass_time,
    seconds_apart,
    stages,
    start,
)

# Who starts


def test_so_many_start_and_the_others_are_scheduled_each_for_its_moment() -> None:
    receipts = queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(7))
    worker = register()

    starts = start(worker, claim(worker))

    ids = [receipt.row_id for receipt in receipts]
    assert starts == Starts({ids[0]: 0.0, ids[1]: 0.0}, 5)
    assert states() == {"claimed": ids[:2], "scheduled": ids[2:]}
    for apart in seconds_apart(ids[0], ids[2], ids[4], ids[6]):
        assert MINUTE < apart <= LATEST
    assert seconds_apart(ids[2], ids[3]) == seconds_apart(ids[4], ids[5]) == [0.0]
    assert due(*receipts[2:]) == [moments()[row_id] for row_id in ids[2:] if row_id]
    assert_never_too_many(2, MINUTE)


def test_who_asks_later_comes_after_those_who_have_a_moment() -> None:
    first = queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(5))
    worker = register()
    claim_and_start(worker)
    later = queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))

    assert claim_and_start(worker) == []

    times = due(*first[2:], *later)
    assert times == sorted(times)
    assert times[2] == times[3]
    assert times[4] == times[5]
    assert_never_too_many(2, MINUTE)


def test_a_batch_may_be_larger_than_what_is_there_of_starts_or_smaller() -> None:
    worker = register()
    for size in (1, 9, 1, 2, 30, 3):
        queuekit.enqueue_all(often.bind("a", number) for number in range(size))
        claim_and_start(worker)
    assert len(moments()) == 46
    assert_never_too_many(5, 2.0, ["often/a"])
    assert seconds_apart(min(moments()), max(moments()))[0] <= 10 * 2.2


def test_keys_and_jobs_without_a_throttle_do_not_mind_each_other() -> None:
    jobs = [twice_a_minute.bind(key) for key in "aaaAAAbbb"]
    receipts = queuekit.enqueue_all([*jobs, note.bind(1)])
    worker = register()
    found = claim(worker)

    starts = start(worker, [job for job in found if job.throttle_key is not None])

    ids = [receipt.row_id for receipt in receipts]
    assert list(starts.seconds) == [ids[i] for i in (3, 4, 0, 1, 6, 7)]
    assert states()["scheduled"] == [ids[2], ids[5], ids[8]]


def test_jobs_of_one_group_share_their_keys() -> None:
    queuekit.enqueue_all([twice_a_minute.bind("a"), survives.bind("a"), twice_a_minute.bind("a")])

    assert len(claim_and_start(register())) == 2


def test_the_order_is_that_of_the_claim_and_so_of_the_priorities() -> None:
    receipts = [twice_a_minute.using(priority=-number).enqueue("a") for number in range(4)]

    started = claim_and_start(register())

    assert started == [receipts[3].row_id, receipts[2].row_id]
    times = due(receipts[1], receipts[0])
    assert times == sorted(times)


def test_queues_share_their_throttle() -> None:
    queuekit.enqueue_all(
        twice_a_minute.using(queue=queue).bind("a") for queue in ("one", "one", "other", "other")
    )
    worker = register()

    started = [len(start(worker, claim(worker, queue=queue)).seconds) for queue in ("other", "one")]

    assert started == [2, 0]


def test_a_job_that_is_nearly_due_keeps_its_claim() -> None:
    queuekit.enqueue_all(ten_a_second.bind(number) for number in range(5))
    worker = register()

    starts = start(worker, claim(worker))

    waits = list(starts.seconds.values())
    assert waits == pytest.approx([0.0, 0.105, 0.21], abs=0.002)
    assert starts.throttled == 2
    assert_never_too_many(1, 0.1, ["tests.dialects.sample_jobs.ten_a_second/"])
    assert counts() == {"claimed": 3, "scheduled": 2}


def test_what_the_job_enqueued_last_says_counts() -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    more = twice_a_minute.bind("a")
    assert more._description.throttle is not None
    throttle = more._description.throttle._replace(to=4)
    more._description = more._description._replace(throttle=throttle)
    queuekit.enqueue_all([more])

    assert len(claim_and_start(register())) == 4


def test_a_backlog_may_reach_beyond_all_years() -> None:
    queuekit.enqueue_all(once_a_year.bind(number) for number in range(9))
    worker = register()
    claim_and_start(worker)
    far = application.database().to_database(throttles._LAST_MOMENT)
    ask("update queuekit_throttle_starts set starts_at = :far where stage = 0", far=far)
    once_a_year.enqueue()

    assert claim_and_start(worker) == []

    assert counts() == {"claimed": 1, "scheduled": 9}


# Coming at one's moment


def test_a_job_starts_at_its_moment() -> None:
    worker = register()
    receipts = backlog(6, worker)
    assert come(worker) == []

    pass_time(LATEST)
    assert come(worker) == [receipts[2].row_id, receipts[3].row_id]
    pass_time(LATEST)
    assert come(worker) == [receipts[4].row_id, receipts[5].row_id]
    assert stages() == dict.fromkeys((receipt.row_id for receipt in receipts), STARTED)
    assert_never_too_many(2, MINUTE)


def test_who_comes_late_starts_late_and_who_comes_too_soon_after_that_is_moved() -> None:
    worker = register()
    receipts = backlog(6, worker)
    pass_time(LATEST + 30)
    assert come(worker) == [receipts[2].row_id, receipts[3].row_id]

    pass_time(LATEST - 30)

    assert come(worker) == []
    assert [stages()[receipt.row_id] for receipt in receipts[4:] if receipt.row_id] == [MOVED] * 2
    pass_time(31)
    assert come(worker) == [receipts[4].row_id, receipts[5].row_id]
    assert_never_too_many(2, MINUTE)


def test_who_is_moved_waits_for_those_who_were_moved_before_and_for_nobody_else() -> None:
    worker = register()
    receipts = backlog(8, worker)
    pass_time(LATEST + 30)
    come(worker)
    pass_time(LATEST - 30)

    assert come(worker) == []

    found = moments()
    moved, reserved = receipts[4].row_id, receipts[6].row_id
    assert moved is not None
    assert reserved is not None
    assert timedelta() < found[reserved] - found[moved] < timedelta(seconds=31)


def test_a_backlog_that_is_late_as_a_whole_is_spread_anew_in_one_go() -> None:
    worker = register()
    receipts = backlog(42, worker)
    pass_time(10 * HOUR)

    assert come(worker, limit=15) == [receipts[2].row_id, receipts[3].row_id]
    while claim_and_start(worker, limit=7) or counts().get("ready"):
        pass

    assert counts() == {"finished": 2, "claimed": 2, "scheduled": 38}
    times = due(*receipts[4:])
    assert times == sorted(times)
    assert times[-1] - times[0] < timedelta(seconds=19 * LATEST)
    assert_never_too_many(2, MINUTE)


def test_a_backlog_is_worked_off_with_few_claims_however_late_jobs_come() -> None:
    worker = register()
    backlog(30, worker)
    claims, passed = 0, 0.0
    for lateness in [0.0, 20.0, 0.0, 3.0, 0.0, 200.0, 0.0, 0.0, 50.0, 1.0] * 10:
        if "scheduled" not in counts():
            break
        wait = (scheduled.seconds_until_next(application.database()) or 0.0) + lateness
        pass_time(max(wait, 0.0) + 0.001)
        passed += wait
        scheduled.dispatch(application.database(), 1000)
        jobs = claim(worker)
        claims += len(jobs)
        starts = start(worker, jobs)
        take(worker, [finished(job) for job in jobs if job.row_id in starts.seconds], limit=0)
        assert_never_too_many(2, MINUTE, least_stage=STARTED)

    assert counts() == {"finished": 30}
    assert claims <= 2.5 * 28
    assert passed < 14 * LATEST + 600


def test_a_released_claim_starts_when_it_starts_again() -> None:
    receipt = twice_a_minute.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    start(worker, [job])
    pass_time(10)
    claimed.release(application.database(), worker, [job.row_id])

    assert claim_and_start(worker) == [receipt.row_id]

    second = twice_a_minute.enqueue("a")
    assert claim_and_start(worker) == [second.row_id]
    assert seconds_apart(receipt.row_id, second.row_id)[0] < 10


def test_a_start_whose_answer_was_lost_may_be_asked_for_again() -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(4))
    worker = register()
    jobs = claim(worker)

    first, second = start(worker, jobs), start(worker, jobs)

    assert second == Starts(first.seconds, 0)
    assert counts() == {"claimed": 2, "scheduled": 2}
