"""The bare statements on MariaDB and MySQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from benchmarks.bare.counts import Counts
from benchmarks.bare.protocol import JOB
from queuekit.database import DatabaseURL


class BareMySQL(Counts):
    how_one = "begin, two inserts, commit, in one packet: one round trip"
    how_many = "one insert of 1,000 rows, and one that selects them, in one transaction"
    how_turn = "a select for update, then the writes in one packet: two round trips"

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
    _TAKE = """
        select job_id from queuekit_ready_executions order by priority, job_id
        limit %s for update skip locked
    """
    _SETTLE = """
        delete from queuekit_claimed_executions where job_id in ({ids});
        insert into queuekit_finished_executions (job_id, outcome, finished_at)
        values {rows}
    """
    _CLAIM = """
        delete from queuekit_ready_executions where job_id in ({ids});
        insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
        values {rows};
        select id, class_name, arguments from queuekit_jobs where id in ({ids})
    """
    _SETTINGS = ("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "log_bin", "sync_binlog")
    _SECONDS = "timestampdiff(microsecond, max(first), max(last)) / 1000000"

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
        self._cursor.execute(self._INSERT, (uuid, *JOB, JOB[0], JOB[3]))
        self._read_on()

    def insert_many(self, uuids: Sequence[str]) -> None:
        self._cursor.execute("begin")
        now = datetime.now(UTC).replace(tzinfo=None)
        self._cursor.executemany(self._JOBS_AT, [(uuid, *JOB, now, now) for uuid in uuids])
        self._cursor.execute(self._ALL_READY)
        self._cursor.execute("commit")

    def turn(self, finished: Sequence[int], limit: int) -> list[int]:
        self._cursor.execute(f"begin; {self._TAKE}", (limit,))
        self._cursor.nextset()
        claimed = [id for (id,) in self._cursor.fetchall()]
        writes = []
        if finished:
            writes.append(self._write(self._SETTLE, finished, "({id},'finished',utc_timestamp(6))"))
        if claimed:
            writes.append(self._write(self._CLAIM, claimed, "({id},0,utc_timestamp(6))"))
        self._cursor.execute("; ".join([*writes, "commit"]))
        self._read_on()
        return claimed

    def _write(self, statements: str, ids: Sequence[int], row: str) -> str:
        rows = ",".join(row.format(id=id) for id in ids)
        return statements.format(ids=",".join(map(str, ids)), rows=rows)

    def close(self) -> None:
        self._connection.close()

    def _read_on(self) -> None:
        """What the other statements of a packet have answered."""
        while self._cursor.nextset():
            self._cursor.fetchall()

    def _one_row(self, sql: str) -> Any:
        self._cursor.execute(sql)
        return self._cursor.fetchone()
