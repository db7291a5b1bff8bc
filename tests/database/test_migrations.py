"""Migrations: applied once, however many ask for them at once, and by hand as well."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

import queuekit
from queuekit import EnqueueError, NotPreparedError
from queuekit.database import open_database, prepare, script
from queuekit.database.migrations import all_of
from queuekit.database.queries import split
from queuekit.database.url import parse
from tests.databases import PostgreSQLDatabases
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    claim,
    counts,
    fail,
    finish_everything,
    in_use,
    misplaced,
    register,
)
from tests.servers import Server

ROOT = Path(__file__).parents[2]
TABLES = {
    "queuekit_claimed_executions",
    "queuekit_failed_executions",
    "queuekit_finished_executions",
    "queuekit_jobs",
    "queuekit_pauses",
    "queuekit_processes",
    "queuekit_ready_executions",
    "queuekit_scheduled_executions",
    "queuekit_schema_migrations",
}
SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")

#: Prepares, or enqueues, when told to; says how many migrations were applied, or jobs written.
PREPARES = """
import sys
from queuekit.database import prepare
print("there", flush=True)
sys.stdin.readline()
print(len(prepare(sys.argv[1])))
"""
ENQUEUES = """
import sys, queuekit
from tests.dialects.sample_jobs import note
queuekit.configure(database_url=sys.argv[1])
print("there", flush=True)
sys.stdin.readline()
note.enqueue()
print(1)
"""

#: One after the other, as they are applied to a server on which each commits by itself.
MYSQL_STATEMENTS = split("\n".join(script("mysql")))


def test_preparing_twice_does_nothing_the_second_time(empty_url: str) -> None:
    first = prepare(empty_url)
    before = catalogue(empty_url)

    assert [migration.version for migration in first] == list(range(1, len(first) + 1))
    assert prepare(empty_url) == []
    assert catalogue(empty_url) == before
    assert set(before) >= TABLES


def test_preparing_leaves_the_jobs_alone(empty_url: str) -> None:
    prepare(empty_url)
    with in_use(empty_url):
        note.enqueue()
        prepare(empty_url)
        assert counts() == {"ready": 1}


def test_ten_processes_preparing_at_once_do_it_once(empty_url: str) -> None:
    applied = at_once(PREPARES, empty_url, 10)

    assert sorted(applied)[:9] == [0] * 9
    assert sum(applied) == len(prepared_versions(empty_url))


@pytest.mark.databases("sqlite")
def test_ten_processes_at_the_first_use_of_a_file_all_enqueue(empty_url: str) -> None:
    assert at_once(ENQUEUES, empty_url, 10) == [1] * 10

    with in_use(empty_url):
        assert counts() == {"ready": 10}
        assert misplaced() == []


def at_once(program: str, url: str, number: int) -> list[int]:
    """What as many processes print after they were let go at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait(60) for process in processes] == [0] * number
        return [int(process.stdout.read()) for process in processes if process.stdout]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def test_the_schema_applied_by_hand_is_what_prepare_makes(
    empty_url: str, another_empty_url: str, server: Server | None
) -> None:
    prepare(empty_url)

    by_hand(another_empty_url, server)

    assert catalogue(another_empty_url) == catalogue(empty_url)
    assert prepared_versions(another_empty_url) == prepared_versions(empty_url)
    assert prepare(another_empty_url) == []


def by_hand(url: str, server: Server | None) -> None:
    """As a person would: the script goes to the database as one text, without queuekit."""
    dialect = open_database(url).dialect.name
    text = "\n".join(script(dialect))
    if server is None:
        with closing(sqlite3.connect(parse(url).database)) as connection:
            connection.executescript(text)
    elif isinstance(server.databases, PostgreSQLDatabases):
        with server.databases.connection(url) as connection:
            connection.execute(text)
    else:
        place = parse(url)
        mysql = pymysql.connect(
            host=place.host,
            port=place.port or 3306,
            user=place.user,
            password=place.password or "",
            database=place.database,
            client_flag=CLIENT.MULTI_STATEMENTS,
            ssl_disabled=True,
        )
        with mysql.cursor() as cursor:
            cursor.execute(text)
            while cursor.nextset():
                pass
        mysql.commit()
        mysql.close()


@pytest.fixture
def another_empty_url(product: str, server: Server | None, tmp_path: Path) -> Iterator[str]:
    if server is None:
        yield f"sqlite:///{tmp_path / 'another.sqlite3'}"
    else:
        yield server.create_database("queuekit_another")
        server.drop_database("queuekit_another")


@SERVERS
def test_an_unprepared_server_is_an_enqueue_error_that_says_what_to_run(empty_url: str) -> None:
    with in_use(empty_url):
        for jobs in ([note.bind()], [note.bind(), note.bind()]):
            with pytest.raises(EnqueueError, match="run bin/jobs prepare") as refused:
                queuekit.enqueue_all(jobs)
            assert isinstance(refused.value.__cause__, NotPreparedError)
        with pytest.raises(NotPreparedError, match="run bin/jobs prepare"):
            queuekit.failed.list()
        with pytest.raises(NotPreparedError, match="run bin/jobs prepare"):
            register()

        prepare(empty_url)

        assert note.enqueue().row_id  # on the same connection


@pytest.mark.databases("sqlite")
def test_a_sqlite_file_is_prepared_at_its_first_use(tmp_path: Path) -> None:
    with in_use(f"sqlite:///{tmp_path}/a/b/queue.sqlite3"):
        note.enqueue()
        assert counts() == {"ready": 1}


def test_a_newer_schema_still_serves_this_version(empty_url: str) -> None:
    prepare(empty_url)
    with in_use(empty_url) as database:
        (newest,) = ask("select max(version) from queuekit_schema_migrations")[0]
        ask(
            "insert into queuekit_schema_migrations (version, name) values (:version, 'later')",
            version=newest + 1,
        )
        for table in sorted(TABLES - {"queuekit_schema_migrations"}):
            ask(f"alter table {table} add column added_later integer")
        ask("create table queuekit_added_later (id integer primary key)")
        database.disconnect()

        assert prepare(empty_url) == []
        receipt = note.using(wait=0).enqueue()
        note.using(wait=60).enqueue()
        fail(receipt)
        queuekit.failed.retry(receipt.job_id)
        finish_everything()
        assert claim(register()) == []
        assert counts() == {"scheduled": 1, "finished": 2}
        assert misplaced() == []


@pytest.mark.databases("mariadb", "mysql")
@pytest.mark.parametrize("applied", range(0, len(MYSQL_STATEMENTS), 2))
def test_an_interrupted_migration_is_resumed(
    empty_url: str, another_empty_url: str, server: Server, applied: int
) -> None:
    """Each statement commits by itself there: a process that dies leaves some of them applied."""
    with server.databases.connection(empty_url) as cursor:
        for statement in MYSQL_STATEMENTS[:applied]:
            cursor.execute(statement)

    missing = prepare(empty_url)

    assert missing[-1] == all_of("mysql")[-1]
    prepare(another_empty_url)
    assert catalogue(empty_url) == catalogue(another_empty_url)
    assert prepared_versions(empty_url) == prepared_versions(another_empty_url)


@pytest.mark.databases("sqlite", "postgresql")
def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from queuekit.database import migrations

    real = migrations.all_of

    def with_a_bad_one(dialect: str) -> list[migrations.Migration]:
        bad = migrations.Migration(9999, "bad", "create table queuekit_x (a integer); nonsense;")
        return [*real(dialect), bad]

    monkeypatch.setattr(migrations, "all_of", with_a_bad_one)
    with pytest.raises(queuekit.DatabaseError):
        prepare(empty_url)
    assert catalogue(empty_url) == {}

    monkeypatch.setattr(migrations, "all_of", real)
    assert len(prepare(empty_url)) == len(real(open_database(empty_url).dialect.name))


def prepared_versions(url: str) -> list[Any]:
    with connected(url) as connection:
        return list(connection.execute("select version, name from queuekit_schema_migrations", {}))


@contextmanager
def connected(url: str) -> Iterator[Any]:
    connection = open_database(url).connect()
    try:
        yield connection
    finally:
        connection.close()


def catalogue(url: str) -> dict[str, Any]:
    """What the database says of each of its tables: columns, indexes, options."""
    with connected(url) as connection:
        ask_about = {"postgresql": of_postgresql, "mysql": of_mysql, "sqlite": of_sqlite}
        return ask_about[open_database(url).dialect.name](connection)


def of_postgresql(connection: Any) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for table, options in connection.execute(
        "select c.relname, c.reloptions from pg_class c join pg_namespace n "
        "on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'",
        {},
    ):
        columns = connection.execute(
            "select column_name, data_type, collation_name, is_nullable, column_default, "
            "is_identity, ordinal_position from information_schema.columns "
            "where table_name = :table order by column_name",
            {"table": table},
        )
        indexes = connection.execute(
            "select indexdef from pg_indexes where tablename = :table order by 1", {"table": table}
        )
        described[table] = (options, columns, indexes)
    return described


def of_mysql(connection: Any) -> dict[str, Any]:
    tables = connection.execute(
        "select table_name from information_schema.tables where table_schema = database()", {}
    )
    return {
        table: connection.execute(f"show create table {table}", {})[0][1] for (table,) in tables
    }


def of_sqlite(connection: Any) -> dict[str, Any]:
    rows = connection.execute(
        "select tbl_name, type, name, sql from sqlite_master "
        "where name not like 'sqlite_%' order by 1, 2, 3",
        {},
    )
    described: dict[str, Any] = {}
    for table, kind, name, sql in rows:
        words = " ".join((sql or "").lower().replace("if not exists ", "").split())
        described.setdefault(table, []).append((kind, name, words))
    return described
