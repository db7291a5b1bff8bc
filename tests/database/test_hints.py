"""What is said with a commit, and who hears it, on a real PostgreSQL; behind a real pooler, too."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

import queuekit
from queuekit import queues
from queuekit.config import DispatcherSettings
from queuekit.database import Database, file_writes, open_database
from queuekit.database.hints import KINDS
from queuekit.database.url import parse
from queuekit.executions import claimed, ready
from queuekit.processes.dispatcher import Dispatcher
from queuekit.processes.hints import Hints
from queuekit.processes.wakeup import Ending, Wakeup
from tests.database.pgbouncer import PgBouncer
from tests.dialects.sample_jobs import note
from tests.dialects.support import claim, in_use, register
from tests.servers import Server

PATIENCE = 30.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with in_use(database_url) as database:
        yield database


class Ear:
    """A connection that listens, and hears in order what was said until now."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("listen queuekit")

    def heard(self) -> list[str]:
        self.connection.execute("notify queuekit, 'end'")
        words = []
        for notify in self.connection.notifies(timeout=PATIENCE):
            if notify.payload == "end":
                break
            words.append(notify.payload)
        return words


@pytest.fixture
def ear(database_url: str, database: Database) -> Iterator[Ear]:
    ear = Ear(database_url)
    yield ear
    ear.connection.close()


def after_silence() -> None:
    """What was said before is not said again so soon."""
    time.sleep(0.02)


only_postgresql = pytest.mark.databases("postgresql")
only_sqlite = pytest.mark.databases("sqlite")
pooled = pytest.mark.skipif(PgBouncer.binary() is None, reason="pgbouncer is not installed")


@only_postgresql
def test_each_kind_of_job_is_told_of(ear: Ear) -> None:
    note.enqueue(1)
    assert ear.heard() == ["ready"]

    note.using(wait=60).enqueue(1)
    assert ear.heard() == ["scheduled"]

    after_silence()
    queuekit.enqueue_all([note.bind(1), note.using(wait=60).bind(2)])
    assert ear.heard() == ["ready scheduled"]


@only_postgresql
def test_many_jobs_are_told_of_once(ear: Ear) -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(2_000))

    assert ear.heard() == ["ready"]


@only_postgresql
def test_one_job_after_the_other_is_told_of_once_in_ten_milliseconds(ear: Ear) -> None:
    began = time.monotonic()
    for number in range(200):
        note.enqueue(number)
    passed = time.monotonic() - began

    words = ear.heard()

    assert set(words) == {"ready"}
    assert len(words) <= passed / 0.01 + 1


@only_postgresql
def test_a_callers_transaction_tells_when_it_commits_and_only_then(
    ear: Ear, database_url: str
) -> None:
    note.enqueue(0)
    ear.heard()
    with closing(psycopg.connect(database_url)) as connection:
        for number in range(3):
            note.using(connection=connection).enqueue(number)
        assert ear.heard() == []
        connection.rollback()
        assert ear.heard() == []
        for number in range(3):
            note.using(connection=connection).enqueue(number)
        queuekit.enqueue_all([note.bind(1), note.bind(2)])
        connection.commit()

    assert ear.heard() == ["ready", "ready"]


@only_postgresql
def test_a_transaction_that_fails_tells_nobody(ear: Ear, database: Database) -> None:
    def work(connection: object) -> None:
        database.wake("ready")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.transact(work)
    assert ear.heard() == []

    database.transact(lambda connection: None)
    assert ear.heard() == []


@only_postgresql
def test_whoever_makes_jobs_ready_tells_of_them(ear: Ear, database: Database) -> None:
    worker = register()
    note.enqueue(1)
    (job,) = claim(worker)
    ear.heard()

    after_silence()
    claimed.release(database, worker, [job.row_id])
    assert ear.heard() == ["ready"]

    after_silence()
    queues.pause("default")
    queues.resume("default")
    assert ear.heard() == ["ready"]

    note.using(wait=0.001).enqueue(1)
    ear.heard()
    after_silence()
    Dispatcher(DispatcherSettings(concurrency_maintenance=False), database, False).poll()
    assert ear.heard() == ["ready"]


@only_postgresql
def test_switched_off_nobody_is_told(ear: Ear, database_url: str) -> None:
    with in_use(database_url, wake_on_enqueue=False):
        note.enqueue(1)
        queuekit.enqueue_all([note.bind(1), note.bind(2)])
        with psycopg.connect(database_url) as connection:
            note.using(connection=connection).enqueue(1)

    assert ear.heard() == []


@only_postgresql
def test_who_begins_to_listen_takes_everything_for_heard_and_then_what_is_said(
    database: Database,
) -> None:
    ending = Ending()
    try:
        assert database.hear(PATIENCE, ending.fileno()) == KINDS
        other = open_database(database.url.text)
        with closing(other.connect()) as connection:
            connection.begin()
            connection.commit("scheduled")
            assert database.hear(PATIENCE, ending.fileno()) == {"scheduled"}
            connection.begin()
            connection.commit("ready")
            ready.any_waiting(database)  # what comes with an answer is heard, too
            assert database.hear(PATIENCE, ending.fileno()) == {"ready"}
        ending.set()
        assert database.hear(PATIENCE, ending.fileno()) == frozenset()
    finally:
        ending.close()


@only_postgresql
@pooled
def test_behind_a_pooler_by_transaction_nothing_is_heard_and_nobody_is_disturbed(
    server: Server, database_url: str
) -> None:
    ending = Ending()
    with PgBouncer(server.url) as pooler:
        database = open_database(pooler.url(parse(database_url).database))
        assert database.hear(PATIENCE, ending.fileno()) is None
        assert database.hear(PATIENCE, ending.fileno()) is None
        with closing(database.connect()) as connection:
            assert connection.execute("select pg_listening_channels()", {}) == []
        database.disconnect()
    ending.close()


@only_postgresql
@pooled
def test_through_a_pooler_by_session_everything_is_heard(server: Server, database_url: str) -> None:
    ending = Ending()
    with PgBouncer(server.url, backends=5, settings="pool_mode = session") as pooler:
        database = open_database(pooler.url(parse(database_url).database))
        assert database.hear(PATIENCE, ending.fileno()) == KINDS
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("notify queuekit, 'ready'")
        assert database.hear(PATIENCE, ending.fileno()) == {"ready"}
        database.disconnect()
    ending.close()


@only_sqlite
def test_the_commits_of_others_are_changes_and_ones_own_are_not(database: Database) -> None:
    before = database.changes()
    note.enqueue(1)
    assert database.changes() == before

    other = open_database(database.url.text)
    other.query("queues.pause", queue_name="somewhere")
    after = database.changes()
    assert after != before
    assert database.changes() == after
    other.disconnect()

    database.disconnect()
    assert database.changes() != after


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    with closing(Wakeup()) as wakeup:
        yield wakeup


@pytest.fixture(params=["told", "asking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Told of writes by Linux, or as where nobody tells."""
    if request.param == "asking":
        monkeypatch.setattr(file_writes, "listen", lambda path: None)
    return str(request.param)


@only_sqlite
def test_a_process_that_waits_is_woken_by_the_commit_of_another(
    database: Database, wakeup: Wakeup, way: str
) -> None:
    hints = Hints(database, wakeup, "ready")
    assert (database.writes() is not None) == (way == "told" and sys.platform == "linux")
    while hints.wait(0.0):
        hints.take()
    other = open_database(database.url.text)
    other.query("queues.pause", queue_name="somewhere")
    other.disconnect()

    assert hints.wait(PATIENCE)
    assert hints.pending
    assert hints.work


@only_sqlite
def test_a_process_that_waits_for_writes_can_be_woken(
    database: Database, wakeup: Wakeup, way: str
) -> None:
    hints = Hints(database, wakeup, "ready")
    while hints.wait(0.0):
        hints.take()
    thread = threading.Timer(0.05, wakeup.set)
    thread.start()

    assert hints.wait(PATIENCE)
    assert not hints.pending
    thread.join()


@only_sqlite
def test_a_commit_that_cannot_be_seen_with_its_write_is_found(
    database: Database, wakeup: Wakeup
) -> None:
    """One that the disk has yet to take, say: the write of a transaction that is still open."""
    hints = Hints(database, wakeup, "ready")
    while hints.wait(0.0):
        hints.take()
    other = sqlite3.connect(database.url.database, isolation_level=None, check_same_thread=False)
    other.execute("pragma cache_spill = 1")
    other.execute("begin immediate")
    other.execute("create table queuekit_spilled (text)")
    other.execute("insert into queuekit_spilled values (zeroblob(1000000))")
    assert not hints.wait(0.01)
    commit = threading.Timer(0.05, other.execute, ["commit"])
    commit.start()

    assert hints.wait(PATIENCE)
    assert hints.pending
    commit.join()
    other.close()


@only_sqlite
def test_another_connection_listens_anew(database: Database) -> None:
    first = database.writes()
    database.disconnect()
    second = database.writes()

    assert second is not first
    if first is not None:
        assert first.fileno() == -1  # closed with its connection


@pytest.mark.databases("mariadb", "mysql")
def test_mysql_tells_nothing_and_counts_nothing(database: Database) -> None:
    ending = Ending()

    assert database.hear(PATIENCE, ending.fileno()) is None
    assert database.changes() is None
    assert database.writes() is None
    ending.close()
