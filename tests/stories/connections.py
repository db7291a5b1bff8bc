"""The connections of a server to one database: counting them, and ending them from outside."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import pymysql

from tests.databases import PostgreSQLDatabases
from tests.servers import Server


def connections_to(server: Server, url: str) -> list[int]:
    """The server's ids of the connections to this database, its own watcher left out."""
    databases = server.databases
    if isinstance(databases, PostgreSQLDatabases):
        with databases.connection(databases.url) as connection:
            found = connection.execute(
                "select pid from pg_stat_activity where datname = %s"
                " and backend_type = 'client backend' order by backend_start",
                (urlsplit(url).path[1:],),
            ).fetchall()
    else:
        with databases.connection(databases.url) as cursor:
            cursor.execute(
                "select id from information_schema.processlist where db = %s order by id",
                (urlsplit(url).path[1:],),
            )
            found = cursor.fetchall()
    return [identity for (identity,) in found]


def end_connection(server: Server, identity: int) -> None:
    """Have the server end a connection, whatever it is doing; it may have ended by itself."""
    databases = server.databases
    if isinstance(databases, PostgreSQLDatabases):
        with databases.connection(databases.url) as connection:
            connection.execute("select pg_terminate_backend(%s)", (identity,))
    else:
        with (
            databases.connection(databases.url) as cursor,
            contextlib.suppress(pymysql.err.OperationalError),
        ):
            cursor.execute("kill %s", (identity,))
