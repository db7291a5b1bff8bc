"""The two libraries that speak with SQLite, as one: Python's own sqlite3, and apsw.

Both are in autocommit mode, without a busy handler: who begins, who waits and which of them opens a
file is the business of sqlite.py.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

import apsw

from queuekit.database.dialect import Parameters, Row
from queuekit.errors import UnsupportedServerError

_OLDEST = (3, 37, 0)  # STRICT tables


class Library(Protocol):
    """A connection to a file."""

    @property
    def in_transaction(self) -> bool: ...
    def execute(self, sql: str, parameters: Parameters) -> list[Row]: ...
    def insert(self, sql: str, parameters: tuple[Any, ...]) -> int:
        """Run an insert without rows; the last id that it, or one before it, has given."""

    def close(self) -> None: ...


class Standard:
    """Python's own sqlite3."""

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise UnsupportedServerError(
                f"Python's SQLite is {sqlite3.sqlite_version}; queuekit needs 3.37 or newer "
                "(STRICT tables): where the application uses apsw, or no SQLite of its own, "
                "add ?driver=apsw to the database URL"
            )
        # A thread's connection may be closed by another, when the interpreter ends.
        self._connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
        )

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Parameters) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def insert(self, sql: str, parameters: tuple[Any, ...]) -> int:
        return self._connection.execute(sql, parameters).lastrowid or 0

    def close(self) -> None:
        self._connection.close()


class APSW:
    """apsw, with the SQLite that it carries."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Parameters) -> list[Row]:
        rows: list[Row] = self._connection.execute(sql, parameters).fetchall()
        return rows

    def insert(self, sql: str, parameters: tuple[Any, ...]) -> int:
        self._connection.execute(sql, parameters)
        return self._connection.last_insert_rowid()

    def close(self) -> None:
        self._connection.close(True)
