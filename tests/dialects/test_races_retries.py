"""Retries, steps and completions that meet others in the middle of a transaction, and rows that no
transaction of ours has made: a job still has one holder, ends once, and holds up no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

import queuekit
from queuekit import ClaimLostError, DatabaseError, context
from queuekit.config import Configuration
from queuekit.database import Database
from queuekit.enqueueing import write
from queuekit.executions import finished as finished_jobs
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import RETRIED, NextAttempt, Result
from queuekit.processes.registration import Burial, bury
from tests.dialects.drivers import DRIVERS, CallersConnection, Driver
from tests.dialects.running import Process
from tests.dialects.sample_jobs import note
from tests.dialects.stepping_jobs import did, pay, scene, steps
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    failed,
    failed_note,
    finished,
    in_background,
    in_threads,
    register,
    take,
    wait_until_blocked,
)
from tests.dialects.transactions import DIED, Other
from tests.servers import Server

usual = pytest.mark.parametrize(
    "driver",
    [driver for driver in DRIVERS if driver.name in ("psycopg", "pymysql", "sqlite3")],
    ids=repr,
)
isolation = pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])


@pytest.fixture(autouse=True)
def a_new_scene() -> Iterator[None]:
    did.clear()
    scene.clear()
    yield
    scene.clear()


def again(job: ClaimedJob, wait: float = 0.0) -> Result:
    """The result of a job that is to run once more."""
    error = describe_error(ValueError("once more"))
    next_attempt = NextAttempt(wait, job.executions + 1)
    key = job.concurrency_key
    return Result(job.row_id, RETRIED, error, next_attempt=next_attempt, concurrency_key=key)


def open_turn(other: Other, process_id: int, job: ClaimedJob, wait: float = 0.0) -> None:
    """A turn that retries a job, and has not been committed yet."""
    given = {"job_id": job.row_id, "wait": wait, "executions": 1}
    other.query("turn.retry", process_id=process_id, retries=json.dumps([given]))
    other.turn(process_id, json.dumps([{"job_id": job.row_id, "outcome": "retried"}]), limit=0)


def buried(database: Database, process_id: int, may_retry: bool = True) -> Burial:
    configuration = Configuration(database_url=database.url.text, on_process_death="retry")
    return bury(database, configuration, process_id, DIED, may_retry=may_retry)


def begin_burial(other: Other, process_id: int) -> None:
    """A burial that retries, and has not been committed yet."""
    other.bury(process_id, may_retry=True, max_process_deaths=9)


# Retries and burials


@pytest.mark.parametrize("wait", [0.0, 60.0])
def test_a_burial_finds_nothing_of_what_a_turn_under_way_retries(
    server: Server, database: Database, other: Other, wait: float
) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    open_turn(other, worker, job, wait)

    with in_background(lambda: buried(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result() == Burial()

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "scheduled" if wait else "ready")]


def test_a_turn_that_was_undone_leaves_its_retries_to_the_burial(
    server: Server, database: Database, other: Other
) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    open_turn(other, worker, job)

    with in_background(lambda: buried(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.rollback()
        assert burial.result().retried == (receipt.job_id,)

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]
    assert ask("select process_deaths from queuekit_jobs order by id") == [(0,), (1,)]


def test_a_turn_that_meets_its_own_burial_retries_nothing(server: Server, other: Other) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    begin_burial(other, worker)

    with in_background(lambda: take(worker, [again(job)])) as turn:
        wait_until_blocked(server, turn)
        other.commit()
        assert not turn.result().registered

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


def test_a_burial_that_was_called_off_lets_the_turn_retry(server: Server, other: Other) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    begin_burial(other, worker)

    with in_background(lambda: take(worker, [again(job)], limit=0)) as turn:
        wait_until_blocked(server, turn)
        other.rollback()
        assert turn.result().settled == {job.row_id}

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


def test_many_workers_retry_at_once_and_each_job_has_one_chain() -> None:
    """Deadlocks, if there are any, cost time and no attempt."""
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(60))

    def work(_: int) -> int:
        worker, settled = register(), 0
        jobs = claim(worker, 5)
        while jobs:
            results = [again(job) if job.attempt < 3 else finished(job) for job in jobs]
            taken = take(worker, results, limit=5)
            settled += len(taken.settled)
            jobs = list(taken.claimed)
        return settled

    assert sum(in_threads(work, 6)) == 180
    ends = [(1, "retried"), (2, "retried"), (3, "finished")]
    assert all(attempts(receipt.job_id) == ends for receipt in receipts)


# People and retries


Act = Callable[[str], object]
RETRY: Act = queuekit.failed.retry
DISCARD: Act = queuekit.failed.discard


@pytest.mark.parametrize(
    ("first", "second", "end"),
    [
        ("failed.retry", DISCARD, [(1, "retried"), (2, "ready")]),
        ("failed.discard", DISCARD, [(1, "discarded")]),
        ("failed.discard", RETRY, [(1, "discarded")]),
        ("failed.retry", RETRY, [(1, "retried"), (2, "ready")]),
    ],
)
def test_of_two_people_the_first_decides(
    server: Server, other: Other, first: str, second: Act, end: list[tuple[int, str]]
) -> None:
    receipt = failed_note()
    other.query(first, job_ids=f"[{receipt.row_id}]", preserve_finished=True)

    with in_background(lambda: second(receipt.job_id)) as late:
        wait_until_blocked(server, late)
        other.commit()
        assert isinstance(late.exception(), queuekit.JobNotFoundError)

    assert attempts(receipt.job_id) == end


def test_clearing_meets_a_retry_under_way(server: Server, other: Other) -> None:
    """Cleared is what was finished when it began: the new attempt stays, in one place."""
    receipt, old = failed_note(), failed_note()
    queuekit.failed.discard(old.job_id)
    other.query("failed.retry", job_ids=f"[{receipt.row_id}]", preserve_finished=True)

    with in_background(lambda: finished_jobs.clear_in_batches(older_than=0)) as clearing:
        if server is None:
            wait_until_blocked(server, clearing)
            other.commit()
            assert clearing.result() == 2
        else:
            assert clearing.result() == 1
            other.commit()

    finished_jobs.clear_in_batches(older_than=0)
    assert attempts(receipt.job_id) == [(2, "ready")]


def test_everybody_retries_and_discards_everything_at_once() -> None:
    receipts = [failed_note(number) for number in range(12)]

    def act(index: int) -> int:
        settle_all = queuekit.failed.retry_all if index % 2 else queuekit.failed.discard_all
        return settle_all()

    assert sum(in_threads(act, 4)) == len(receipts)
    for receipt in receipts:
        end = attempts(receipt.job_id)
        assert end in ([(1, "retried"), (2, "ready")], [(1, "discarded")])


# Steps and burials


def test_a_step_under_way_is_recorded_before_the_burial(
    server: Server, database: Database, other: Other
) -> None:
    receipt = steps.enqueue("one")
    worker = register()
    (job,) = claim(worker)
    step = {"job_id": job.row_id, "process_id": worker, "uuid": job.job_id, "name": "one"}
    assert other.query(
        "steps.record", **step, position=0, cursor_json='{"args": [1]}', is_finished=False
    )

    with in_background(lambda: buried(database, worker)) as burial:
        wait_until_blocked(server, burial)
        other.commit()
        assert burial.result().retried == (receipt.job_id,)

    assert ask("select name, cursor_json from queuekit_steps") == [("one", '{"args": [1]}')]


def test_a_process_that_is_being_buried_records_no_step(server: Server, other: Other) -> None:
    receipt = steps.enqueue("one", "two")
    process = Process()
    job = process.claim()
    begin_burial(other, process.id)

    with in_background(lambda: process.perform(job)) as run:
        wait_until_blocked(server, run)
        other.commit()
        result = run.result()

    assert not process.settle(result)
    assert did == ["one"]
    assert ask("select count(*) from queuekit_steps") == [(0,)]
    Process().run()
    assert did == ["one", "one", "two"]
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "finished")]


# Completions and burials


@pytest.fixture
def callers(driver: Driver, database_url: str, database: Database) -> Iterator[CallersConnection]:
    """A connection on which the application has a table of its own."""
    with driver.connection(database_url) as connection:
        connection.execute("drop table if exists orders")
        connection.execute("create table orders (id integer)")
        connection.commit()
        yield connection


def begin(callers: CallersConnection, isolation: str, product: str) -> None:
    """Begin a transaction with its own view of the database, as far as there is one."""
    if product == "postgresql":
        callers.execute(f"set transaction isolation level {isolation}")
    elif product != "sqlite":
        callers.execute(f"set session transaction isolation level {isolation}")
        callers.execute("begin")
    callers.execute("insert into orders values (1)")


def orders() -> int:
    return int(ask("select count(*) from orders")[0][0])


@usual
@isolation
def test_a_burial_waits_for_a_job_that_completes_itself_and_leaves_it_alone(
    callers: CallersConnection, server: Server, database: Database, isolation: str, product: str
) -> None:
    receipt = pay.enqueue()
    process = Process()
    job = process.claim()

    def work() -> None:
        begin(callers, isolation, product)
        context.complete(callers.raw)
        with in_background(lambda: buried(database, process.id)) as burial:
            wait_until_blocked(server, burial)
            callers.commit()
            assert burial.result() == Burial()

    scene["pay"] = work
    process.perform(job)

    assert orders() == 1
    assert attempts(receipt.job_id) == [(1, "finished")]


@usual
@isolation
def test_a_completion_that_was_undone_leaves_the_job_to_the_burial(
    callers: CallersConnection, server: Server, database: Database, isolation: str, product: str
) -> None:
    receipt = pay.enqueue()
    process = Process()
    job = process.claim()

    def work() -> None:
        begin(callers, isolation, product)
        context.complete(callers.raw)
        with in_background(lambda: buried(database, process.id)) as burial:
            wait_until_blocked(server, burial)
            callers.rollback()
            assert burial.result().retried == (receipt.job_id,)

    scene["pay"] = work
    process.perform(job)

    assert orders() == 0
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


@usual
@isolation
@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_job_that_is_being_buried_cannot_complete_itself(
    callers: CallersConnection, server: Server, other: Other, isolation: str, product: str
) -> None:
    """Under a strict isolation a server may also say that somebody was faster. Either way it is an
    error, on which the transaction is rolled back."""
    receipt = pay.enqueue()
    process = Process()
    job = process.claim()

    def work() -> None:
        begin(callers, isolation, product)
        begin_burial(other, process.id)
        with in_background(lambda: context_of_job().complete(callers.raw)) as completing:
            wait_until_blocked(server, completing)
            other.commit()
            error = completing.exception()
        callers.rollback()
        assert isinstance(error, ClaimLostError | DatabaseError), error

    def context_of_job() -> queuekit.CurrentJob:
        return running[0]

    running: list[queuekit.CurrentJob] = []

    def start() -> None:
        assert context.current is not None
        running.append(context.current)
        work()

    scene["pay"] = start
    result = process.perform(job)

    assert not process.settle(result)
    assert result.outcome == "finished", result.error
    assert orders() == 0
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


@usual
@isolation
@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_transaction_left_open_keeps_no_worker_from_its_turns(
    callers: CallersConnection, isolation: str, product: str
) -> None:
    receipt = pay.enqueue()
    process = Process()
    job = process.claim()

    def work() -> None:
        begin(callers, isolation, product)
        context.complete(callers.raw)

    scene["pay"] = work
    process.perform(job)
    others = queuekit.enqueue_all(note.bind(number) for number in range(3))

    (one, *more) = claim(process.id)
    assert [one.row_id, *(job.row_id for job in more)] == [other.row_id for other in others]
    results = [finished(one), failed(more[0]), again(more[1])]
    assert len(take(process.id, results, limit=0).settled) == 3
    elsewhere = Process()
    assert elsewhere.claim().attempt == 2

    callers.commit()
    assert attempts(receipt.job_id) == [(1, "finished")]


@usual
@isolation
def test_a_job_with_context_and_counters_is_enqueued_in_the_callers_view(
    callers: CallersConnection, isolation: str, product: str
) -> None:
    """Its rows are found again there, however old the view is that the transaction has."""
    begin(callers, isolation, product)
    if product != "sqlite":
        note.enqueue("meanwhile")
    later = note.using(connection=callers.raw, wait=60).enqueue("later")
    now = note.using(connection=callers.raw).enqueue("now")
    counted = perform_again(callers)

    callers.commit()

    ends = [attempts(receipt.job_id)[0][1] for receipt in (later, now, counted)]
    assert ends == ["scheduled", "ready", "ready"]
    assert later.scheduled_at is not None
    (row,) = ask(
        "select executions, exception_executions, context from queuekit_jobs where uuid = :uuid",
        uuid=counted.job_id,
    )
    assert row == (3, '{"x": 2}', '{"tenant": "\N{SNOWMAN}"}')


def perform_again(callers: CallersConnection) -> queuekit.Receipt:
    """What a retry of `perform_now` writes, here through a caller's connection."""
    described = note.bind("counted")._description._replace(
        executions=3, exception_executions='{"x": 2}', context='{"tenant": "\N{SNOWMAN}"}'
    )
    return write([described], callers.raw)[0]
