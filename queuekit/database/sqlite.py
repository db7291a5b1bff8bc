"""SQLite: one writer at a time, no server, a file that several processes share.

Writes are serialized: every transaction that writes begins IMMEDIATE, so that it waits for its
turn at the beginning, where waiting is harmless, and never fails in the middle, as a read that
turns into a write does whatever the timeout. Reads run beside them, on the WAL.

Which library opens the file is no matter of taste. The locks of a file belong to a process, and two
copies of SQLite in one process do not see each other's: when one closes the file, the other's locks
are gone, and its commits can end in a WAL that nobody reads any more ("How To Corrupt An SQLite
Database File", 2.2.1). Python's own sqlite3 is what Django, SQLAlchemy and most applications use,
so it is what is used here; an application that uses apsw says `?driver=apsw`. Where both would meet
in one process on one file, that is refused.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw

from queuekit import events
from queuekit.database import sqlite_file
from queuekit.database.dialect import DuplicateError, Parameters, Row
from queuekit.database.file_writes import FileWrites
from queuekit.database.queries import Query, split
from queuekit.database.sqlite_libraries import APSW, Library, Standard
from queuekit.database.url import DatabaseURL, unknown_options
from queuekit.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)

name = "sqlite"
prepares_itself = True
has_hints = False

_BUSY_TIMEOUT = 5.0
_SYNCHRONOUS = ("normal", "full", "extra", "off")
_DRIVERS = ("sqlite3", "apsw")
_OPTIONS = ("busy_timeout", "synchronous", "driver")

#: A long reader makes the WAL grow; afterwards it is cut back to this many bytes.
_JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024

#: Seconds between looks at whether the path still names the file that is open.
_LOOK_INTERVAL = 1.0

_PERMISSION, _BUSY, _LOCKED, _READ_ONLY, _IO_ERROR = 3, 5, 6, 8, 10
_CORRUPT, _FULL, _CANNOT_OPEN, _NOT_A_DATABASE = 11, 13, 14, 26
_UNIQUE, _PRIMARY_KEY = 2067, 1555

_NOTHING: Parameters = {}

Picked = Callable[[Parameters], tuple[Any, ...]]

#: Of the connections that this process has opened.
_numbers = count(1)

#: Which library has opened a file in this process; it stays with that one.
_libraries: dict[str, str] = {}


def check(url: DatabaseURL) -> None:
    problems = unknown_options(url, "SQLite", _OPTIONS)
    if url.host:
        problems.append(f"{url}: a SQLite URL has no host: write sqlite:///{url.host}...")
    if not url.database or ":memory:" in url.database:
        problems.append(
            f"{url}: a queue needs a file that other processes can open, as in "
            "sqlite:///storage/queue.sqlite3"
        )
    if not url.options.get("busy_timeout", "0").isdecimal():
        problems.append(f"{url}: busy_timeout is a whole number of milliseconds")
    if url.options.get("synchronous", "normal").lower() not in _SYNCHRONOUS:
        problems.append(f"{url}: synchronous is one of {', '.join(_SYNCHRONOUS)}")
    if url.options.get("driver", "sqlite3") not in _DRIVERS:
        problems.append(f"{url}: driver is {' or '.join(_DRIVERS)}")
    if problems:
        raise ConfigurationError(*problems)


def exists(url: DatabaseURL) -> bool:
    return Path(url.database).exists()


def connect(url: DatabaseURL, answer_timeout: float | None = None) -> SQLiteConnection:
    path = Path(url.database)
    sqlite_file.make_folder(path.parent, str(url))
    if sqlite_file.is_special(path):
        raise DatabaseRefusedError(f"{url}: {path} is not a regular file")
    driver = _driver(url)
    settle_library(str(path), driver)
    try:
        library = APSW(path) if driver == "apsw" else Standard(path)
    except (sqlite3.Error, apsw.Error) as error:
        raise _explained(error, url) from error
    connection = SQLiteConnection(library, url)
    try:
        connection.set_up()
    except DatabaseError:
        connection.close()
        raise
    return connection


def settle_library(path: str, library: str) -> None:
    """Note that this library opens the file in this process.

    Raises ConfigurationError when another one has: see the top of this file.
    """
    other = _libraries.setdefault(str(Path(path).resolve()), library)
    if other != library:
        raise ConfigurationError(
            f"{path} is open in this process through {other}, and now through {library}: two "
            "copies of SQLite do not see each other's locks, and jobs would be lost. Let queuekit "
            "use the application's, with ?driver=apsw or ?driver=sqlite3 in the database URL"
        )


class SQLiteConnection:
    """A connection of queuekit's own to a SQLite file."""

    def __init__(self, library: Library, url: DatabaseURL) -> None:
        self._library = library
        self._url = url
        timeout = url.options.get("busy_timeout")
        self._patience = _BUSY_TIMEOUT if timeout is None else int(timeout) / 1000
        self._watch = sqlite_file.Watch(Path(url.database))
        self._looked_at = 0.0
        self._number = next(_numbers)

    def set_up(self) -> None:
        if self._patiently("pragma journal_mode")[0][0] != "wal":
            self._patiently("pragma journal_mode = wal")
        self._patiently(f"pragma synchronous = {self._url.options.get('synchronous', 'normal')}")
        self._patiently("pragma foreign_keys = on")
        self._patiently(f"pragma journal_size_limit = {_JOURNAL_SIZE_LIMIT}")
        self._watch.is_same()

    def run(self, query: Query, parameters: Parameters) -> list[Row]:
        query = query.chosen(parameters)
        if self._library.in_transaction:
            return self._all(query.statements, parameters)
        self._look_for_file()
        if _writes(query):
            return self._in_transaction(query, parameters)
        return [row for text in query.statements for row in self._patiently(text, parameters)]

    def insert(self, query: Query, parameters: Parameters) -> int:
        if self._library.in_transaction:
            return int(self.run(query, parameters)[-1][0])
        self.begin()
        insert, row_id = self._library.insert, 0
        try:
            for text, picked in _inserts(query):
                row_id = insert(text, picked(parameters))
            self._library.execute("commit", _NOTHING)
        except BaseException as error:
            self._roll_back_after_error()
            raise _explained(error, self._url) from error
        return row_id

    def begin(self) -> None:
        self._look_for_file()
        self._patiently("begin immediate")

    def commit(self, word: str | None = None) -> None:
        self._all(("commit",), {})

    def rollback(self) -> None:
        if self._library.in_transaction:
            self._all(("rollback",), {})

    def hear(self, seconds: float, interrupt: int) -> None:
        """Who would send it? See `changes`."""

    def changes(self) -> object:
        """The counter is this connection's own: another one begins anew."""
        return self._number, self._patiently("pragma data_version")[0][0]

    def writes(self) -> FileWrites | None:
        return self._watch.writes()

    def close(self) -> None:
        self._watch.close()
        self._library.close()

    def lock_migrations(self) -> None:
        self.begin()

    def unlock_migrations(self, *, applied: bool) -> None:
        if applied:
            self.commit()
        else:
            self.rollback()

    def execute(self, statement: str, parameters: Parameters) -> list[Row]:
        return self._all(split(statement), parameters)

    def _in_transaction(self, query: Query, parameters: Parameters) -> list[Row]:
        self.begin()
        execute = self._library.execute
        try:
            rows = [row for text in query.statements for row in execute(text, parameters)]
            execute("commit", _NOTHING)
        except BaseException as error:
            self._roll_back_after_error()
            raise _explained(error, self._url) from error
        return rows

    def _all(self, statements: Iterable[str], parameters: Parameters) -> list[Row]:
        execute = self._library.execute
        try:
            return [row for text in statements for row in execute(text, parameters)]
        except Exception as error:
            raise _explained(error, self._url) from error

    def _roll_back_after_error(self) -> None:
        """Of a file that is damaged even this may fail; it is the first error that tells why."""
        with suppress(sqlite3.Error, apsw.Error):
            if self._library.in_transaction:
                self._library.execute("rollback", _NOTHING)

    def _look_for_file(self) -> None:
        """Notice that the file or its WAL was removed, or another put in its place. SQLite goes on
        with what it has open: nobody finds what is written there, and it finds nothing new."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_INTERVAL:
            return
        self._looked_at = now
        if not self._watch.is_same():
            error = DatabaseUnavailableError(
                f"{self._url}: the file that was open, or its WAL, has been removed or replaced"
            )
            # Said here: with a new connection all goes on, in a file that may lack every job.
            events.emit(events.ErrorOccurred(where="the database", error=error))
            raise error

    def _patiently(self, sql: str, parameters: Parameters = _NOTHING) -> list[Row]:
        """Run one statement outside a transaction; while another connection writes, wait for it.

        It is asked again after 0.2 to 1.7 ms, at random. SQLite's own handler waits up to 100 ms
        between two looks and lets newcomers pass: with 8 writers its longest wait was 79 ms where
        this one's was 22.
        """
        deadline = 0.0
        while True:
            try:
                return self._library.execute(sql, parameters)
            except Exception as error:
                now = time.monotonic()
                deadline = deadline or now + self._patience
                if _code(error) not in (_BUSY, _LOCKED) or now >= deadline:
                    raise _explained(error, self._url) from error
            time.sleep(random.uniform(0.0002, 0.0017))


def translate(error: BaseException, url: str) -> DatabaseError | None:
    """Of both libraries: they carry SQLite's own result codes."""
    if not isinstance(error, sqlite3.Error | apsw.Error):
        return None
    text = str(error).removeprefix(f"{type(error).__name__}: ")
    code = _code(error)
    if code in (_BUSY, _LOCKED):
        return ConflictError(f"{url}: {text}: another connection has been writing for too long")
    if "no such table: queuekit_" in text:
        return NotPreparedError(f"{url} lacks queuekit's tables ({text}): run bin/jobs prepare")
    if _extended_code(error) in (_UNIQUE, _PRIMARY_KEY):
        return DuplicateError(text)
    if code == _NOT_A_DATABASE:
        return DatabaseRefusedError(
            f"{url}: {text}: it is another kind of file, or encrypted, or its beginning is damaged"
        )
    if code == _CORRUPT:
        return DatabaseRefusedError(f"{url}: {text}: the file is damaged, restore it from a backup")
    if code in (_READ_ONLY, _PERMISSION):
        return DatabaseRefusedError(f"{url}: {text}")
    if code in (_CANNOT_OPEN, _IO_ERROR, _FULL):
        return DatabaseUnavailableError(f"{url}: {text}")
    return DatabaseError(f"{url}: {text}")


def _explained(error: BaseException, url: DatabaseURL) -> BaseException:
    """The error translated, with what the file looks like from outside taken into account."""
    translated = translate(error, str(url))
    if translated is None:
        return error
    path = Path(url.database)
    if _code(error) == _READ_ONLY and sqlite_file.is_read_only(path):
        return DatabaseUnavailableError(f"{translated}: its file system is mounted read-only")
    if _code(error) not in (_CANNOT_OPEN, _READ_ONLY, _PERMISSION):
        return translated
    obstacle = sqlite_file.obstacle(path)
    return DatabaseRefusedError(f"{translated}: {obstacle}") if obstacle else translated


def entries(by_id: dict[str, str]) -> object:
    return by_id


def to_database(moment: datetime) -> float:
    return moment.timestamp()


def from_database(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)


def _driver(url: DatabaseURL) -> str:
    return url.options.get("driver", "sqlite3")


def _extended_code(error: BaseException) -> int:
    """SQLite's result code: what was wrong, with the detail above the lowest eight bits."""
    code = getattr(error, "sqlite_errorcode", None) or getattr(error, "extendedresult", None)
    return code if isinstance(code, int) else 0


def _code(error: BaseException) -> int:
    return _extended_code(error) & 0xFF


@cache
def _writes(query: Query) -> bool:
    return any(not text.startswith(("select", "with")) for text in query.statements)


@cache
def _inserts(query: Query) -> tuple[tuple[str, Picked], ...]:
    """The statements but the last, and what picks the parameters of each in their order: sqlite3
    takes them from a tuple in half the time."""
    return tuple(
        (statement.sql, itemgetter(*statement.parameters))
        for statement in query.rendered("qmark")[:-1]
    )
