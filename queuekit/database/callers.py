"""Running a query on a connection of the caller's, inside the caller's transaction.

Any DB-API connection will do: psycopg, psycopg2, pymysql, mysqlclient and others to the servers,
the standard library's sqlite3, and apsw. Which dialect it speaks is told by its driver's name, how
parameters are marked by the driver's own `paramstyle`. The caller commits or rolls back; where no
transaction is open and the connection commits each statement by itself, the query gets one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from queuekit.database.connection import DIALECTS
from queuekit.database.dialect import Dialect, Row
from queuekit.database.queries import arguments_for, find
from queuekit.errors import EnqueueOptionError

_DRIVERS = {
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "psycopg2cffi": "postgresql",
    "pg8000": "postgresql",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite3": "sqlite",
    "pysqlite3": "sqlite",
    "apsw": "sqlite",
}

#: The dialects on which a query is several statements, which must not be left half done.
_SAVEPOINT, _RELEASE, _UNDO = (
    "savepoint queuekit",
    "release savepoint queuekit",
    "rollback to savepoint queuekit",
)


class CallersConnection:
    """A connection that somebody else opened, made to run queuekit's queries.

    Raises EnqueueOptionError when the object is not a connection that queuekit can speak on.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        driver = _driver_of(connection)
        self.dialect: Dialect = DIALECTS[_DRIVERS[driver]]
        self._driver = driver
        self._paramstyle = _paramstyle(driver)

    def query(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run a named query in the caller's transaction; the rows of all its statements.

        Raises the DatabaseErrors. On PostgreSQL an error leaves the caller's transaction aborted,
        as any failing statement does; elsewhere it is as it was before.
        """
        statements = find(self.dialect.name, name).rendered(self._paramstyle)
        try:
            with self._all_or_nothing():
                rows: list[Row] = []
                for statement in statements:
                    arguments = arguments_for(statement, self._paramstyle, parameters)
                    rows += self._execute(statement.sql, arguments)
                return rows
        except Exception as error:
            translated = self.dialect.translate(error, "the connection given")
            raise translated or error from error

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        if self.dialect is DIALECTS["postgresql"]:
            yield  # one statement
        elif self._begins_transaction_here():
            with self._undone_by("commit", "rollback"):
                yield
        else:
            self._execute(_SAVEPOINT)
            with self._undone_by(_RELEASE, _UNDO):
                yield

    @contextmanager
    def _undone_by(self, keep: str, undo: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._execute(undo)
            raise
        self._execute(keep)

    def _begins_transaction_here(self) -> bool:
        """Begin a transaction if none is open and none begins by itself. Is its end ours, too?"""
        if self.dialect is DIALECTS["sqlite"]:
            return self._begin_on_sqlite()
        if not self._commits_each_statement():
            return False
        self._execute("begin")
        return True

    def _begin_on_sqlite(self) -> bool:
        """sqlite3 by default begins before the first write: then its end is the caller's."""
        if self._connection.in_transaction:
            return False
        self._execute("begin immediate")
        implicit = getattr(self._connection, "isolation_level", None) is not None
        return getattr(self._connection, "autocommit", None) is True or not implicit

    def _commits_each_statement(self) -> bool:
        """Whether MySQL would commit after each statement: autocommit is on and nothing begun.

        Only the server knows the second, and MySQL has no variable for it; but a savepoint set
        outside a transaction is gone with its own statement, and releasing it is an error.
        """
        get_autocommit = getattr(self._connection, "get_autocommit", None)
        if get_autocommit is not None and not get_autocommit():
            return False
        self._execute(_SAVEPOINT)
        try:
            self._execute(_RELEASE)
        except Exception as error:
            if error.args and error.args[0] == 1305:
                return True
            raise
        return False

    def _execute(self, sql: str, arguments: Any = None) -> list[Row]:
        cursor = self._cursor()
        try:
            if arguments:
                cursor.execute(sql, arguments)
            else:
                cursor.execute(sql)
            has_rows = cursor.description if self._driver != "apsw" else True
            return [_as_tuple(row) for row in cursor.fetchall()] if has_rows else []
        finally:
            cursor.close()

    def _cursor(self) -> Any:
        """A cursor that gives plain rows, whatever row factory the caller has set."""
        if self._driver == "psycopg":
            from psycopg.rows import tuple_row

            return self._connection.cursor(row_factory=tuple_row)
        cursor = self._connection.cursor()
        if hasattr(cursor, "row_factory"):
            cursor.row_factory = None
        return cursor


def _driver_of(connection: Any) -> str:
    for kind in type(connection).__mro__:
        driver = kind.__module__.partition(".")[0]
        if driver in _DRIVERS:
            if "Async" in kind.__name__:
                raise EnqueueOptionError(
                    f"{_described(connection)} is asynchronous: give a blocking connection"
                )
            return driver
    hint = ""
    if hasattr(connection, "driver_connection") or hasattr(connection, "connection"):
        hint = (
            "; give the driver's own, such as SQLAlchemy's connection.connection.driver_connection"
        )
    raise EnqueueOptionError(
        f"{_described(connection)} is not a connection of a driver that queuekit knows "
        f"({', '.join(_DRIVERS)}){hint}"
    )


def _described(connection: Any) -> str:
    return f"connection={type(connection).__module__}.{type(connection).__qualname__}"


def _paramstyle(driver: str) -> str:
    if _DRIVERS[driver] == "sqlite":
        return "named"
    return str(getattr(sys.modules[driver], "paramstyle", "pyformat"))


def _as_tuple(row: Any) -> Row:
    return tuple(row.values()) if isinstance(row, Mapping) else tuple(row)
