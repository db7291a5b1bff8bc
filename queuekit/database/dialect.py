"""What a dialect has to provide: the whole seam between queuekit and a database.

Everything else that differs stands in `sql/<dialect>/`. A dialect connects, runs named queries,
says what an error means, and knows how times travel; it holds no state of the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from queuekit.database.file_writes import FileWrites
from queuekit.database.queries import Query
from queuekit.database.url import DatabaseURL
from queuekit.errors import DatabaseError

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class Connection(Protocol):
    """One open connection. Errors leave it as queuekit's own, with the driver's as their cause."""

    def run(self, query: Query, parameters: Parameters) -> list[Row]:
        """Run a query's statements in one transaction, or in the one that is open.

        Returns the rows of all its statements, one after the other.
        """

    def insert(self, query: Query, parameters: Parameters) -> int:
        """As `run`, of a query that writes a row and, in its last statement, returns that row's id.
        Where the driver knows the id anyway, that statement is left out."""

    def begin(self) -> None: ...
    def commit(self, word: str | None = None) -> None:
        """Commit and, where this dialect has hints, have those who listen hear `word`."""

    def rollback(self) -> None: ...

    def hear(self, seconds: float, interrupt: int) -> frozenset[str] | None:
        """Listen for words, at most for so many seconds, or until the file descriptor `interrupt`
        can be read. Returns the kinds heard, all of them the first time; at once None where nothing
        can be heard on this connection."""

    def changes(self) -> object:
        """Something that stays the same until another connection commits; None where nobody can
        tell. It costs microseconds."""

    def writes(self) -> FileWrites | None:
        """Of a database that `changes` and is a file: word that it is being written, as it is
        before each change, by a few moments. None where there is none."""

    def close(self) -> None:
        """Close the connection, whatever its state; closing twice does nothing."""


class MigratingConnection(Connection, Protocol):
    """A connection that can hold the lock under which migrations are applied."""

    def lock_migrations(self) -> None:
        """Wait until no other process applies migrations; ends with `unlock_migrations`."""

    def unlock_migrations(self, *, applied: bool) -> None: ...

    def execute(self, statement: str, parameters: Parameters) -> list[Row]: ...


class Dialect(Protocol):
    """A database product's way of doing things."""

    name: str

    #: Whether queuekit creates its tables by itself when a database lacks them.
    prepares_itself: bool

    #: Whether words travel with commits: see hints.py.
    has_hints: bool

    def check(self, url: DatabaseURL) -> None:
        """Raise ConfigurationError when the URL cannot be one of this dialect."""

    def exists(self, url: DatabaseURL) -> bool:
        """Whether connecting would find a database, rather than make one."""

    def connect(self, url: DatabaseURL, answer_timeout: float | None = None) -> MigratingConnection:
        """Open a connection. Where there is a server, one that has not answered a statement for
        `answer_timeout` seconds counts as lost: a half-open connection says nothing for hours.

        Raises MissingDriverError, DatabaseUnavailableError, UnsupportedServerError.
        """

    def translate(self, error: BaseException, url: str) -> DatabaseError | None:
        """queuekit's error for a driver's, or None when the driver did not raise it."""

    def entries(self, by_id: dict[str, str]) -> object:
        """Texts by id as they travel inside a JSON parameter."""

    def to_database(self, moment: datetime) -> str | float:
        """An aware datetime as it travels inside a JSON parameter."""

    def from_database(self, value: Any) -> datetime | None:
        """A time as the driver returns it, as an aware datetime in UTC."""


class DuplicateError(DatabaseError):
    """A unique index refused a row: it was written before."""


class TransientConflictError(DatabaseError):
    """This transaction lost against another one and may be run again as a whole."""


class StatementCacheError(DatabaseError):
    """A pooler handed out a connection that lacks what was prepared on another."""
