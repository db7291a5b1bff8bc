"""A database by URL: a connection for each thread, opened when first used, never taken across fork.

Every query is one transaction. One that loses against another (deadlock, serialization failure) is
run again as a whole, a bounded number of times, after a pause with jitter; on SQLite it waits for
its turn before it begins. A connection found dead is thrown away; the next query opens another.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from queuekit.database import mysql, postgresql, sqlite
from queuekit.database.dialect import (
    Connection,
    Dialect,
    MigratingConnection,
    Parameters,
    Row,
    StatementCacheError,
    TransientConflictError,
)
from queuekit.database.file_writes import FileWrites
from queuekit.database.hints import Hints
from queuekit.database.queries import Query, load
from queuekit.database.url import DatabaseURL, parse
from queuekit.errors import (
    ConflictError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
)

T = TypeVar("T")

DIALECTS: dict[str, Dialect] = {
    "postgresql": postgresql,
    "mysql": mysql,
    "sqlite": sqlite,
}

#: A transaction is run this often at the most before its conflict reaches the caller.
_ATTEMPTS = 10

#: Connections that a forked child inherited. Closing one would speak on the parent's socket, or
#: drop locks that the parent's file handles rely on, so they are kept until the child ends.
_inherited: list[Any] = []


class Database:
    """One database, for any number of threads and, after a fork, processes.

    `prepare_on_use` is called with each new connection of a database that prepares itself (SQLite).
    With `sends_hints` off nobody hears of the jobs that are written here.
    """

    def __init__(
        self,
        url: str,
        prepare_on_use: Callable[[MigratingConnection, Dialect], object],
        answer_timeout: float | None = None,
        *,
        sends_hints: bool = True,
    ) -> None:
        self.url: DatabaseURL = parse(url)
        self.dialect: Dialect = DIALECTS[self.url.dialect]
        self.dialect.check(self.url)
        self._prepare_on_use = prepare_on_use
        self._answer_timeout = answer_timeout
        self._queries = load(self.dialect.name)
        self._threads = threading.local()
        self.hints = Hints(are_sent=sends_hints and self.dialect.has_hints)

    def query(self, name: str, /, *, resend: bool = True, **parameters: Any) -> list[Row]:
        """Run a named query in a transaction of its own; the rows of all its statements.

        With `resend`, a query that finds its connection dead is sent once more on a new one. It may
        then run twice, when the connection broke between the commit and its answer: leave it off
        where that is not harmless.

        Raises ConflictError, DatabaseUnavailableError, NotPreparedError, the other DatabaseErrors.
        """
        query = self._queries[name]
        return self._persist(lambda connection: connection.run(query, parameters), resend)

    def insert(self, name: str, parameters: Parameters) -> int:
        """Run a query that writes one row, as `query` does; its id: see Connection.insert."""
        query = self._queries[name]
        return self._persist(lambda connection: connection.insert(query, parameters), True)

    def transact(self, work: Callable[[Connection], T], *, resend: bool = True) -> T:
        """Run several queries in one transaction, the whole of it again when it must be."""

        def transaction(connection: Connection) -> T:
            connection.begin()
            try:
                self._threads.woken = set()
                result = work(connection)
                word = self.hints.word(self._threads.woken)
                connection.commit(word)
            except BaseException:
                connection.rollback()
                raise
            self.hints.sent(word)
            return result

        return self._persist(transaction, resend)

    def wake(self, *kinds: str) -> None:
        """Have those who wait for jobs of these kinds hear of it when the transaction that
        `transact` has open in this thread has committed: see hints.py."""
        woken: set[str] | None = getattr(self._threads, "woken", None)
        if woken is not None:
            woken.update(kinds)

    def hear(self, seconds: float, interrupt: int) -> frozenset[str] | None:
        """Listen on this thread's connection: see Connection.hear. Raises the DatabaseErrors."""
        held, _ = self._held()
        try:
            return held.connection.hear(seconds, interrupt)
        except DatabaseError:
            self.disconnect()
            raise

    def changes(self) -> object:
        """See Connection.changes; of this thread's connection. Raises the DatabaseErrors."""
        held, _ = self._held()
        return held.connection.changes()

    def writes(self) -> FileWrites | None:
        """See Connection.writes; of this thread's connection. Raises the DatabaseErrors."""
        held, _ = self._held()
        return held.connection.writes()

    def named(self, name: str) -> Query:
        """A query by name, for `Connection.run`."""
        return self._queries[name]

    def connect(self) -> MigratingConnection:
        """Open a connection that belongs to the caller, not to a thread."""
        return self.dialect.connect(self.url, self._answer_timeout)

    def exists(self) -> bool:
        """Whether there is something to connect to without making it: a SQLite file may be made at
        first use; whether a server has the database is told by connecting."""
        return self.dialect.exists(self.url)

    def to_database(self, moment: datetime) -> str | float:
        return self.dialect.to_database(moment)

    def from_database(self, value: Any) -> datetime | None:
        return self.dialect.from_database(value)

    def moment_from_database(self, value: Any) -> datetime:
        """Of a column that is never null."""
        moment = self.dialect.from_database(value)
        assert moment is not None
        return moment

    def disconnect(self) -> None:
        """Close this thread's connection, if it has one. The next query opens another."""
        held: _Held | None = getattr(self._threads, "held", None)
        self._threads.held = None
        if held is not None:
            held.close()

    def _persist(self, work: Callable[[Connection], T], resend: bool) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            reused = False
            try:
                held, reused = self._held()
                return work(held.connection)
            except (TransientConflictError, StatementCacheError) as error:
                if attempt == _ATTEMPTS:
                    raise ConflictError(
                        f"gave up after {attempt} conflicts with other transactions: {error}"
                    ) from error.__cause__
                time.sleep(_pause(attempt))
            except (DatabaseUnavailableError, DatabaseRefusedError) as error:
                # One refused may have been opened when less was allowed: the next try begins anew.
                self.disconnect()
                if not (resend and reused and isinstance(error, DatabaseUnavailableError)):
                    raise
                resend = False
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _held(self) -> tuple[_Held, bool]:
        """This thread's connection, opened now if need be, and whether it was there before."""
        held: _Held | None = getattr(self._threads, "held", None)
        if held is not None and held.pid == os.getpid():
            return held, True
        held = _Held(self.connect())
        if self.dialect.prepares_itself:
            self._prepare_on_use(held.connection, self.dialect)
        self._threads.held = held
        return held, False


class _Held:
    """A thread's connection and the process that opened it; closed when the thread ends, or with
    the interpreter."""

    def __init__(self, connection: MigratingConnection) -> None:
        self.connection = connection
        self.pid = os.getpid()
        self._finalizer = weakref.finalize(self, _close, connection, self.pid)

    def close(self) -> None:
        self._finalizer()


def _close(connection: Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)


def _pause(attempt: int) -> float:
    """Seconds before the next attempt: up to 2, 4, 8 ... 250 ms, at random."""
    return random.uniform(0, min(0.001 * 2**attempt, 0.25))
