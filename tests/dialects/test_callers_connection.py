"""Enqueueing on the caller's own connection: the job is part of the caller's transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pymysql
import pytest

import queuekit
from queuekit import EnqueueError, EnqueueOptionError, enqueueing
from queuekit.arguments import load
from queuekit.database.url import parse
from tests.dialects.drivers import DRIVERS, CallersConnection, Driver
from tests.dialects.sample_jobs import mail, note
from tests.dialects.support import ask, broken, claim, counts, register, states
from tests.naming import case_name

drivers = pytest.mark.parametrize("driver", DRIVERS, ids=repr)


@pytest.fixture
def callers(driver: Driver, database_url: str) -> Iterator[CallersConnection]:
    """A connection on which the application has a table of its own."""
    with driver.connection(database_url) as connection:
        connection.execute("drop table if exists orders")
        connection.execute("create table orders (id integer)")
        if not driver.commits_by_itself:
            connection.commit()
        yield connection


@pytest.fixture
def unprepared_url(product: str, empty_url: str, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'unprepared.sqlite3'}" if product == "sqlite" else empty_url


def orders() -> int:
    return int(ask("select count(*) from orders")[0][0])


@drivers
def test_after_the_commit_the_job_is_there_and_not_before(callers: CallersConnection) -> None:
    callers.begin()
    callers.execute("insert into orders values (1)")
    receipt = mail.using(connection=callers.raw).enqueue(42)
    assert states() == {}

    callers.commit()

    assert states() == {"ready": [receipt.row_id]}
    assert orders() == 1
    (job,) = claim(register())
    assert (job.job_id, job.queue, job.priority) == (receipt.job_id, "mailers", 5)


@drivers
def test_after_a_rollback_the_job_never_was(callers: CallersConnection) -> None:
    callers.begin()
    callers.execute("insert into orders values (1)")
    mail.using(connection=callers.raw).enqueue(42)

    callers.rollback()

    assert ask("select count(*) from queuekit_jobs") == [(0,)]
    assert orders() == 0


@drivers
def test_the_job_may_come_first_in_its_transaction(callers: CallersConnection) -> None:
    callers.begin()
    note.using(connection=callers.raw).enqueue(1)
    callers.execute("insert into orders values (1)")
    callers.rollback()
    assert (counts(), orders()) == ({}, 0)

    callers.begin()
    note.using(connection=callers.raw).enqueue(1)
    callers.execute("insert into orders values (1)")
    callers.commit()
    assert (counts(), orders()) == ({"ready": 1}, 1)


@drivers
def test_two_jobs_share_a_transaction(callers: CallersConnection) -> None:
    callers.begin()
    one = note.using(connection=callers.raw).enqueue("one")
    other = note.using(connection=callers.raw, wait=60).enqueue("other")
    assert one.row_id < other.row_id

    callers.commit()

    assert states() == {"ready": [one.row_id], "scheduled": [other.row_id]}
    assert other.scheduled_at is not None


@drivers
def test_without_a_transaction_the_mode_of_the_connection_decides(
    driver: Driver, callers: CallersConnection
) -> None:
    note.using(connection=callers.raw).enqueue()

    if driver.commits_by_itself:
        assert counts() == {"ready": 1}
        callers.begin()  # nothing was left open
        callers.rollback()
    else:
        assert counts() == {}
        callers.commit()
    assert counts() == {"ready": 1}


@drivers
@pytest.mark.parametrize("size", [2_000_000, 1000], ids=["one statement", "several statements"])
def test_many_jobs_share_the_callers_transaction(
    callers: CallersConnection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", size)
    jobs = [note.bind(f"{number:->300}") for number in range(20)]

    callers.begin()
    queuekit.enqueue_all(jobs, connection=callers.raw)
    callers.rollback()
    assert counts() == {}

    callers.begin()
    jobs = [note.using(connection=callers.raw).bind(f"{number:->300}") for number in range(20)]
    receipts = queuekit.enqueue_all(jobs)
    assert counts() == {}
    callers.commit()
    assert states() == {"ready": [receipt.row_id for receipt in receipts]}


@drivers
@pytest.mark.parametrize("size", [2_000_000, 1000], ids=["one statement", "several statements"])
def test_of_many_jobs_without_a_transaction_all_are_written_or_none(
    driver: Driver, callers: CallersConnection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", size)
    jobs = [note.bind(f"{number:->300}") for number in range(20)]

    with pytest.raises(EnqueueError):
        queuekit.enqueue_all([*jobs, broken(jobs[0])], connection=callers.raw)
    if not driver.commits_by_itself:
        callers.raw.rollback()
    assert ask("select count(*) from queuekit_jobs") == [(0,)]

    queuekit.enqueue_all(jobs, connection=callers.raw)
    if not driver.commits_by_itself:
        callers.raw.commit()
    assert counts() == {"ready": 20}


@drivers
def test_a_refused_job_leaves_the_callers_transaction_as_it_was(
    driver: Driver, callers: CallersConnection
) -> None:
    callers.begin()
    callers.execute("insert into orders values (1)")
    note.using(connection=callers.raw).enqueue("kept")

    with pytest.raises(EnqueueError) as refused:
        queuekit.enqueue_all([note.bind("lost"), broken(note.bind())], connection=callers.raw)

    assert isinstance(refused.value.__cause__, queuekit.DatabaseError)
    if driver.products == ("postgresql",):  # where a failed statement ends the transaction
        callers.rollback()
        assert (counts(), orders()) == ({}, 0)
    else:
        callers.commit()
        assert (counts(), orders()) == ({"ready": 1}, 1)


@drivers
def test_characters_of_any_kind_travel_on_it(callers: CallersConnection) -> None:
    text = "NUL \0, emoji 🚀, quote ', percent %s, backslash \\, surrogate \ud800, 队列"

    callers.begin()
    note.using(connection=callers.raw, queue="очередь 🚀").enqueue(text, schlüssel=text)
    callers.commit()

    (job,) = claim(register())
    assert job.queue == "очередь 🚀"
    assert load(job.arguments) == ([text], {"schlüssel": text})


@drivers
def test_a_closed_connection_is_an_enqueue_error(driver: Driver, database_url: str) -> None:
    raw = driver.open(database_url)
    raw.close()

    with pytest.raises(EnqueueError) as refused:
        note.using(connection=raw).enqueue()

    assert isinstance(refused.value.__cause__, queuekit.DatabaseError)


@drivers
def test_a_database_without_the_tables_is_an_enqueue_error_that_says_what_to_run(
    driver: Driver, unprepared_url: str
) -> None:
    with driver.connection(unprepared_url) as callers:
        with pytest.raises(EnqueueError, match="bin/jobs prepare") as refused:
            note.using(connection=callers.raw).enqueue()

        assert isinstance(refused.value.__cause__, queuekit.NotPreparedError)


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_connection_to_another_kind_of_database_is_refused_by_that_database() -> None:
    with closing(sqlite3.connect(":memory:")) as stranger:
        with pytest.raises(EnqueueError, match="prepare"):
            note.using(connection=stranger).enqueue()

        assert not stranger.in_transaction


class Connection:
    """As SQLAlchemy's: the driver's own is inside."""

    connection = None


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "stranger", [object(), "postgresql://here", 7, note, Connection()], ids=case_name
)
def test_what_is_no_connection_is_refused_by_name(stranger: Any) -> None:
    with pytest.raises(EnqueueOptionError, match="is not a connection of a driver") as refused:
        note.using(connection=stranger).enqueue()

    assert type(stranger).__qualname__ in str(refused.value)
    assert ("driver_connection" in str(refused.value)) == isinstance(stranger, Connection)


@pytest.mark.databases("postgresql")
def test_an_asynchronous_connection_is_refused(database_url: str) -> None:
    async def enqueue() -> None:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            note.using(connection=connection).enqueue()

    with pytest.raises(EnqueueOptionError, match="asynchronous: give a blocking connection"):
        asyncio.run(enqueue())


@pytest.mark.databases("sqlite")
def test_jobs_bound_with_different_connections_are_refused(database_url: str) -> None:
    path = parse(database_url).database
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path)) as other:
        jobs = [note.using(connection=one).bind(), note.using(connection=other).bind()]

        with pytest.raises(EnqueueOptionError, match="different connections"):
            queuekit.enqueue_all(jobs)


@pytest.mark.databases("postgresql")
def test_in_a_long_transaction_the_time_to_wait_begins_with_the_job(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("select pg_sleep(0.2)")
        note.using(connection=connection).enqueue()
        ((late,),) = connection.execute("select created_at >= now() + '0.2 s' from queuekit_jobs")

    assert late
    assert counts() == {"ready": 1}


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("encoding", ["latin1", "sql_ascii"])
def test_a_connection_of_another_encoding_carries_every_character(
    database_url: str, encoding: str
) -> None:
    with psycopg.connect(database_url, client_encoding=encoding) as connection:
        note.using(connection=connection).enqueue("🚀 队列 ä")

    (job,) = claim(register())
    assert load(job.arguments) == (["🚀 队列 ä"], {})


@pytest.mark.databases("mariadb", "mysql")
def test_a_connection_of_another_character_set_carries_every_character(database_url: str) -> None:
    place = parse(database_url)
    with closing(
        pymysql.connect(
            host=place.host,
            port=place.port or 3306,
            user=place.user,
            database=place.database,
            charset="latin1",
            ssl_disabled=True,
        )
    ) as connection:
        note.using(connection=connection, queue="队列").enqueue("🚀 队列 ä")
        connection.commit()

    (job,) = claim(register())
    assert job.queue == "队列"
    assert load(job.arguments) == (["🚀 队列 ä"], {})


LIBRARIES = """
import contextlib, sqlite3, subprocess, sys
import queuekit
from tests.dialects.sample_jobs import note

url, path = sys.argv[1:]
queuekit.configure(database_url=url)
note.enqueue("by ourselves")
with contextlib.closing(sqlite3.connect(path)) as connection:
    note.using(connection=connection).enqueue("in the caller's transaction")
    connection.commit()
note.enqueue("by ourselves again")
count = "select count(*) from queuekit_jobs"
look = f"import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('{count}').fetchone())"
print(subprocess.check_output([sys.executable, "-c", look, path], text=True))
"""


@pytest.mark.databases("sqlite")
def test_own_and_callers_connections_to_one_file_lose_nothing(database_url: str) -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", LIBRARIES, database_url, parse(database_url).database],
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert told.split() == ["3"]


@pytest.mark.databases("sqlite")
def test_two_copies_of_sqlite_never_open_one_file(database_url: str) -> None:
    """Each copy's locks are gone when the other closes the file, and with them commits."""
    note.enqueue()
    path = parse(database_url).database

    with closing(apsw.Connection(path)) as connection, pytest.raises(EnqueueOptionError) as refused:
        note.using(connection=connection).enqueue()

    assert str(refused.value).startswith(f"{path} is open in this process through sqlite3, and now")
    assert "?driver=apsw" in str(refused.value)


@pytest.mark.databases("mariadb", "mysql")
def test_a_callers_repeatable_read_holds_up_no_others(database_url: str) -> None:
    """It is the default there, and a select that feeds an insert locks whatever it reads."""
    (pymysql_,) = (driver for driver in DRIVERS if driver.name == "pymysql")
    note.enqueue()
    with pymysql_.connection(database_url) as callers:
        callers.execute("set session transaction isolation level repeatable read")
        callers.begin()
        queuekit.enqueue_all([note.bind(), note.bind()], connection=callers.raw)
        ask("set innodb_lock_wait_timeout = 1")

        queuekit.enqueue_all([note.bind(), note.bind()])

        assert len(claim(register())) == 3
        callers.rollback()
