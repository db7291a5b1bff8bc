"""Running a query on a connection of the caller's, inside the caller's transaction.

Any DB-API connection will do: psycopg, psycopg2, pymysql, mysqlclient and others to the servers,
the standard library's sqlite3, and apsw. Which dialect it speaks is told by its driver's name, how
parameters are marked by the driver's own `paramstyle`. The caller commits or rolls back; where no
transaction is open and the connection commits each statement by itself, the query gets one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from queuekit.database import mysql_errors, sqlite
from queuekit.database.async_callers import AsyncCallersConnection
from queuekit.database.connection import DIALECTS
from queuekit.database.dialect import Dialect, Row
from queuekit.database.queries import Query, arguments_for, find
from queuekit.errors import ConfigurationError, EnqueueOptionError

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
    "apsw": "sqlite",
}

#: Several statements must not be left half done.
_SAVEPOINT, _RELEASE, _UNDO = (
    "savepoint queuekit",
    "release savepoint queuekit",
    "rollback to savepoint queuekit",
)

#: Whether text of every script can be sent on a connection. Of drivers not named here it is not
#: believed.
_TAKES_ANY_TEXT: dict[str, Callable[[Any], bool]] = {
    "psycopg": lambda connection: bool(connection.info.encoding == "utf-8"),
    "psycopg2": lambda connection: bool(connection.encoding == "UTF8"),
    "pymysql": lambda connection: bool(connection.charset == "utf8mb4"),
    "MySQLdb": lambda connection: bool(connection.character_set_name() == "utf8mb4"),
    "sqlite3": lambda connection: True,
    "apsw": lambda connection: True,
}

#: The parameters that are JSON, and may be written in ASCII.
_JSON_PARAMETERS = ("jobs", "uuids", "arguments")

#: What the server says of a savepoint set outside a transaction.
_NO_SAVEPOINT = 1305
_NO_TRANSACTION = "25P01"

_PLACE = "the connection given"

#: Bytes that MySQL takes in a packet unless somebody has lowered its limit on purpose.
_SURELY_TAKEN = 1_000_000
_ESCAPED = "\"'\\\n\r\0\x1a"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


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
        self._is_in_block = False
        if self.dialect is DIALECTS["sqlite"]:
            self._settle_library()

    def query(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run a named query in the caller's transaction; the rows of all its statements.

        Raises the DatabaseErrors. On PostgreSQL an error leaves the caller's transaction aborted,
        as any failing statement does; elsewhere it is as it was before.
        """
        return self.query_each(name, [parameters])

    def query_each(self, name: str, /, each: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Run a named query once for each of these parameters, all or none, as `query` does."""
        query = find(self.dialect.name, name)
        try:
            if self._is_in_block or len(query.statements) * len(each) == 1:
                return [row for parameters in each for row in self._run(query, parameters)]
            with self._all_or_nothing():
                return [row for parameters in each for row in self._run(query, parameters)]
        except Exception as error:
            raise self.dialect.translate(error, _PLACE) or error from error

    @contextmanager
    def block(self) -> Iterator[None]:
        """A block whose queries are run all or none, as the statements of one are. Raises what
        `query` does."""
        try:
            with self._all_or_nothing():
                self._is_in_block = True
                try:
                    yield
                finally:
                    self._is_in_block = False
        except Exception as error:
            raise self.dialect.translate(error, _PLACE) or error from error

    def _settle_library(self) -> None:
        """Refuse to write a file through one copy of SQLite when this process has it open through
        another: see database/sqlite.py."""
        try:
            for _, _, path in self._execute("pragma database_list"):
                if path:
                    sqlite.settle_library(path, self._driver)
        except ConfigurationError as error:
            raise EnqueueOptionError(str(error)) from None
        except Exception as error:
            raise self.dialect.translate(error, _PLACE) or error from error

    def _run(self, query: Query, parameters: Mapping[str, Any]) -> list[Row]:
        sendable = {name: self._sendable(name, value) for name, value in parameters.items()}
        if self.dialect is DIALECTS["mysql"]:
            self._refuse_too_big(sendable)
        return [
            row
            for statement in query.chosen(parameters).rendered(self._paramstyle)
            for row in self._execute(
                statement.sql, arguments_for(statement, self._paramstyle, sendable)
            )
        ]

    def _refuse_too_big(self, parameters: Mapping[str, Any]) -> None:
        """Before it is sent: MySQL hangs up on a packet too big, and the caller's transaction is
        gone. Asked for the limit only where that is likely; what drivers add is estimated."""
        size = sum(_size_sent(value) for value in parameters.values() if isinstance(value, str))
        if size > _SURELY_TAKEN:
            ((limit,),) = self._execute("select @@max_allowed_packet")
            if size >= limit:
                raise mysql_errors.too_big(_PLACE, size, parameters, limit)

    @property
    def takes_any_text(self) -> bool:
        """Whether text of every script can be sent. Where it cannot, JSON still can, as ASCII."""
        takes_any_text = _TAKES_ANY_TEXT.get(self._driver)
        try:
            return takes_any_text is not None and takes_any_text(self._connection)
        except Exception:  # it is closed, as the query is going to say
            return False

    def _sendable(self, name: str, value: Any) -> Any:
        if name not in _JSON_PARAMETERS or value.isascii() or self.takes_any_text:
            return value
        return _NOT_ASCII.sub(_as_json_escape, value)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        if self._begins_transaction_here():
            with self._undone_by("rollback", keep=None if self._is_left_open else "commit"):
                yield
        else:
            self._execute(_SAVEPOINT)
            with self._undone_by(_UNDO, keep=_RELEASE):
                yield

    @contextmanager
    def _undone_by(self, undo: str, keep: str | None) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # After a deadlock, or with the connection gone, the server has undone it by itself.
            with suppress(Exception):
                self._execute(undo)
            raise
        if keep is not None:
            self._execute(keep)

    def _begins_transaction_here(self) -> bool:
        """Begin a transaction if none is open and none begins by itself; whether that was done."""
        if self.dialect is DIALECTS["sqlite"]:
            if self._connection.in_transaction:
                return False
            self._execute("begin immediate")
            return True
        if not self._commits_each_statement():
            return False
        self._execute("begin")
        return True

    @property
    def _is_left_open(self) -> bool:
        """sqlite3 in its default mode begins before a first write: the end is the caller's then."""
        autocommit = getattr(self._connection, "autocommit", None)
        return getattr(self._connection, "isolation_level", None) is not None and (
            autocommit is not True
        )

    def _commits_each_statement(self) -> bool:
        """Whether the server would commit after each statement: autocommit is on and nothing begun.

        Drivers differ in how they say the first, and on MySQL only the server knows the second. But
        a savepoint needs a transaction: outside of one PostgreSQL refuses it, and on MySQL it is
        gone with its own statement, so that releasing it is an error.
        """
        get_autocommit = getattr(self._connection, "get_autocommit", None)
        if get_autocommit is not None and not get_autocommit():
            return False
        try:
            self._execute(_SAVEPOINT)
            self._execute(_RELEASE)
        except Exception as error:
            if _NO_TRANSACTION in (
                getattr(error, "sqlstate", None),
                getattr(error, "pgcode", None),
            ):
                return True
            if error.args and error.args[0] == _NO_SAVEPOINT:
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
        """A cursor that gives plain rows, whatever kind of cursor and rows the caller has set."""
        if isinstance(self._connection, AsyncCallersConnection):
            return self._connection.cursor()
        if self._driver == "psycopg":
            from psycopg import Cursor
            from psycopg.rows import tuple_row

            return Cursor(self._connection, row_factory=tuple_row)
        cursor = self._connection.cursor()
        if hasattr(cursor, "row_factory"):
            cursor.row_factory = None
        elif hasattr(cursor, "row_trace"):
            cursor.row_trace = lambda _, row: row
        return cursor


def _driver_of(connection: Any) -> str:
    if isinstance(connection, AsyncCallersConnection):
        return "psycopg"
    for kind in type(connection).__mro__:
        driver = kind.__module__.partition(".")[0]
        if driver in _DRIVERS:
            if "Async" in kind.__name__:
                raise EnqueueOptionError(
                    f"{_described(connection)} is asynchronous: give a blocking connection, or "
                    "await aenqueue, which takes psycopg's AsyncConnection"
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


def _size_sent(text: str) -> int:
    return len(text.encode()) + sum(text.count(character) for character in _ESCAPED)


def _as_tuple(row: Any) -> Row:
    values = row.values() if isinstance(row, Mapping) else row
    return tuple(value.decode() if isinstance(value, bytes) else value for value in values)


def _as_json_escape(character: re.Match[str]) -> str:
    """A character as JSON writes it in ASCII; beyond the first plane it takes two escapes."""
    units = character[0].encode("utf-16-be")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))
