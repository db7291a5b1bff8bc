"""PostgreSQL through psycopg: single statements with data-changing CTEs, one round trip each.

The connection is in autocommit mode: a query of one statement is a transaction by itself, without
BEGIN and COMMIT on the wire; one of several is wrapped in both. Statements are prepared by psycopg
after a few uses. A transaction-mode pooler may hand the next one to another backend, which does
not know it, or knows another client's of the same name and runs that: behind a pooler nothing is
prepared unless the URL says so. Where a pooler goes unnoticed, the first error of this kind ends
preparing on the connection, and the transaction is run again.

A prepared statement keeps its plan, made for tables as empty as they were then, until somebody
analyzes them; a queue may have a million jobs a second later. So the planner is told to use the
indexes whatever it counts, and not to plan again for each value, which takes longer than a claim.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from queuekit.database.dialect import Parameters, Row, StatementCacheError
from queuekit.database.hints import CHANNEL, KINDS, written
from queuekit.database.listening import LISTEN, Listener, keeps_its_session
from queuekit.database.postgresql_errors import first_line, has_unusable_parameters
from queuekit.database.postgresql_errors import translate as translate
from queuekit.database.queries import Query, arguments_for, split
from queuekit.database.url import DatabaseURL, unknown_options
from queuekit.errors import (
    ConfigurationError,
    DatabaseError,
    MissingDriverError,
    UnsupportedServerError,
)

if TYPE_CHECKING:
    import psycopg

name = "postgresql"
prepares_itself = False
has_hints = True

_PARAMSTYLE = "dollar"
_OLDEST = 120000  # 12: materialized CTEs
_CONNECT_TIMEOUT = 10
_PREPARE_THRESHOLD = 5  # uses of a statement before it is prepared, as psycopg has it
_PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",  # it marks no dead row, and reads past it again the next time
    "jit": "off",  # it goes by costs, and what is not to be used counts as costing ten billion
}
_MIGRATION_LOCK = 0x71756575656B6974  # 'queuekit' in ASCII

#: By word: what commits with it.
_COMMIT_WITH = {word: f"notify {CHANNEL}, '{word}'; commit" for word in (*KINDS, written(KINDS))}

_OWN_OPTIONS = ("schema", "search_path", "prepare")


def check(url: DatabaseURL) -> None:
    problems = _unknown_options(url)
    if "schema" in url.options and "search_path" in url.options:
        problems.append(f"{url}: schema and search_path mean the same: give one of them")
    if url.options.get("prepare", "on") not in ("on", "off"):
        problems.append(f"{url}: prepare is on or off")
    if problems:
        raise ConfigurationError(*problems)


def exists(url: DatabaseURL) -> bool:
    return True


def connect(url: DatabaseURL, answer_timeout: float | None = None) -> PostgreSQLConnection:
    psycopg = _driver()
    try:
        connection = _connection_class(answer_timeout).connect(
            _conninfo(url), autocommit=True, prepare_threshold=None
        )
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"{url}: {first_line(error)}") from error
    except psycopg.Error as error:
        if has_unusable_parameters(error):
            raise ConfigurationError(f"{url}: {first_line(error)}") from error
        raise translate(error, str(url)) or error from error
    if connection.info.server_version < _OLDEST:
        version = connection.info.parameter_status("server_version")
        connection.close()
        raise UnsupportedServerError(
            f"{url} is PostgreSQL {version}; queuekit needs 12 or newer (materialized CTEs)"
        )
    own = PostgreSQLConnection(connection, url)
    try:
        own.adapt_to_pooler()
    except DatabaseError:
        own.close()
        raise
    return own


class PostgreSQLConnection:
    """A connection of queuekit's own to a PostgreSQL server."""

    def __init__(self, connection: psycopg.Connection[Row], url: DatabaseURL) -> None:
        self._connection = connection
        self._url = url
        self._cursor_class = _driver().RawCursor
        self._listener: Listener | None = None
        self._is_deaf = False

    def run(self, query: Query, parameters: Parameters) -> list[Row]:
        statements = query.chosen(parameters).rendered(_PARAMSTYLE)
        own_transaction = len(statements) > 1 and not self._in_transaction
        if own_transaction:
            self.begin()
        rows: list[Row] = []
        for statement in statements:
            arguments = arguments_for(statement, _PARAMSTYLE, parameters)
            rows += self._execute(statement.sql, arguments)
        if own_transaction:
            self.commit()
        return rows

    def insert(self, query: Query, parameters: Parameters) -> int:
        row_id: int = self.run(query, parameters)[0][0]
        return row_id

    def begin(self) -> None:
        # Said each time: a server whose default is stricter would answer with serialization errors.
        self._execute("begin isolation level read committed", None)

    def commit(self, word: str | None = None) -> None:
        """With a word it is one packet, too; only what is never prepared may be two statements."""
        if word is None:
            self._execute("commit", None)
        else:
            self._execute(_COMMIT_WITH[word], None, prepare=False)

    def rollback(self) -> None:
        if self._in_transaction and not self._connection.closed:
            self._execute("rollback", None)

    def hear(self, seconds: float, interrupt: int) -> frozenset[str] | None:
        try:
            if self._listener is not None:
                return self._listener.hear(seconds, interrupt)
            return self._listen()
        except Exception as error:
            raise translate(error, str(self._url)) or error from error

    def changes(self) -> None:
        """A server tells by itself: see `hear`."""

    def writes(self) -> None:
        """Nor need anybody ask when to ask."""

    def close(self) -> None:
        self._connection.close()

    def adapt_to_pooler(self) -> None:
        """Prepare statements where the URL says so and, when it says nothing, where no pooler is:
        there the server process that answers is the one that the login was told of. Only there,
        too, are settings this connection's own."""
        ((answering,),) = self._execute("select pg_backend_pid()", None)
        is_direct = answering == self._connection.info.backend_pid
        prepare = self._url.options.get("prepare", "on" if is_direct else "off")
        self._connection.prepare_threshold = _PREPARE_THRESHOLD if prepare == "on" else None
        if is_direct:
            settings = ", ".join(
                f"set_config('{name}', '{value}', false)" for name, value in _PLANNING.items()
            )
            self._execute(f"select {settings}", None)

    def lock_migrations(self) -> None:
        self.begin()
        schema = _search_path(self._url)
        self._execute("select pg_advisory_xact_lock($1)", [_MIGRATION_LOCK])
        if schema is not None:
            self._create_schema(schema.partition(",")[0].strip())

    def unlock_migrations(self, *, applied: bool) -> None:
        if applied:
            self.commit()
        else:
            self.rollback()

    def execute(self, statement: str, parameters: Parameters) -> list[Row]:
        rendered = Query("migration", tuple(split(statement))).rendered(_PARAMSTYLE)
        rows: list[Row] = []
        for text in rendered:
            rows += self._execute(text.sql, arguments_for(text, _PARAMSTYLE, parameters))
        return rows

    @property
    def _in_transaction(self) -> bool:
        return self._connection.info.transaction_status.name != "IDLE"

    def _listen(self) -> frozenset[str] | None:
        """Begin. What was said before is taken for heard: nobody knows."""
        if not self._is_deaf:
            self._is_deaf = not keeps_its_session(self._connection, self._connect_another)
        if self._is_deaf:
            return None
        listener = Listener(self._connection)
        self._connection.execute(LISTEN)
        self._listener = listener
        return KINDS

    def _connect_another(self) -> psycopg.Connection[Row]:
        connection: psycopg.Connection[Row] = _connection_class(_CONNECT_TIMEOUT).connect(
            _conninfo(self._url), autocommit=True, prepare_threshold=None
        )
        return connection

    def _execute(
        self, sql: str, arguments: list[Any] | None, prepare: bool | None = None
    ) -> list[Row]:
        """Run one statement. What went wrong outside the caller's hands is undone at once."""
        try:
            cursor = self._cursor_class(self._connection)
            cursor.execute(sql, arguments, prepare=prepare)
            result = cursor.pgresult  # its description would be made anew, column by column
            return cursor.fetchall() if result is not None and result.nfields else []
        except Exception as error:
            translated = translate(error, str(self._url))
            if translated is None:
                raise
            if isinstance(translated, StatementCacheError):
                self._connection.prepare_threshold = None
            self._roll_back_after_error()
            raise translated from error

    def _roll_back_after_error(self) -> None:
        if self._connection.info.transaction_status.name == "INERROR":
            self._connection.rollback()

    def _create_schema(self, schema: str) -> None:
        """Create the schema that a search path names: unquoted, in lower case, as that reads it."""
        name = schema[1:-1] if schema.startswith('"') else schema.lower().replace('"', '""')
        self._execute(f'create schema if not exists "{name}"', None)


def entries(by_id: dict[str, str]) -> object:
    return by_id


def to_database(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def from_database(value: Any) -> datetime | None:
    moment: datetime | None = value
    return None if moment is None else moment.astimezone(UTC)


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingDriverError(
            "PostgreSQL needs the psycopg driver: pip install 'queuekit[postgresql]'"
        ) from error
    return psycopg


def _connection_class(answer_timeout: float | None) -> Any:
    """psycopg's connection; with a timeout, one that does not wait for ever for an answer."""
    plain: Any = _driver().Connection
    if answer_timeout is None:
        return plain
    timeout: float = answer_timeout

    class ImpatientConnection(plain):  # type: ignore[misc]
        def wait(self, generator: Any, *args: Any, **kwargs: Any) -> Any:
            return super().wait(_impatient(generator, timeout), *args, **kwargs)

    return ImpatientConnection


def _impatient(generator: Any, timeout: float) -> Generator[Any, Any, Any]:
    """What psycopg waits for, given up after `timeout` seconds: its loop resumes a generator ten
    times a second, with nothing in hand when the socket has stayed silent."""
    deadline = time.monotonic() + timeout
    try:
        wanted = next(generator)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() >= deadline:
                raise _driver().OperationalError(f"the server has not answered for {timeout:g} s")
            wanted = generator.send(ready)
    except StopIteration as end:
        return end.value


def _conninfo(url: DatabaseURL) -> str:
    """The URL for libpq: queuekit's own options taken out, its defaults put in."""
    from psycopg.conninfo import make_conninfo

    base, _, query = url.text.partition("?")
    kept = "&".join(
        pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _OWN_OPTIONS
    )
    extra: dict[str, Any] = {}
    if "application_name" not in url.options:
        extra["application_name"] = "queuekit"
    if "connect_timeout" not in url.options:
        extra["connect_timeout"] = _CONNECT_TIMEOUT
    if schema := _search_path(url):
        escaped = schema.replace("\\", "\\\\").replace(" ", "\\ ")
        extra["options"] = f"{url.options.get('options', '')} -csearch_path={escaped}".strip()
    return make_conninfo(f"{base}?{kept}" if kept else base, **extra)


def _unknown_options(url: DatabaseURL) -> list[str]:
    """Only libpq knows its parameters; without it connecting says what is missing."""
    if url.options.keys() <= set(_OWN_OPTIONS):
        return []
    try:
        from psycopg import pq
    except ImportError:
        return []
    # ssl=true is what JDBC's URLs say; libpq takes it for sslmode=require.
    known = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
    named = f"{', '.join(_OWN_OPTIONS)} and the parameters of libpq"
    return unknown_options(url, "PostgreSQL", [*_OWN_OPTIONS, *known, "ssl"], named)


def _search_path(url: DatabaseURL) -> str | None:
    return url.options.get("schema") or url.options.get("search_path")
