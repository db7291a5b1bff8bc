"""Another process's connection, amid a transaction, for tests in which two meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from queuekit.database import Database, Row
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import START

DIED = RuntimeError("it died")


class Other:
    """Another process's connection; its first query begins a transaction that stays open."""

    def __init__(self, database: Database, connection: Any) -> None:
        self._database = database
        self._connection = connection
        self._has_begun = False

    def begin(self) -> None:
        self._connection.begin()
        self._has_begun = True

    def query(self, name: str, /, **parameters: Any) -> list[Row]:
        if not self._has_begun:
            self.begin()
        rows: list[Row] = self._connection.run(self._database.named(name), parameters)
        return rows

    def bury(
        self, process_id: int, *, may_retry: bool = False, max_process_deaths: int = 1
    ) -> list[Row]:
        return self.query(
            "processes.bury",
            process_id=process_id,
            silent_for=0.0,
            error=describe_error(DIED),
            begun=None,
            may_retry=may_retry,
            max_process_deaths=max_process_deaths,
            preserve_finished=True,
        )

    def turn(self, process_id: int, results: str = "[]", limit: int = 10) -> list[Row]:
        return self.query(
            "turn.any_queue",
            process_id=process_id,
            results=results,
            limit=limit,
            preserve_finished=True,
            has_failed=True,
            after_priority=START[0],
            after_job_id=START[1],
        )

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()


@contextmanager
def transaction(database: Database) -> Iterator[Other]:
    connection = database.connect()
    try:
        yield Other(database, connection)
    finally:
        connection.rollback()
        connection.close()
