"""Transactions that get in each other's way are run again as a whole, or say so in the end."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from queuekit import ConflictError, EnqueueError
from queuekit.database import Database, connection
from queuekit.database.dialect import Connection, TransientConflictError
from queuekit.database.queries import Query
from queuekit.database.url import parse
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    PATIENCE,
    ask,
    counts,
    in_background,
    in_threads,
    in_use,
    register,
    wait_until,
)

SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")


def touch(connection: Connection, process_id: int) -> None:
    text = "update queuekit_processes set pid = pid + 1 where id = :id"
    connection.run(Query(text, (text,)), {"id": process_id})


@SERVERS
def test_of_two_deadlocked_transactions_both_are_done_in_the_end(database: Database) -> None:
    ids = [register(), register()]
    first = {process_id: pid_of(process_id) for process_id in ids}
    both_hold_one = threading.Barrier(2)
    runs = [0, 0]

    def work(index: int) -> None:
        def transaction(connection: Connection) -> None:
            runs[index] += 1
            touch(connection, ids[index])
            if runs[index] == 1:
                both_hold_one.wait(PATIENCE)
            touch(connection, ids[1 - index])

        database.transact(transaction)

    in_threads(work, 2)

    assert sorted(runs) == [1, 2]
    for process_id in ids:
        assert pid_of(process_id) == first[process_id] + 2


def pid_of(process_id: int) -> int:
    return int(ask("select pid from queuekit_processes where id = :id", id=process_id)[0][0])


@SERVERS
def test_a_deadlock_is_no_end_of_what_is_in_the_transaction(database: Database) -> None:
    """Whatever the transaction wrote before its deadlock is written once."""
    ids = [register(), register()]
    both_hold_one = threading.Barrier(2)
    runs = [0, 0]

    def work(index: int) -> None:
        def transaction(connection: Connection) -> None:
            runs[index] += 1
            connection.run(database.named("queues.pause"), {"queue_name": f"queue {index}"})
            touch(connection, ids[index])
            if runs[index] == 1:
                both_hold_one.wait(PATIENCE)
            touch(connection, ids[1 - index])

        database.transact(transaction)

    in_threads(work, 2)

    assert ask("select queue_name from queuekit_pauses order by 1") == [("queue 0",), ("queue 1",)]


def test_a_conflict_without_end_reaches_the_caller_after_a_bounded_number_of_tries(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_pause", lambda attempt: 0.0)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        raise TransientConflictError("deadlock")

    with pytest.raises(ConflictError, match="gave up after 10 conflicts"):
        database.transact(work)

    assert len(runs) == 10
    assert note.enqueue().row_id


def test_an_error_of_the_callers_own_undoes_the_transaction(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.run(database.named("queues.pause"), {"queue_name": "undone"})
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        database.transact(work)

    assert ask("select count(*) from queuekit_pauses") == [(0,)]
    assert note.enqueue().row_id


def test_pauses_between_tries_grow_and_are_random() -> None:
    pauses = [[connection._pause(attempt) for _ in range(50)] for attempt in range(1, 20)]

    assert all(0 <= pause <= 0.25 for many in pauses for pause in many)
    assert max(pauses[0]) <= 0.002
    assert len(set(pauses[-1])) > 40


# SQLite


@pytest.mark.databases("sqlite")
class TestSQLite:
    def test_a_writer_waits_for_another_one(self, database_url: str, database: Database) -> None:
        note.enqueue("connected")
        writer = Writer(database_url)

        with in_background(lambda: note.enqueue("waited")) as enqueueing:
            time.sleep(0.05)
            assert not enqueueing.done()
            writer.end()
            assert enqueueing.result().row_id

        assert counts() == {"ready": 2}

    def test_a_writer_that_waits_too_long_is_told_of_a_conflict(self, database_url: str) -> None:
        with in_use(f"{database_url}?busy_timeout=10"):
            note.enqueue("connected")
            writer = Writer(database_url)
            with pytest.raises(EnqueueError, match="locked") as refused:
                note.enqueue("lost")
            assert isinstance(refused.value.__cause__, ConflictError)

            writer.end()
            note.enqueue("enqueued")
            assert counts() == {"ready": 2}

    def test_reading_waits_for_no_writer(self, database_url: str, database: Database) -> None:
        note.enqueue()
        writer = Writer(database_url)

        with in_use(f"{database_url}?busy_timeout=0"):
            assert counts() == {"ready": 1}
        writer.end()

    def test_many_writers_all_get_their_turn(self, database: Database) -> None:
        def work(index: int) -> None:
            for number in range(50):
                note.enqueue(number)

        in_threads(work, 8)

        assert counts() == {"ready": 400}


class Writer:
    """Another connection that has begun to write."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(parse(url).database, isolation_level=None)
        self._connection.execute("begin immediate")
        self._connection.execute("delete from queuekit_pauses")

    def end(self) -> None:
        self._connection.execute("rollback")
        self._connection.close()


# Threads


def sessions(database: Database) -> Callable[[], Any]:
    """What tells one connection from another on this database."""
    if database.dialect.name == "sqlite":
        return lambda: id(database._held()[0].connection)
    text = {"postgresql": "select pg_backend_pid()", "mysql": "select connection_id()"}
    return lambda: ask(text[database.dialect.name])[0][0]


def test_each_thread_has_one_connection_of_its_own(database: Database) -> None:
    session = sessions(database)
    mine = session()
    alive = threading.Barrier(3)

    def work(index: int) -> Any:
        seen = {session() for _ in range(5)}
        note.enqueue()
        seen.add(session())
        alive.wait(PATIENCE)
        return seen

    theirs = in_threads(work, 3)

    assert all(len(seen) == 1 for seen in theirs)
    assert len(set().union(*theirs, {mine})) == 4
    assert session() == mine


@SERVERS
def test_a_thread_that_ends_leaves_no_connection_behind(database: Database) -> None:
    count = {
        "postgresql": "select count(*) from pg_stat_activity where datname = current_database()",
        "mysql": "select count(*) from information_schema.processlist where db = database()",
    }[database.dialect.name]
    before = ask(count)

    for number in range(5):
        thread = threading.Thread(target=note.enqueue, args=[number])
        thread.start()
        thread.join()

    wait_until(lambda: ask(count) == before)
    assert counts() == {"ready": 5}
