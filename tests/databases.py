"""What the tests ask of a database server, through the plain drivers and never through queuekit.

One class per protocol, made from a URL whose user may create and drop databases and may see and
end other connections. Every call opens a connection and closes it: a few milliseconds, and it
works on a server that was killed and restarted in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
import pymysql
from pymysql.constants import ER

#: Rows of this table say which migrations were applied; an emptied database stays prepared.
KEPT = "queuekit_schema_migrations"


def databases_at(url: str) -> Databases:
    """The databases of the server that `url` names."""
    scheme = urlsplit(url).scheme
    for databases in (PostgreSQLDatabases, MySQLDatabases):
        if scheme == databases.scheme:
            return databases(url)
    raise ValueError(f"{url!r} is neither a postgresql:// nor a mysql:// URL")


class PostgreSQLDatabases:
    """The databases of one PostgreSQL server."""

    scheme = "postgresql"
    refusals: tuple[type[Exception], ...] = (psycopg.OperationalError,)

    def __init__(self, url: str) -> None:
        self.url = url

    def version(self) -> str:
        with self.connection(self.url) as connection:
            (version,) = connection.execute("show server_version").fetchone()
        return f"PostgreSQL {version.split()[0]}"

    def create(self, name: str) -> str:
        with self.connection(self.url) as connection:
            connection.execute(f'create database "{name}"')
        return with_database(self.url, name)

    def drop(self, name: str) -> None:
        with self.connection(self.url) as connection:
            connection.execute(f'drop database if exists "{name}" with (force)')

    def empty(self, url: str) -> None:
        """Delete every row of queuekit's tables, except the record of the migrations."""
        with self.connection(url) as connection:
            self._end_open_transactions(connection)
            filled = self._filled(connection, self._tables(connection))
            if filled:
                connection.execute(f"truncate {', '.join(filled)} cascade")

    def _end_open_transactions(self, connection: Any) -> None:
        # What a test left open would block the truncation, or commit into the next test.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend' and xact_start is not null"
        )

    def _tables(self, connection: Any) -> list[str]:
        rows = connection.execute(
            "select format('%%I.%%I', schemaname, tablename) from pg_tables"
            " where tablename like 'queuekit\\_%%' and tablename <> %s",
            (KEPT,),
        )
        return [name for (name,) in rows.fetchall()]

    def _filled(self, connection: Any, tables: list[str]) -> list[str]:
        if not tables:
            return []
        questions = (f"select '{table}' where exists (select from {table})" for table in tables)
        return [name for (name,) in connection.execute(" union all ".join(questions)).fetchall()]

    @contextlib.contextmanager
    def connection(self, url: str) -> Iterator[Any]:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
        try:
            yield connection
        finally:
            connection.close()


class MySQLDatabases:
    """The databases of one MySQL or MariaDB server."""

    scheme = "mysql"
    refusals: tuple[type[Exception], ...] = (pymysql.err.OperationalError,)

    def __init__(self, url: str) -> None:
        self.url = url

    def version(self) -> str:
        with self.connection(self.url) as cursor:
            cursor.execute("select version()")
            (version,) = cursor.fetchone()
        product = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"{product} {version.split('-')[0]}"

    def create(self, name: str) -> str:
        # No character set: the server's default may be latin1, and the schema has to cope.
        with self.connection(self.url) as cursor:
            cursor.execute(f"create database `{name}`")
        return with_database(self.url, name)

    def drop(self, name: str) -> None:
        with self.connection(self.url) as cursor:
            cursor.execute("select id from information_schema.processlist where db = %s", (name,))
            self._end(cursor, cursor.fetchall())
            cursor.execute(f"drop database if exists `{name}`")

    def empty(self, url: str) -> None:
        """Delete every row of queuekit's tables, except the record of the migrations."""
        with self.connection(url) as cursor:
            cursor.execute("set foreign_key_checks = 0, innodb_lock_wait_timeout = 1")
            # Empty tables too: a delete also finds, and waits for, rows not committed yet.
            for table in self._tables(cursor):
                while not self._delete(cursor, table):
                    self._end_open_transactions(cursor)

    def _delete(self, cursor: Any, table: str) -> bool:
        try:
            cursor.execute(f"delete from {table}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                raise
            return False
        return True

    def _end_open_transactions(self, cursor: Any) -> None:
        # Only after a wait: what innodb_trx shows may be a tenth of a second old.
        cursor.execute(
            "select p.id from information_schema.innodb_trx t"
            " join information_schema.processlist p on p.id = t.trx_mysql_thread_id"
            " where p.db = database() and p.id <> connection_id()"
        )
        self._end(cursor, cursor.fetchall())

    def _end(self, cursor: Any, threads: Iterable[tuple[int]]) -> None:
        for (thread,) in threads:
            try:
                cursor.execute(f"kill {thread}")
            except pymysql.err.OperationalError as error:
                if error.args[0] != ER.NO_SUCH_THREAD:  # it ended by itself
                    raise

    def _tables(self, cursor: Any) -> list[str]:
        cursor.execute(
            "select concat('`', table_name, '`') from information_schema.tables"
            " where table_schema = database() and table_type = 'BASE TABLE'"
            " and table_name like 'queuekit\\_%%' and table_name <> %s",
            (KEPT,),
        )
        return [name for (name,) in cursor.fetchall()]

    @contextlib.contextmanager
    def connection(self, url: str) -> Iterator[Any]:
        parts = urlsplit(url)
        connection = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path[1:]) or None,
            unix_socket=dict(parse_qsl(parts.query)).get("socket"),
            ssl_disabled=parts.hostname == "127.0.0.1",  # loading certificates takes 20 ms
            autocommit=True,
            connect_timeout=10,
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


Databases = PostgreSQLDatabases | MySQLDatabases


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()
