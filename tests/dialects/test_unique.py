"""Unique jobs: enqueued a second time while the first counts, they are the first."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import EnqueueError, EnqueueOptionError, Receipt, application
from queuekit.database import Database
from queuekit.database.dialect import Connection
from queuekit.executions import scheduled, unique_keys
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import NextAttempt, Result
from queuekit.processes.forgetting import Forgetting
from tests.dialects.drivers import DRIVERS, Driver
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    broken,
    claim,
    configure,
    counts,
    fail,
    failed,
    finish_everything,
    finished,
    register,
    states,
    take,
)
from tests.dialects.throttling import start
from tests.dialects.unique_jobs import (
    hourly,
    import_once,
    never_waits,
    once_a_minute,
    one_at_a_time,
    refresh,
    same_arguments,
    unsteady,
)

drivers = pytest.mark.parametrize("driver", DRIVERS, ids=repr)


def keys() -> list[str]:
    """The values of the keys that somebody has."""
    rows = ask("select unique_key from queuekit_unique_keys order by unique_key")
    return [key.rpartition("/")[2] for (key,) in rows]


def end_window() -> None:
    """Whatever was enqueued, its window is over."""
    past = application.database().to_database(datetime(2020, 1, 1, tzinfo=UTC))
    ask("update queuekit_unique_keys set expires_at = :past", past=past)


def retry(job: Any, wait: float = 0) -> None:
    """End a claimed job, which is to run again."""
    ((process_id,),) = ask(
        "select process_id from queuekit_claimed_executions where job_id = :id", id=job.row_id
    )
    error = describe_error(ValueError("it broke"))
    again = NextAttempt(wait=wait, executions=1)
    result = Result(job.row_id, "retried", error, 0.1, again, concurrency_key=job.concurrency_key)
    take(process_id, [result], limit=0)


def assert_existing(receipt: Receipt, first: Receipt, row_id: int | None = None) -> None:
    assert (receipt.status, receipt.is_existing, receipt.is_enqueued) == ("existing", True, False)
    assert (receipt.job_id, receipt.queue) == (first.job_id, first.queue)
    assert receipt.scheduled_at == first.scheduled_at
    assert receipt.row_id == (row_id or first.row_id)


# The states of the first


def test_while_the_first_is_ready_it_is_the_first() -> None:
    first = refresh.using(queue="early").enqueue("a", 1)
    second = refresh.using(queue="late", priority=3).enqueue("a", 2)

    assert (first.status, first.is_existing, first.is_enqueued) == ("enqueued", False, True)
    assert_existing(second, first)
    assert states() == {"ready": [first.row_id]}


def test_while_the_first_is_scheduled_it_is_the_first(database: Database) -> None:
    first = refresh.using(wait=60).enqueue("a")
    assert first.scheduled_at is not None

    assert_existing(refresh.enqueue("a"), first)
    assert_existing(refresh.using(wait=3600).enqueue("a"), first)
    assert states() == {"scheduled": [first.row_id]}


def test_one_that_is_due_now_is_the_first_for_one_that_is_to_wait() -> None:
    first = refresh.enqueue("a")

    assert_existing(refresh.using(wait=60).enqueue("a"), first)
    assert counts() == {"ready": 1}


def test_after_its_dispatch_it_still_is(database: Database) -> None:
    first = refresh.using(wait=0.001).enqueue("a")
    while not scheduled.dispatch(database, 10):
        pass

    assert_existing(refresh.enqueue("a"), first)
    assert states() == {"ready": [first.row_id]}


def test_while_the_first_is_blocked_it_is_the_first() -> None:
    one_at_a_time.enqueue("other")
    first = one_at_a_time.enqueue("a")
    assert first.status == "blocked"

    assert_existing(one_at_a_time.enqueue("a"), first)
    assert counts() == {"ready": 1, "blocked": 1}


def test_once_the_first_runs_another_one_is_enqueued() -> None:
    first = refresh.enqueue("a")
    claim(register())

    second = refresh.enqueue("a")

    assert second.status == "enqueued"
    assert second.job_id != first.job_id
    assert_existing(refresh.enqueue("a"), second)
    assert counts() == {"claimed": 1, "ready": 1}


def test_while_the_first_runs_it_is_the_first_where_the_job_says_so() -> None:
    first = import_once.enqueue("a")
    worker = register()
    (job,) = claim(worker)

    assert_existing(import_once.enqueue("a"), first)

    take(worker, [finished(job)], limit=0)
    assert import_once.enqueue("a").status == "enqueued"
    assert counts() == {"finished": 1, "ready": 1}


@pytest.mark.parametrize("job", [refresh, import_once])
@pytest.mark.parametrize("preserve_finished", [True, False])
def test_when_the_first_has_finished_another_one_is_enqueued(
    job: Any, preserve_finished: bool
) -> None:
    first = job.enqueue("a")
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=preserve_finished)

    second = job.enqueue("a")

    assert second.status == "enqueued"
    assert second.row_id != first.row_id
    assert_existing(job.enqueue("a"), second)


@pytest.mark.parametrize("job", [refresh, import_once])
def test_when_the_first_has_failed_another_one_is_enqueued_and_both_can_run(job: Any) -> None:
    first = job.enqueue("a")
    fail(first)

    second = job.enqueue("a")
    assert second.status == "enqueued"
    queuekit.failed.retry(first.job_id)

    assert counts() == {"finished": 1, "ready": 2}
    assert_existing(job.enqueue("a"), second)


def test_a_failed_job_that_was_retried_by_hand_is_the_first_again() -> None:
    first = refresh.enqueue("a")
    fail(first)
    queuekit.failed.retry(first.job_id)
    ((row_id,),) = ask("select max(id) from queuekit_jobs")

    assert_existing(refresh.enqueue("a"), first, row_id)


def test_a_failed_job_that_was_discarded_by_hand_is_gone() -> None:
    first = refresh.enqueue("a")
    fail(first)
    queuekit.failed.discard(first.job_id)

    assert refresh.enqueue("a").status == "enqueued"


@pytest.mark.parametrize("wait", [0, 60])
def test_while_a_retry_waits_the_job_is_the_first(wait: float) -> None:
    first = refresh.enqueue("a")
    (job,) = claim(register())
    retry(job, wait)
    ((row_id,),) = ask("select max(id) from queuekit_jobs")

    assert_existing(refresh.enqueue("a"), first, row_id)
    assert attempts(first.job_id) == [(1, "retried"), (2, "scheduled" if wait else "ready")]


def test_a_retry_waits_beside_another_one_that_was_enqueued_meanwhile() -> None:
    first = refresh.enqueue("a")
    (job,) = claim(register())
    second = refresh.enqueue("a")
    retry(job)

    assert counts() == {"finished": 1, "ready": 2}
    assert_existing(refresh.enqueue("a"), second)
    assert [attempt for attempt, _ in attempts(first.job_id)] == [1, 2]


def test_a_claim_that_was_given_back_is_pending_again(database: Database) -> None:
    first = refresh.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    queuekit.executions.claimed.release(database, worker, [job.row_id])

    assert_existing(refresh.enqueue("a"), first)


def test_when_its_queue_was_cleared_another_one_is_enqueued() -> None:
    refresh.enqueue("a")
    assert queuekit.queues.clear("default") == 1

    assert refresh.enqueue("a").status == "enqueued"


# The window


@pytest.mark.parametrize("preserve_finished", [True, False])
def test_in_its_window_the_first_counts_when_it_has_finished(preserve_finished: bool) -> None:
    first = hourly.enqueue("a")
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=preserve_finished)

    receipt = hourly.enqueue("a")
    assert (receipt.job_id, receipt.status, receipt.queue) == (first.job_id, "existing", "default")
    assert receipt.row_id == (first.row_id if preserve_finished else None)

    end_window()
    second = hourly.enqueue("a")
    assert second.status == "enqueued"
    assert_existing(hourly.enqueue("a"), second)


def test_in_its_window_the_first_counts_when_it_has_failed_or_was_discarded() -> None:
    first = hourly.enqueue("a")
    fail(first)
    assert_existing(hourly.enqueue("a"), first)

    queuekit.failed.discard(first.job_id)
    assert hourly.enqueue("a").job_id == first.job_id


def test_after_its_window_the_first_counts_while_it_is_pending() -> None:
    first = hourly.enqueue("a")
    end_window()

    assert_existing(hourly.enqueue("a"), first)


def test_the_window_begins_when_the_first_is_enqueued_and_not_when_it_is_due() -> None:
    hourly.using(wait=86400).enqueue("a")

    ((created, expires),) = ask(
        "select created_at, expires_at from queuekit_jobs, queuekit_unique_keys"
    )
    database = application.database()
    begun, ends = database.from_database(created), database.from_database(expires)
    assert begun is not None
    assert ends is not None
    assert abs(ends - begun - timedelta(hours=1)) < timedelta(milliseconds=1)


# Keys


def test_other_keys_and_other_jobs_are_others() -> None:
    for job in (refresh, import_once, hourly):
        for key in ("a", "A", "ä", "队列🚀", "a b", "'", "%s", "\\", '"'):
            assert job.enqueue(key).status == "enqueued"
            assert job.enqueue(key).is_existing


def test_without_a_key_all_arguments_count() -> None:
    first = same_arguments.enqueue(1, x={"b": 1, "a": [2]})

    assert_existing(same_arguments.enqueue(1, x={"a": [2], "b": 1}), first)
    assert same_arguments.enqueue(1).status == "enqueued"
    assert same_arguments.enqueue(1, x={"b": 1, "a": [3]}).status == "enqueued"


def test_a_key_that_cannot_be_enqueues_nothing() -> None:
    with pytest.raises(EnqueueOptionError, match="its unique key is None"):
        queuekit.enqueue_all(refresh.bind(key) for key in ("a", None))

    assert (counts(), keys()) == ({}, [])


# Many


def test_of_many_with_one_key_the_first_is_enqueued() -> None:
    before = refresh.enqueue("b", 0)

    one, other, same, late, plain = queuekit.enqueue_all(
        [
            refresh.using(wait=60).bind("a", 1),
            refresh.bind("b", 2),
            refresh.bind("a", 3),
            refresh.bind("b", 4),
            note.bind(5),
        ]
    )

    assert one.status == "enqueued"
    assert_existing(same, one)
    assert_existing(other, before)
    assert_existing(late, before)
    assert plain.status == "enqueued"
    assert states() == {"ready": [before.row_id, plain.row_id], "scheduled": [one.row_id]}


def test_when_all_are_there_already_nothing_is_written() -> None:
    firsts = queuekit.enqueue_all(refresh.bind(key) for key in "ab")

    receipts = queuekit.enqueue_all(refresh.bind(key) for key in "abba")

    assert [receipt.job_id for receipt in receipts] == [
        firsts[index].job_id for index in (0, 1, 1, 0)
    ]
    assert counts() == {"ready": 2}


def test_only_those_that_were_enqueued_are_counted() -> None:
    told: list[Any] = []
    queuekit.events.subscribe(told.append)
    try:
        queuekit.enqueue_all(refresh.bind(key) for key in "abab")
        refresh.enqueue("a")
    finally:
        queuekit.events.unsubscribe(told.append)

    counted = [event.count for event in told if isinstance(event, queuekit.events.JobsEnqueued)]
    assert counted == [2, 0]


def test_one_that_is_refused_takes_all_the_others_keys_back() -> None:
    with pytest.raises(EnqueueError):
        queuekit.enqueue_all([refresh.bind("a"), broken(note.bind())])

    assert keys() == []
    assert refresh.enqueue("a").status == "enqueued"


def test_a_thousand_with_a_hundred_keys_are_as_many_statements_as_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: Counter[str] = Counter()
    kind: Any = type(_connection(database))
    run = kind.run

    def counting(connection: Connection, query: Any, parameters: Any) -> Any:
        runs[query.name] += 1
        return run(connection, query, parameters)

    monkeypatch.setattr(kind, "run", counting)
    queuekit.enqueue_all(refresh.bind(key) for key in range(0, 100, 2))
    claim(register(), limit=20)
    runs.clear()
    receipts = queuekit.enqueue_all(refresh.bind(number % 100) for number in range(1000))

    assert Counter(receipt.status for receipt in receipts) == {"enqueued": 70, "existing": 930}
    assert runs == dict.fromkeys(
        ("unique_keys.lock", "unique_keys.holders", "jobs.enqueue", "unique_keys.keep"), 1
    )
    assert counts() == {"claimed": 20, "ready": 100}


def _connection(database: Database) -> Any:
    return database._held()[0].connection


@pytest.mark.parametrize("at_once", [1, 7])
def test_keys_may_be_too_many_for_one_parameter(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(unique_keys, "_KEYS_AT_ONCE", at_once)

    first = queuekit.enqueue_all(refresh.bind(number) for number in range(20))
    again = queuekit.enqueue_all(refresh.bind(number) for number in range(25))

    assert [receipt.job_id for receipt in again[:20]] == [receipt.job_id for receipt in first]
    assert counts() == {"ready": 25}


# With concurrency limits


def test_a_job_that_its_limit_discards_takes_no_key() -> None:
    never_waits.enqueue("a")

    receipts = [
        never_waits.enqueue("b"),
        *queuekit.enqueue_all([never_waits.bind("b"), never_waits.bind("b")]),
    ]
    assert [receipt.status for receipt in receipts] == ["discarded"] * 3

    finish_everything()
    assert never_waits.enqueue("b").status == "enqueued"
    assert never_waits.enqueue("b").status == "existing"


def test_one_that_is_there_already_takes_no_slot() -> None:
    first = one_at_a_time.enqueue("a")

    assert_existing(one_at_a_time.enqueue("a"), first)

    assert ask("select job_id from queuekit_semaphore_slots") == [(first.row_id,)]


def test_a_job_that_its_throttle_has_put_off_is_there() -> None:
    _, first = (once_a_minute.enqueue(key) for key in "ab")
    worker = register()
    start(worker, claim(worker))
    assert states()["scheduled"] == [first.row_id]

    assert_existing(once_a_minute.enqueue("b"), first)
    assert once_a_minute.enqueue("a").status == "enqueued"


# In the caller's transaction


@drivers
def test_in_a_callers_transaction_it_is_the_same(driver: Driver, database_url: str) -> None:
    before = refresh.enqueue("before")
    gone = refresh.enqueue("gone")
    claim(register(), limit=2)
    ready = refresh.using(queue="очередь 🚀").enqueue("队列🚀")
    with driver.connection(database_url) as connection:
        using = refresh.using(connection=connection.raw, queue="other")

        connection.begin()
        receipts = [using.enqueue(key) for key in ("gone", "gone", "队列🚀", "new")]
        receipts += queuekit.enqueue_all([using.bind("new"), using.bind("newer")])
        connection.commit()

    assert [receipt.status for receipt in receipts] == [
        *("enqueued", "existing", "existing", "enqueued", "existing", "enqueued")
    ]
    assert receipts[1].job_id == receipts[0].job_id != gone.job_id
    assert_existing(receipts[2], ready)
    assert_existing(receipts[4], receipts[3])
    assert counts() == {"claimed": 2, "ready": 4}
    assert_existing(refresh.enqueue("new"), receipts[3])
    assert refresh.enqueue("before").job_id != before.job_id


@drivers
def test_after_a_rollback_the_key_is_as_it_was(driver: Driver, database_url: str) -> None:
    first = refresh.enqueue("taken over")
    claim(register())
    with driver.connection(database_url) as connection:
        connection.begin()
        using = refresh.using(connection=connection.raw)
        assert [using.enqueue(key).status for key in ("new", "taken over")] == ["enqueued"] * 2
        connection.rollback()

    assert counts() == {"claimed": 1}
    assert ask("select uuid from queuekit_unique_keys") == [(_uuid(first.job_id),)]
    assert [refresh.enqueue(key).status for key in ("new", "taken over")] == ["enqueued"] * 2


def _uuid(job_id: str) -> Any:
    ((found,),) = ask("select uuid from queuekit_jobs where uuid = :uuid", uuid=job_id)
    return found


@drivers
def test_without_a_transaction_the_mode_of_the_connection_decides(
    driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        using = refresh.using(connection=connection.raw)
        first, second = using.enqueue("a"), using.enqueue("a")
        if not driver.commits_by_itself:
            assert counts() == {}
            connection.commit()

        assert_existing(second, first)
        assert states() == {"ready": [first.row_id]}
        connection.begin()  # nothing was left open
        connection.rollback()


@drivers
def test_a_job_that_is_refused_leaves_the_callers_transaction_as_it_was(
    driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        refresh.using(connection=connection.raw).enqueue("kept")
        with pytest.raises(EnqueueError) as refused:
            queuekit.enqueue_all(
                [refresh.bind("lost"), broken(note.bind())], connection=connection.raw
            )
        assert isinstance(refused.value.__cause__, queuekit.DatabaseError)
        if driver.products == ("postgresql",):  # where a failed statement ends the transaction
            connection.rollback()
        else:
            connection.commit()

    assert keys() == ([] if driver.products == ("postgresql",) else ["kept"])
    assert refresh.enqueue("lost").status == "enqueued"


@drivers
def test_a_limited_job_that_waits_for_the_dispatcher_is_there(
    database: Database, driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        connection.begin()
        using = one_at_a_time.using(connection=connection.raw)
        first, second = using.enqueue("a"), using.enqueue("a")
        connection.commit()

    assert_existing(second, first)
    assert_existing(one_at_a_time.enqueue("a"), first)
    assert counts() == {"scheduled": 1}
    scheduled.dispatch(database, 10)
    assert_existing(one_at_a_time.enqueue("a"), first)


# Later, and elsewhere


def test_after_a_commit_the_first_of_those_deferred_is_enqueued() -> None:
    with queuekit.enqueue_after_commit():
        receipts = [refresh.using(after_commit=True).enqueue("a", n) for n in range(3)]

    assert [receipt.status for receipt in receipts] == ["deferred"] * 3
    assert counts() == {"ready": 1}
    assert refresh.enqueue("a").job_id == receipts[0].job_id


def test_from_an_event_loop_it_is_the_same() -> None:
    async def enqueue() -> list[Receipt]:
        return [
            await refresh.aenqueue("a"),
            await refresh.aenqueue("a"),
            *await queuekit.aenqueue_all(refresh.bind(key) for key in "aab"),
        ]

    receipts = asyncio.run(enqueue())

    assert [receipt.status for receipt in receipts] == ["enqueued"] + ["existing"] * 3 + [
        "enqueued"
    ]


@pytest.mark.databases("postgresql")
def test_on_an_asynchronous_connection_it_is_the_same(database_url: str) -> None:
    import psycopg

    async def enqueue() -> list[Receipt]:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            using = refresh.using(connection=connection)
            return [await using.aenqueue("a"), await using.aenqueue("a")]

    first, second = asyncio.run(enqueue())

    assert_existing(second, first)
    assert states() == {"ready": [first.row_id]}


PROCESS = """
import sys
import queuekit
from tests.dialects.unique_jobs import refresh

queuekit.configure(database_url=sys.argv[1])
sys.stdin.readline()
shift = int(sys.argv[2])
keys = [(number * 7 + shift) % 50 for number in range(50)]
for number in range(5):
    refresh.enqueue(keys[number])
queuekit.enqueue_all(refresh.bind(key) for key in keys)
for key in reversed(keys):
    refresh.enqueue(key)
"""


def test_of_eight_processes_that_enqueue_the_same_one_does(database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, database_url, str(number)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0] * 8

    rows = ask("select arguments from queuekit_jobs")
    assert Counter(json.loads(text)["args"][0] for (text,) in rows) == dict.fromkeys(range(50), 1)
    assert counts() == {"ready": 50}


# Forgetting


def test_keys_of_what_has_ended_are_forgotten(database: Database) -> None:
    refresh.enqueue("finished")
    finish_everything()
    failed_one = refresh.enqueue("failed")
    fail(failed_one)
    refresh.enqueue("claimed")
    claim(register())
    refresh.enqueue("ready")
    refresh.using(wait=60).enqueue("scheduled")
    one_at_a_time.enqueue("slot")
    one_at_a_time.enqueue("blocked")

    Forgetting(database).attend()

    assert keys() == ["blocked", "slot", *("claimed", "failed", "ready", "scheduled")]


def test_keys_are_kept_for_their_window(database: Database) -> None:
    hourly.enqueue("a")
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=False)

    Forgetting(database).attend()
    assert keys() == ["a"]

    end_window()
    Forgetting(database).attend()
    assert keys() == []


def test_keys_are_forgotten_page_by_page(database: Database) -> None:
    queuekit.enqueue_all(refresh.bind(number) for number in range(10, 17))
    claim(worker := register(), limit=0)
    jobs = claim(worker, limit=5)
    take(worker, [finished(job) for job in jobs], limit=0)

    after, pages = None, 0
    while True:
        after = unique_keys.forget_page(database, after, 2)
        pages += 1
        if after is None:
            break

    assert pages == 4
    assert keys() == ["15", "16"]


def test_a_key_whose_holder_has_changed_is_not_forgotten(database: Database) -> None:
    first = refresh.enqueue("a")
    finish_everything()
    page = database.query("unique_keys.page", after_key="", limit=10)
    ((key, job_id, has_ended),) = page
    assert (str(job_id), bool(has_ended)) == (first.job_id, True)
    second = refresh.enqueue("a")

    database.query(
        "unique_keys.forget", unique_keys=json.dumps([{"key": key, "uuid": str(job_id)}])
    )

    assert_existing(refresh.enqueue("a"), second)


def test_a_forgotten_key_can_be_taken_again(database: Database) -> None:
    refresh.enqueue("a")
    finish_everything()
    Forgetting(database).attend()

    assert refresh.enqueue("a").status == "enqueued"
    assert refresh.enqueue("a").status == "existing"


def test_where_finished_jobs_are_not_kept_it_is_the_same() -> None:
    configure(preserve_finished_jobs=False)
    for _ in range(2):
        first = refresh.enqueue("a")
        assert_existing(refresh.enqueue("a"), first)
        worker = register()
        take(worker, [finished(*claim(worker))], preserve_finished=False)


def test_what_fails_again_and_again_keeps_its_key() -> None:
    first = refresh.enqueue("a")
    for _ in range(3):
        worker = register()
        (job,) = claim(worker)
        take(worker, [failed(job)], limit=0)
        queuekit.failed.retry(first.job_id)
    ((row_id,),) = ask("select max(id) from queuekit_jobs")

    assert_existing(refresh.enqueue("a"), first, row_id)


def test_what_is_written_again_by_mistake_is_not_enqueued_again() -> None:
    """As after the lost answer to a commit, where the job has ended meanwhile and is not kept."""
    bound = refresh.bind("a")
    (first,) = queuekit.enqueue_all([bound])
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=False)

    (again,) = queuekit.enqueue_all([bound])

    assert (again.job_id, again.status, again.row_id) == (first.job_id, "enqueued", None)
    assert counts() == {}


def test_a_retry_of_perform_now_is_written_whatever_is_there() -> None:
    first = unsteady.enqueue("a")
    unsteady.perform_now("a")

    assert counts() == {"ready": 1, "scheduled": 1}
    assert unsteady.enqueue("a").job_id == first.job_id
