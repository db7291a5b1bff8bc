"""The bare statements on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from benchmarks.bare.counts import Counts
from benchmarks.bare.protocol import JOB
from queuekit.database import DatabaseURL

_NOW = "round((julianday('now') - 2440587.5) * 86400.0, 3)"


class BareSQLite(Counts):
    how_one = "begin immediate, two inserts, commit: four statements from sqlite3's cache"
    how_many = "executemany of each insert, in one transaction"
    how_turn = "six statements from sqlite3's cache, in one transaction"

    _INSERT = f"""
        insert into queuekit_jobs
          (uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
        values (?, ?, ?, ?, ?, {_NOW},
          {_NOW})
    """
    _READY = f"""
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        values (last_insert_rowid(), ?, ?, {_NOW})
    """
    _ALL_READY = f"""
        insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
        select id, queue_name, priority, {_NOW}
        from queuekit_jobs where id > ? order by id
    """

    _TAKE = """
        delete from queuekit_ready_executions
        where job_id in (
          select job_id from queuekit_ready_executions order by priority, job_id limit ?
        )
        returning job_id
    """
    _CLAIM = f"""
        insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
        values (?, 0, {_NOW})
    """
    _SETTLE = "delete from queuekit_claimed_executions where job_id = ?"
    _FINISH = f"""
        insert into queuekit_finished_executions (job_id, outcome, finished_at)
        values (?, 'finished', {_NOW})
    """
    _READ = "select class_name, arguments from queuekit_jobs where id = ?"
    _SECONDS = "last - first"

    def __init__(self, url: DatabaseURL) -> None:
        self._connection = sqlite3.connect(url.database, timeout=5, isolation_level=None)
        self._connection.execute("pragma synchronous = normal")

    def settings(self) -> str:
        mode = self._one_row("pragma journal_mode")[0]
        synchronous = ("OFF", "NORMAL", "FULL")[self._one_row("pragma synchronous")[0]]
        return f"SQLite {sqlite3.sqlite_version}, journal_mode={mode}, synchronous={synchronous}"

    def insert(self, uuid: str) -> None:
        execute = self._connection.execute
        execute("begin immediate")
        execute(self._INSERT, (uuid, *JOB))
        execute(self._READY, (JOB[0], JOB[3]))
        execute("commit")

    def insert_many(self, uuids: Sequence[str]) -> None:
        execute = self._connection.execute
        execute("begin immediate")
        newest = self.newest()
        self._connection.executemany(self._INSERT, [(uuid, *JOB) for uuid in uuids])
        execute(self._ALL_READY, (newest,))
        execute("commit")

    def turn(self, finished: Sequence[int], limit: int) -> list[int]:
        execute = self._connection.execute
        execute("begin immediate")
        if finished:
            self._connection.executemany(self._SETTLE, [(id,) for id in finished])
            self._connection.executemany(self._FINISH, [(id,) for id in finished])
        claimed = execute(self._TAKE, (limit,)).fetchall()
        self._connection.executemany(self._CLAIM, claimed)
        for job in claimed:
            execute(self._READ, job).fetchone()
        execute("commit")
        return [id for (id,) in claimed]

    def _one_row(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()

    def close(self) -> None:
        self._connection.close()
