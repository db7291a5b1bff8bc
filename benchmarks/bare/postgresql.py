"""The bare statements on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.bare.counts import Counts
from benchmarks.bare.protocol import JOB
from queuekit.database import DatabaseURL


class BarePostgreSQL(Counts):
    how_one = "one statement (a CTE), prepared, autocommit"
    how_many = "the same with arrays (unnest)"
    how_turn = "one statement (a CTE), prepared, autocommit"

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
    _TURN = """
        with settled as (
          delete from queuekit_claimed_executions where job_id = any(%s) returning job_id
        ), finished as (
          insert into queuekit_finished_executions (job_id, outcome, finished_at)
          select job_id, 'finished', statement_timestamp() from settled
        ), taken as (
          delete from queuekit_ready_executions where job_id = any(array(
            select job_id from queuekit_ready_executions order by priority, job_id
            limit %s for update skip locked
          ))
          returning job_id
        ), claimed as (
          insert into queuekit_claimed_executions (job_id, process_id, claimed_at)
          select job_id, 0, statement_timestamp() from taken returning job_id
        )
        select id, class_name, arguments
        from queuekit_jobs where id = any(array(select job_id from claimed))
    """
    _SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
    _SECONDS = "extract(epoch from max(last - first))"

    def __init__(self, url: DatabaseURL) -> None:
        self._connection = psycopg.connect(url.text, autocommit=True)

    def settings(self) -> str:
        values = [f"{name}={self._one_row(f'show {name}')[0]}" for name in self._SETTINGS]
        version = self._one_row("show server_version")[0].split()[0]
        return ", ".join([f"PostgreSQL {version}", *values])

    def insert(self, uuid: str) -> None:
        self._connection.execute(self._INSERT, (uuid, *JOB))

    def insert_many(self, uuids: Sequence[str]) -> None:
        columns = ([value] * len(uuids) for value in JOB)
        self._connection.execute(self._INSERT_MANY, (list(uuids), *columns))

    def turn(self, finished: Sequence[int], limit: int) -> list[int]:
        found = self._connection.execute(self._TURN, (list(finished), limit))
        return [id for id, _, _ in found.fetchall()]

    def close(self) -> None:
        self._connection.close()

    def _one_row(self, sql: str) -> Any:
        return self._connection.execute(sql.encode()).fetchone()
