"""The least that the same work takes: bare statements through the drivers that queuekit uses.

They write the same rows into the same tables, sent in the way that proved fastest with each driver.
What queuekit does beyond that (ids, checks, JSON, receipts) is what the ratios show: here ids are
counted up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import pymysql
from pymysql.constants import CLIENT

from queuekit.database import DatabaseURL

_JOB = ("default", "benchmarks.jobs.empty", '{"args":[1],"kwargs":{}}', 0)

#: The jobs that finished after the first batch, and the seconds from that one to the last.
_DRAINED = """
select count(*), {seconds}
from queuekit_finished_executions finished,
  (
    select min(finished_at) as first, max(finished_at) as last
    from queuekit_finished_executions
  ) span
where finished_at > first
"""


class Bare(Protocol):
    """A driver's connection to a prepared database."""

    def __init__(self, url: DatabaseURL) -> None: ...

    #: How one job and how many are sent, for the report.
    how_one: str
    how_many: str

    def settings(self) -> str:
        """What the figures depend on, as the database itself reports it."""

    def insert(self, uuid: str) -> None:
        """One job, ready, in a transaction of its own."""

    def insert_many(self, uuids: Sequence[str]) -> None:
        """Many jobs, ready, in one transaction."""

    def drained(self) -> tuple[int, float]:
        """How many jobs finished after the first batch, and within how many seconds."""

    def close(self) -> None: ...


class BareSQLite:
    how_one = "begin immediate, two inserts, commit: four statements from sqlite3's cache"
    how_many = "executemany of each insert, in one transaction"

    _INSERT = """
        insert into queuekit_jobs
          (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
        values (?, ?, ?, ?, ?, round((julianday('now') - 2440587.5) * 86400.0, 3),
          round((julianday('now') - 2440587.5) * 86400.0, 3))
    """
    _READY = """
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        values (last_insert_rowid(), ?, ?, round((julianday('now') - 2440587.5) * 86400.0, 3))
    """
    _ALL_READY = """
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        select id, queue_name, priority, round((julianday('now') - 2440587.5) * 86400.0, 3)
        from queuekit_jobs where id > ? order by id
    """

    def __init__(self, url: DatabaseURL) -> None:
        self._connection = sqlite3.connect(url.database, timeout=5, isolation_level=None)
        self._connection.execute("pragma synchronous = normal")

    def settings(self) -> str:
        mode = self._asked("pragma journal_mode")[0]
        synchronous = ("OFF", "NORMAL", "FULL")[self._asked("pragma synchronous")[0]]
        return f"SQLite {sqlite3.sqlite_version}, journal_mode={mode}, synchronous={synchronous}"

    def insert(self, uuid: str) -> None:
        execute = self._connection.execute
        execute("begin immediate")
        execute(self._INSERT, (uuid, *_JOB))
        execute(self._READY, (_JOB[0], _JOB[3]))
        execute("commit")

    def insert_many(self, uuids: Sequence[str]) -> None:
        execute = self._connection.execute
        execute("begin immediate")
        newest = self._asked("select coalesce(max(id), 0) from queuekit_jobs")[0]
        self._connection.executemany(self._INSERT, [(uuid, *_JOB) for uuid in uuids])
        execute(self._ALL_READY, (newest,))
        execute("commit")

    def drained(self) -> tuple[int, float]:
        jobs, seconds = self._asked(_DRAINED.format(seconds="last - first"))
        return jobs, seconds

    def _asked(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()

    def close(self) -> None:
        self._connection.close()


class BarePostgreSQL:
    how_one = "one statement (a CTE), prepared, autocommit"
    how_many = "the same with arrays (unnest)"

    _INSERT = """
        with job as (
          insert into queuekit_jobs
            (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
          values (%s, %s, %s, %s, %s, statement_timestamp(), statement_timestamp())
          returning id, queue_name, priority
        )
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        select id, queue_name, priority, statement_timestamp() from job
    """
    _INSERT_MANY = """
        with job as (
          insert into queuekit_jobs
            (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
          select *, statement_timestamp(), statement_timestamp()
          from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::integer[])
          returning id, queue_name, priority
        )
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        select id, queue_name, priority, statement_timestamp() from job
    """
    _SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")

    def __init__(self, url: DatabaseURL) -> None:
        self._connection = psycopg.connect(url.text, autocommit=True)

    def settings(self) -> str:
        values = [f"{name}={self._one_row(f'show {name}')[0]}" for name in self._SETTINGS]
        version = self._one_row("show server_version")[0].split()[0]
        return ", ".join([f"PostgreSQL {version}", *values])

    def insert(self, uuid: str) -> None:
        self._connection.execute(self._INSERT, (uuid, *_JOB))

    def insert_many(self, uuids: Sequence[str]) -> None:
        columns = ([value] * len(uuids) for value in _JOB)
        self._connection.execute(self._INSERT_MANY, (list(uuids), *columns))

    def drained(self) -> tuple[int, float]:
        jobs, seconds = self._one_row(
            _DRAINED.format(seconds="extract(epoch from max(last - first))")
        )
        return jobs, float(seconds or 0)

    def close(self) -> None:
        self._connection.close()

    def _one_row(self, sql: str) -> Any:
        return self._connection.execute(sql.encode()).fetchone()


class BareMySQL:
    how_one = "begin, two inserts, commit, in one packet: one round trip"
    how_many = "one insert of 1,000 rows, and one that selects them, in one transaction"

    _JOBS = """
        insert into queuekit_jobs
          (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
        values (%s, %s, %s, %s, %s, utc_timestamp(6), utc_timestamp(6))
    """
    _INSERT = f"""
        begin; {_JOBS};
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        values (last_insert_id(), %s, %s, utc_timestamp(6)); commit
    """
    # Of parameters only: then pymysql makes one insert of them all.
    _JOBS_AT = """
        insert into queuekit_jobs
          (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
        values (%s, %s, %s, %s, %s, %s, %s)
    """
    _ALL_READY = """
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        select id, queue_name, priority, utc_timestamp(6)
        from queuekit_jobs where id >= last_insert_id() order by id
    """
    _SETTINGS = ("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "log_bin", "sync_binlog")

    def __init__(self, url: DatabaseURL) -> None:
        self._connection = pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.user,
            password=url.password or "",
            database=url.database,
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            init_command="set session transaction isolation level read committed",
            ssl_disabled=True,
        )
        self._cursor = self._connection.cursor()

    def settings(self) -> str:
        rows = [self._one_row(f"show global variables like '{name}'") for name in self._SETTINGS]
        version = self._one_row("select version()")[0]
        product = "MariaDB" if "MariaDB" in version else "MySQL"
        return ", ".join(
            [f"{product} {version.split('-')[0]}", *(f"{name}={value}" for name, value in rows)]
        )

    def insert(self, uuid: str) -> None:
        self._cursor.execute(self._INSERT, (uuid, *_JOB, _JOB[0], _JOB[3]))
        while self._cursor.nextset():
            pass

    def insert_many(self, uuids: Sequence[str]) -> None:
        self._cursor.execute("begin")
        now = datetime.now(UTC).replace(tzinfo=None)
        self._cursor.executemany(self._JOBS_AT, [(uuid, *_JOB, now, now) for uuid in uuids])
        self._cursor.execute(self._ALL_READY)
        self._cursor.execute("commit")

    def drained(self) -> tuple[int, float]:
        seconds = "timestampdiff(microsecond, max(first), max(last)) / 1000000"
        jobs, seconds = self._one_row(_DRAINED.format(seconds=seconds))
        return jobs, float(seconds or 0)

    def close(self) -> None:
        self._connection.close()

    def _one_row(self, sql: str) -> Any:
        self._cursor.execute(sql)
        return self._cursor.fetchone()
