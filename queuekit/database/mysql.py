"""MySQL and MariaDB through pymysql: a query's statements travel in one packet, one round trip.

Without RETURNING (MySQL has none) and without data-changing CTEs, most queries are several
statements. They are sent together, between BEGIN and COMMIT; the server stops at the first that
fails. Every session is READ COMMITTED, set and verified: under the default, REPEATABLE READ, a
plain read does not see what a SKIP LOCKED read has just seen, and gap locks of unrelated keys
deadlock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from queuekit.database.dialect import Parameters, Row
from queuekit.database.mysql_errors import is_there_already, too_big
from queuekit.database.mysql_errors import translate as translate
from queuekit.database.queries import Query, split
from queuekit.database.url import DatabaseURL, unknown_options
from queuekit.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailableError,
    MissingDriverError,
    UnsupportedServerError,
)

if TYPE_CHECKING:
    import pymysql

T = TypeVar("T")

name = "mysql"
prepares_itself = False
has_hints = False

_PARAMSTYLE = "pyformat"
_CONNECT_TIMEOUT = 10
_LONGEST_LIST = 16_000_000  # MariaDB cuts off what json_arrayagg gathers, too
_MIGRATION_LOCK_TIMEOUT = 120
_OPTIONS = (
    "socket",
    "unix_socket",
    "ssl_mode",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "connect_timeout",
)
_SSL_MODES = ("disabled", "required", "verify_ca", "verify_identity")

#: SKIP LOCKED and JSON_TABLE are in MySQL since 8.0.4, in MariaDB since 10.6.
_OLDEST = {"MySQL": (8, 0, 4), "MariaDB": (10, 6, 0)}


def check(url: DatabaseURL) -> None:
    problems = unknown_options(url, "MySQL", _OPTIONS)
    if not url.database:
        problems.append(f"{url} names no database: mysql://user@host/database")
    if url.options.get("ssl_mode", "disabled") not in _SSL_MODES:
        problems.append(f"{url}: ssl_mode is one of {', '.join(_SSL_MODES)}")
    if not url.options.get("connect_timeout", "1").isdecimal():
        problems.append(f"{url}: connect_timeout is a whole number of seconds")
    if problems:
        raise ConfigurationError(*problems)


def exists(url: DatabaseURL) -> bool:
    return True


def connect(url: DatabaseURL, answer_timeout: float | None = None) -> MySQLConnection:
    pymysql = _driver()
    try:
        connection = pymysql.connect(
            **_connect_arguments(url), read_timeout=answer_timeout, write_timeout=answer_timeout
        )
    except OSError as error:  # a certificate file that cannot be read
        raise ConfigurationError(f"{url}: {error}") from error
    except pymysql.Error as error:
        raise translate(error, str(url)) or error from error
    own = MySQLConnection(connection, str(url))
    try:
        _refuse_old(own.version, url)
        own.set_isolation()
    except DatabaseError:
        own.close()
        raise
    return own


class MySQLConnection:
    """A connection of queuekit's own to a MySQL or MariaDB server."""

    def __init__(self, connection: pymysql.Connection[Any], url: str) -> None:
        self._connection = connection
        self._url = url
        self._in_transaction = False
        self._largest_packet: int | None = None
        self._scripts: dict[str, str] = {}
        self._inserts: dict[str, str] = {}

    def run(self, query: Query, parameters: Parameters) -> list[Row]:
        query = query.chosen(parameters)
        script = self._scripts.get(query.name)
        if script is None:
            script = self._scripts[query.name] = self._script(query)
        if self._in_transaction:
            script = script.removeprefix("begin;\n").removesuffix(";\ncommit")
        return self._execute(script, parameters)

    def insert(self, query: Query, parameters: Parameters) -> int:
        if self._in_transaction:
            return int(self.run(query, parameters)[-1][0])
        script = self._inserts.get(query.name)
        if script is None:
            without_last = Query(query.name, query.statements[:-1])
            script = self._inserts[query.name] = self._script(without_last)
        return self._send(script, parameters, _new_id)

    def begin(self) -> None:
        self._execute("begin", None)
        self._in_transaction = True

    def commit(self, word: str | None = None) -> None:
        self._execute("commit", None)
        self._in_transaction = False

    def rollback(self) -> None:
        self._in_transaction = False
        if self._connection.open:
            self._execute("rollback", None)

    def hear(self, seconds: float, interrupt: int) -> None:
        """A server of this kind sends nothing unasked."""

    def changes(self) -> None:
        """It counts no commits, either."""

    def writes(self) -> None:
        """It is no file of ours."""

    def close(self) -> None:
        if self._connection.open:
            with suppress(_driver().Error):  # it says goodbye, whether or not anybody is there
                self._connection.close()

    def set_isolation(self) -> None:
        """Make the session READ COMMITTED, and ask whether it is. And strict, with backslashes that
        are only backslashes: escaped ones would double what JSON is full of."""
        variable = "tx_isolation" if self._is_mariadb else "transaction_isolation"
        rows = self._execute(
            "set session transaction isolation level read committed; "
            "set session sql_mode = concat(@@sql_mode, "
            "',STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'); "
            f"set session group_concat_max_len = {_LONGEST_LIST}; "
            f"select @@{variable}, @@max_allowed_packet",
            None,
        )
        ((isolation, self._largest_packet),) = rows
        if isolation != "READ-COMMITTED":
            raise UnsupportedServerError(
                f"{self._url}: the session stays at {isolation}; queuekit needs READ COMMITTED"
            )

    def lock_migrations(self) -> None:
        rows = self._execute(
            "select get_lock(concat('queuekit:', left(database(), 50)), %(seconds)s)",
            {"seconds": _MIGRATION_LOCK_TIMEOUT},
        )
        if rows[0][0] != 1:
            raise DatabaseUnavailableError(
                f"{self._url}: another process has been applying migrations for "
                f"{_MIGRATION_LOCK_TIMEOUT} s"
            )

    def unlock_migrations(self, *, applied: bool) -> None:
        self._execute("do release_lock(concat('queuekit:', left(database(), 50)))", None)

    def execute(self, statement: str, parameters: Parameters) -> list[Row]:
        """Run migration statements. Each commits by itself here, so one that an interrupted run has
        applied already is passed over."""
        rows: list[Row] = []
        for text in Query("migration", tuple(split(statement))).rendered(_PARAMSTYLE):
            try:
                rows += self._execute(text.sql, parameters)
            except DatabaseError as error:
                if not is_there_already(error.__cause__):
                    raise
        return rows

    @property
    def version(self) -> str:
        """What the server says it is, as '8.4.0' or '11.4.2-MariaDB'."""
        connection: Any = self._connection  # the type stubs lack it
        return str(connection.server_version)

    @property
    def _is_mariadb(self) -> bool:
        return "MariaDB" in self.version

    def _script(self, query: Query) -> str:
        """The query as one text: a transaction of its own when it is more than one read."""
        text = ";\n".join(statement.sql for statement in query.rendered(_PARAMSTYLE))
        if len(query.statements) == 1:
            return text
        return f"begin;\n{text};\ncommit"

    def _execute(self, script: str, parameters: Parameters | None) -> list[Row]:
        return self._send(script, parameters or {}, _all_rows)

    def _send(self, script: str, parameters: Parameters, read: Callable[[Any], T]) -> T:
        """Send statements in one packet, and read what comes of all of them."""
        cursor = self._connection.cursor()
        try:
            text = cursor.mogrify(script, parameters)
            self._refuse_too_big(text, parameters)
            cursor.execute(text)
            return read(cursor)
        except DatabaseError as error:
            self._roll_back_after_error(error)
            raise
        except Exception as error:
            translated = translate(error, self._url)
            if translated is None:
                raise
            self._roll_back_after_error(translated)
            raise translated from error
        finally:
            if self._connection.open:
                cursor.close()

    def _roll_back_after_error(self, error: DatabaseError) -> None:
        self._in_transaction = False
        if isinstance(error, DatabaseUnavailableError) or not self._connection.open:
            return
        try:
            self._connection.rollback()
        except _driver().Error:  # the server has hung up, too, as it does after a packet too big
            self.close()

    def _refuse_too_big(self, text: str, parameters: Parameters) -> None:
        """The server would only hang up, in the middle of what it is sent."""
        limit = self._largest_packet
        if limit is not None and 4 * len(text) >= limit and len(text.encode()) >= limit - 1:
            raise too_big(self._url, len(text.encode()), parameters, limit)


def _all_rows(cursor: Any) -> list[Row]:
    rows = list(cursor.fetchall()) if cursor.description else []
    while cursor.nextset():
        if cursor.description:
            rows += cursor.fetchall()
    return rows


def _new_id(cursor: Any) -> int:
    """The id that came with the answer to an insert, whichever of the statements that was."""
    row_id: int = cursor.lastrowid
    while cursor.nextset():
        row_id = row_id or cursor.lastrowid
    return row_id


def entries(by_id: dict[str, str]) -> object:
    """As pairs: json_table does not tell keys."""
    return list(by_id.items())


def to_database(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def from_database(value: Any) -> datetime | None:
    moment: datetime | None = value
    return None if moment is None else moment.replace(tzinfo=UTC)


def _driver() -> Any:
    try:
        import pymysql
    except ImportError as error:
        raise MissingDriverError(
            "MySQL and MariaDB need the pymysql driver: pip install 'queuekit[mysql]'"
        ) from error
    return pymysql


def _connect_arguments(url: DatabaseURL) -> dict[str, Any]:
    from pymysql.constants import CLIENT

    options = url.options
    arguments: dict[str, Any] = {
        "host": url.host or "localhost",
        "port": url.port or 3306,
        "user": url.user,
        "password": url.password or "",
        "database": url.database,
        "charset": "utf8mb4",
        "autocommit": True,
        "client_flag": CLIENT.MULTI_STATEMENTS,
        "connect_timeout": int(options.get("connect_timeout", _CONNECT_TIMEOUT)),
    }
    socket = options.get("socket") or options.get("unix_socket")
    if socket:
        arguments["unix_socket"] = socket
    return arguments | _tls_arguments(url)


def _tls_arguments(url: DatabaseURL) -> dict[str, Any]:
    options = url.options
    files = {key.removeprefix("ssl_"): options[key] for key in options if key in _SSL_FILES}
    mode = options.get("ssl_mode", "verify_ca" if "ca" in files else "disabled")
    if mode == "disabled":
        # Said outright: asked nothing, pymysql loads the system's certificates first, for 20 ms.
        return {"ssl_disabled": True}
    return {
        "ssl": files
        | {
            "verify_mode": "none" if mode == "required" else "required",
            "check_hostname": mode == "verify_identity",
        }
    }


_SSL_FILES = ("ssl_ca", "ssl_cert", "ssl_key")


def _refuse_old(version: str, url: DatabaseURL) -> None:
    """MariaDB says '5.5.5-10.11.6-MariaDB': its first number is for clients of MySQL only."""
    product = "MariaDB" if "MariaDB" in version else "MySQL"
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", version.removeprefix("5.5.5-"))
    found = tuple(int(number) for number in numbers.groups()) if numbers else (0, 0, 0)
    if found < _OLDEST[product]:
        oldest = ".".join(str(number) for number in _OLDEST[product])
        raise UnsupportedServerError(
            f"{url} is {product} {version}; queuekit needs {product} {oldest} or newer "
            "(SKIP LOCKED and JSON_TABLE)"
        )
