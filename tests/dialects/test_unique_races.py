"""Two connections that meet at a unique key, or at the job that has it: it is enqueued once, and
what was committed before an enqueueing is seen by a run that begins afterwards."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

import queuekit
from queuekit import Receipt
from queuekit.arguments import load
from queuekit.database import Database
from queuekit.executions import scheduled
from queuekit.executions.turn import Turn
from queuekit.processes.forgetting import Forgetting
from tests.dialects.drivers import DRIVERS, CallersConnection, Driver
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
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
from tests.dialects.transactions import Other
from tests.dialects.unique_jobs import hourly, import_once, one_at_a_time, refresh
from tests.servers import Server

servers_only = pytest.mark.databases("postgresql", "mariadb", "mysql")
a_driver = pytest.mark.parametrize(
    "driver",
    [driver for driver in DRIVERS if driver.name in ("psycopg", "pymysql", "sqlite3")],
    ids=repr,
)
pytestmark = a_driver


@pytest.fixture
def callers(driver: Driver, database_url: str) -> Iterator[CallersConnection]:
    """A caller's connection, with its transaction begun."""
    with driver.connection(database_url) as connection:
        connection.begin()
        yield connection


# Two that enqueue


@pytest.mark.parametrize("job", [refresh, import_once, hourly])
def test_of_two_at_once_one_is_enqueued(
    server: Server, callers: CallersConnection, job: queuekit.job
) -> None:
    first = job.using(connection=callers.raw, wait=60).enqueue("a")

    with in_background(lambda: job.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        callers.commit()
        second: Receipt = enqueued.result()

    assert first.status == "enqueued"
    assert second == Receipt(
        first.job_id, first.row_id, first.queue, first.scheduled_at, "existing"
    )
    assert states() == {"scheduled": [first.row_id]}


def test_when_the_first_is_rolled_back_the_second_is_enqueued(
    server: Server, callers: CallersConnection
) -> None:
    first = refresh.using(connection=callers.raw).enqueue("a")

    with in_background(lambda: refresh.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        callers.rollback()
        second: Receipt = enqueued.result()

    assert second.status == "enqueued"
    assert second.job_id != first.job_id
    assert states() == {"ready": [second.row_id]}


def test_of_two_that_take_over_a_key_one_does(server: Server, callers: CallersConnection) -> None:
    refresh.enqueue("a")
    claim(register())
    first = refresh.using(connection=callers.raw).enqueue("a")

    with in_background(lambda: refresh.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        callers.commit()
        second: Receipt = enqueued.result()

    assert (first.status, second.status) == ("enqueued", "existing")
    assert second.job_id == first.job_id


def test_threads_that_enqueue_the_same_in_different_orders_never_deadlock(
    database: Database, driver: Driver
) -> None:
    def work(index: int) -> list[Receipt]:
        order = random.Random(index)
        receipts = []
        for _ in range(10):
            keys = order.sample(range(30), 20)
            receipts += queuekit.enqueue_all(refresh.bind(key) for key in keys)
        return receipts

    receipts = [receipt for part in in_threads(work, 6) for receipt in part]

    assert Counter(receipt.status for receipt in receipts)["enqueued"] == 30
    assert counts() == {"ready": 30}


@servers_only
def test_nobody_waits_for_another_key(callers: CallersConnection) -> None:
    using = refresh.using(connection=callers.raw)
    queuekit.enqueue_all([using.bind("b"), using.bind("d")])

    receipts = [refresh.enqueue(key) for key in "ace"]
    receipts += queuekit.enqueue_all([refresh.bind("f"), note.bind()])
    assert [receipt.status for receipt in receipts] == ["enqueued"] * 5
    assert len(claim(register())) == 5
    callers.commit()


# One that enqueues, and a claim


@servers_only
@pytest.mark.parametrize("is_undone", [True, False])
def test_a_claim_that_is_under_way_is_waited_for(
    server: Server, other: Other, driver: Driver, is_undone: bool
) -> None:
    first = refresh.enqueue("a")
    other.turn(register())

    with in_background(lambda: refresh.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        if is_undone:
            other.rollback()
        else:
            other.commit()
        second: Receipt = enqueued.result()

    assert second.status == ("existing" if is_undone else "enqueued")
    assert (second.job_id == first.job_id) == is_undone


@servers_only
def test_a_job_that_begins_meanwhile_is_there_where_running_counts(
    server: Server, other: Other, driver: Driver
) -> None:
    first = import_once.enqueue("a")
    other.turn(register())

    with in_background(lambda: import_once.enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        other.commit()
        second: Receipt = enqueued.result()

    assert (second.status, second.job_id) == ("existing", first.job_id)


@servers_only
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_a_claim_passes_the_existing_job_by_until_the_caller_has_committed(
    callers: CallersConnection, ends: str
) -> None:
    first, plain = refresh.enqueue("a"), note.enqueue()
    assert refresh.using(connection=callers.raw).enqueue("a").is_existing
    worker = register()

    assert [job.row_id for job in claim(worker)] == [plain.row_id]
    assert [job.row_id for job in claim(worker, queue="default")] == []

    getattr(callers, ends)()
    assert [job.row_id for job in claim(worker)] == [first.row_id]


@servers_only
def test_the_dispatcher_passes_the_existing_job_by_until_the_caller_has_committed(
    database: Database, callers: CallersConnection
) -> None:
    first, plain = refresh.using(wait=0.001).enqueue("a"), note.using(wait=0.001).enqueue()
    assert refresh.using(connection=callers.raw).enqueue("a").is_existing

    while not scheduled.dispatch(database, 10):
        pass
    assert states() == {"ready": [plain.row_id], "scheduled": [first.row_id]}

    callers.commit()
    assert scheduled.dispatch(database, 10) == 1


@servers_only
def test_a_dispatch_that_is_under_way_is_waited_for(
    server: Server, other: Other, callers: CallersConnection
) -> None:
    first = refresh.using(wait=0.001).enqueue("a")
    while not other.query("scheduled.dispatch", limit=10):
        pass

    with in_background(lambda: refresh.using(connection=callers.raw).enqueue("a")) as enqueued:
        wait_until_blocked(server, enqueued)
        other.commit()
        second: Receipt = enqueued.result()

    assert (second.status, second.job_id) == ("existing", first.job_id)
    assert claim(worker := register()) == []
    callers.commit()
    assert len(claim(worker)) == 1


@servers_only
def test_a_turn_never_waits_for_a_caller(callers: CallersConnection) -> None:
    first = import_once.enqueue("a")
    again = refresh.enqueue("b")
    worker = register()
    jobs = claim(worker)
    one_at_a_time.enqueue("slot")
    one_at_a_time.enqueue("blocked")
    slot = claim(worker)
    using = import_once.using(connection=callers.raw)
    assert using.enqueue("a").is_existing
    assert refresh.using(connection=callers.raw).enqueue("b").status == "enqueued"
    assert one_at_a_time.using(connection=callers.raw).enqueue("blocked").is_existing

    taken: Turn = take(worker, [finished(job) for job in (*jobs, *slot)], limit=0)
    promoted = claim(worker)

    assert taken.settled == {job.row_id for job in (*jobs, *slot)}
    assert len(promoted) == 1
    callers.commit()
    assert attempts(first.job_id) == attempts(again.job_id) == [(1, "finished")]
    assert counts() == {"finished": 3, "claimed": 1, "ready": 1}


def test_no_change_is_lost_between_an_enqueueing_and_a_run(
    database: Database, driver: Driver, database_url: str
) -> None:
    """Who changes something and enqueues in one transaction is followed by a run that sees it."""
    ask("drop table if exists changes")
    ask("create table changes (name varchar(10) primary key, number integer not null)")
    names = [str(number) for number in range(30)]
    for name in names:
        ask("insert into changes values (:name, 0)", name=name)
    seen = dict.fromkeys(names, 0)
    changing = 4

    def change(index: int) -> None:
        order = random.Random(index)
        with driver.connection(database_url) as connection:
            for _ in range(40):
                name = order.choice(names)
                connection.begin()
                connection.execute(f"update changes set number = number + 1 where name = '{name}'")
                refresh.using(connection=connection.raw).enqueue(name)
                time.sleep(order.uniform(0, 0.02))  # in which a run would not see the change
                if order.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()

    def run(index: int) -> None:
        worker = register()
        while True:
            is_over = done.is_set()
            jobs = claim(worker, limit=3)
            for job in jobs:
                (name,) = load(job.arguments)[0]
                ((number,),) = ask("select number from changes where name = :name", name=name)
                seen[name] = max(seen[name], number)
            take(worker, [finished(job) for job in jobs], limit=0)
            if is_over and not jobs:
                return
            time.sleep(0.01)  # so that others are still there when they change again

    def work(index: int) -> None:
        if index >= changing:
            run(index)
            return
        try:
            change(index)
        finally:
            is_done.append(index)
            if len(is_done) == changing:
                done.set()

    done, is_done = threading.Event(), list[int]()
    in_threads(work, changing + 2)

    assert dict(ask("select name, number from changes")) == seen
    assert sum(seen.values()) > 80
    ask("drop table changes")


# Forgetting


@servers_only
def test_keys_that_are_locked_are_passed_by(database: Database, callers: CallersConnection) -> None:
    for key in "ab":
        refresh.enqueue(key)
    worker = register()
    take(worker, [finished(job) for job in claim(worker)], limit=0)
    first = refresh.using(connection=callers.raw).enqueue("a")

    Forgetting(database).attend()

    assert [key[-2:] for (key,) in ask("select unique_key from queuekit_unique_keys")] == ["/a"]
    callers.commit()
    assert refresh.enqueue("a").job_id == first.job_id


# A caller's REPEATABLE READ, which is the default of MySQL


@pytest.fixture
def repeatable(callers: CallersConnection) -> CallersConnection:
    """A transaction that has read something."""
    callers.rollback()
    callers.execute("set session transaction isolation level repeatable read")
    callers.begin()
    callers.execute("select * from queuekit_jobs")
    callers.execute("select * from queuekit_unique_keys")
    return callers


mysql_only = pytest.mark.databases("mariadb", "mysql")


def may_write() -> None:
    """Nobody is held up: not who enqueues, dispatches, claims or settles."""
    ask("set innodb_lock_wait_timeout = 1")
    queuekit.enqueue_all([note.bind(), note.using(wait=60).bind(), refresh.bind("other")])
    worker = register()
    jobs = claim(worker)
    assert len(jobs) >= 2
    take(worker, [finished(job) for job in jobs])


@mysql_only
@pytest.mark.parametrize("wait", [None, 60])
@pytest.mark.parametrize("job", [refresh, import_once])
def test_what_came_after_the_callers_first_read_is_there(
    repeatable: CallersConnection, job: queuekit.job, wait: float | None
) -> None:
    first = job.using(wait=wait).enqueue("a")

    second = job.using(connection=repeatable.raw).enqueue("a")

    assert (second.status, second.job_id) == ("existing", first.job_id)
    assert second.row_id == first.row_id
    may_write()
    assert first.row_id in states()["scheduled" if wait else "ready"]
    repeatable.commit()
    assert counts().get("ready", 0) + counts()["scheduled"] == 2


@mysql_only
def test_a_limited_job_that_came_after_the_callers_first_read_is_there(
    repeatable: CallersConnection, driver: Driver, database_url: str
) -> None:
    with driver.connection(database_url) as connection:
        first = one_at_a_time.using(connection=connection.raw).enqueue("a")
        connection.commit()

    second = one_at_a_time.using(connection=repeatable.raw).enqueue("a")

    assert (second.status, second.job_id) == ("existing", first.job_id)
    may_write()


@mysql_only
def test_what_was_claimed_after_the_callers_first_read_is_pending_no_more(
    callers: CallersConnection, repeatable: CallersConnection
) -> None:
    repeatable.rollback()
    pending, running = refresh.enqueue("a"), import_once.enqueue("a")
    note.enqueue()
    repeatable.begin()
    repeatable.execute("select * from queuekit_jobs")
    claim(register())

    again = refresh.using(connection=repeatable.raw).enqueue("a")
    there = import_once.using(connection=repeatable.raw).enqueue("a")
    repeatable.commit()

    assert again.status == "enqueued"
    assert again.job_id != pending.job_id
    assert (there.status, there.job_id) == ("existing", running.job_id)


@mysql_only
def test_its_own_job_is_there(repeatable: CallersConnection) -> None:
    using = refresh.using(connection=repeatable.raw)
    first, second = using.enqueue("a"), using.enqueue("a")

    assert (second.status, second.job_id) == ("existing", first.job_id)
    may_write()
    repeatable.commit()
    assert refresh.enqueue("a").job_id == first.job_id


@mysql_only
def test_what_has_ended_before_holds_nobody_up(repeatable: CallersConnection) -> None:
    repeatable.rollback()
    refresh.enqueue("a")
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=False)
    repeatable.begin()
    repeatable.execute("select * from queuekit_jobs")

    assert refresh.using(connection=repeatable.raw).enqueue("a").status == "enqueued"

    may_write()
    repeatable.commit()
    assert refresh.enqueue("a").is_existing


@pytest.mark.databases("postgresql")
def test_a_stricter_transaction_that_came_too_late_is_told_so(callers: CallersConnection) -> None:
    callers.execute("set transaction isolation level repeatable read")
    callers.execute("select * from queuekit_jobs")
    refresh.enqueue("a")

    with pytest.raises(queuekit.EnqueueError, match="could not serialize"):
        refresh.using(connection=callers.raw).enqueue("a")
