"""Several who start jobs of one key at once, those that are gone meanwhile, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

import queuekit
from queuekit import application
from queuekit.executions.throttles import RESERVED, STARTED, Starts
from queuekit.processes import registration
from tests.dialects.support import (
    ask,
    claim,
    counts,
    finished,
    in_background,
    in_threads,
    register,
    silent_for,
    states,
    take,
    wait_until_blocked,
)
from tests.dialects.throttled_jobs import (
    MINUTE,
    often,
    twice_a_minute,
)
from tests.dialects.throttling import (
    LATEST,
    assert_never_too_many,
    moments,
    stages,
    start,
)
from tests.dialects.transactions import Other
from tests.servers import Server

# Several at once


def test_several_workers_at_once_give_no_start_too_many() -> None:
    jobs = [twice_a_minute.bind(key, number) for number in range(30) for key in "abc"]
    receipts = queuekit.enqueue_all(jobs)

    def work(_: int) -> None:
        worker = register()
        while claimed := claim(worker, limit=7):
            start(worker, claimed[::-1])

    in_threads(work, 4)

    assert counts() == {"claimed": 6, "scheduled": 84}
    assert_never_too_many(2, MINUTE, ["two/a", "two/b", "two/c"])
    last = max(moments().values()) - min(moments().values())
    assert last < timedelta(seconds=14 * LATEST + 1)
    assert len(moments()) == len(receipts)


def test_who_asks_meanwhile_waits_and_counts_what_the_other_has_given(
    server: Server, other: Other
) -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    one, two = register(), register()
    mine, theirs = claim(one, limit=1), claim(two, limit=2)
    keys = json.dumps(["two/a"])
    other.query("processes.hold", process_id=two)
    other.query("throttles.lock", keys=keys)
    ((*_, now), _) = other.query(
        "throttles.asked", process_id=two, job_ids=json.dumps([job.row_id for job in theirs])
    )
    database = application.database()
    moment = database.to_database(database.moment_from_database(now))

    with in_background(lambda: start(one, mine)) as asking:
        wait_until_blocked(server, asking)
        rows = [
            {
                "job_id": job.row_id,
                "throttle_key": "two/a",
                "stage": STARTED,
                "starts_at": moment,
                "expires_at": moment,
            }
            for job in theirs
        ]
        other.query("throttles.record", starts=json.dumps(rows))
        other.commit()
        starts = asking.result()

    assert starts == Starts({}, 1)
    assert stages()[mine[0].row_id] == RESERVED


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_key_that_is_locked_holds_up_no_other_key_and_no_turn(other: Other) -> None:
    other.query("throttles.lock", keys=json.dumps(["two/a", "two/c"]))
    queuekit.enqueue_all(twice_a_minute.bind(key) for key in ("b", "b", "b", "0", "a"))
    worker = register()

    jobs = claim(worker)
    starts = start(worker, [job for job in jobs if job.throttle_key != "two/a"])
    take(worker, [finished(job) for job in jobs if job.row_id in starts.seconds])

    assert counts() == {"finished": 3, "scheduled": 1, "claimed": 1}


# Processes that are gone


def by_pruning(worker: int) -> None:
    silent_for(worker, 600)
    error = RuntimeError("silent")
    registration.bury(
        application.database(), application.configuration(), worker, error, silent_for=300
    )


def by_leaving(worker: int) -> None:
    registration.release(application.database(), worker)


@pytest.mark.parametrize("end", [by_pruning, by_leaving])
def test_a_process_that_is_gone_starts_nothing_and_schedules_nothing(
    end: Callable[[int], None],
) -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    worker = register()
    jobs = claim(worker)
    end(worker)
    before = states()

    assert start(worker, jobs) == Starts({}, 0)

    assert states() == before
    assert moments() == {}


def test_a_claim_that_is_gone_takes_no_start() -> None:
    queuekit.enqueue_all(twice_a_minute.bind("a", number) for number in range(3))
    worker = register()
    jobs = claim(worker)
    take(worker, [finished(jobs[0])], limit=0)

    assert list(start(worker, jobs).seconds) == [jobs[1].row_id, jobs[2].row_id]
    assert jobs[0].row_id not in moments()


# How much it costs


def test_a_turn_of_many_jobs_asks_at_most_three_queries_of_each_key(
    asked: Counter[str],
) -> None:
    queuekit.enqueue_all(often.bind(key, number) for number in range(50) for key in "ab")
    worker = register()
    jobs = claim(worker)
    assert asked == {}

    start(worker, jobs)

    assert asked.pop("throttles.latest") <= 2 * 3
    assert set(asked.values()) == {1}


@pytest.mark.databases("postgresql")
def test_a_long_backlog_is_not_read() -> None:
    ask(
        "insert into queuekit_throttle_starts (job_id, throttle_key, stage, starts_at, expires_at) "
        "select n, 'two/a', 0, now() + n * interval '1 minute', now() + n * interval '1 minute' "
        "from generate_series(1, 20000) n"
    )
    ask("analyze queuekit_throttle_starts")
    statement = throttles_latest()

    plan = "\n".join(row[0] for row in ask(f"explain (analyze, costs off, timing off) {statement}"))

    assert "Seq Scan" not in plan
    assert "rows=20000" not in plan


def throttles_latest() -> str:
    text = application.database().named("throttles.latest").statements[0]
    for name, value in (
        (":throttle_key", "'two/a'"),
        (":job_ids", "'[1, 2]'"),
        (":least_stage", "0"),
        (":most", "100"),
        (":limit", "3"),
        (":skip", "97"),
    ):
        text = text.replace(name, value)
    return text
