"""What the databases themselves count: queries and connections, seen from outside.

PostgreSQL   transactions of the database (pg_stat_database); each query of queuekit is one.
             Asked on a connection to another database, so that asking does not count.
MySQL        statements of the server (Questions), the asking itself taken off.
SQLite       statements, by a trace in the processes themselves (see counting.py); connections
             are the file's open descriptors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import psycopg
import pymysql

from queuekit.database import DatabaseURL


class Counters(Protocol):
    #: How queries are counted, for the report.
    how: str
    #: What the measured processes need in their environment, and to import.
    environment: Mapping[str, str]
    imports: Sequence[str]

    def __init__(self, url: DatabaseURL) -> None: ...
    def queries(self) -> int: ...
    def connections(self, pids: Sequence[int]) -> int: ...
    def close(self) -> None: ...


class PostgreSQLCounters:
    how = "transactions by pg_stat_database"
    environment: Mapping[str, str] = MappingProxyType({})
    imports: Sequence[str] = ()

    def __init__(self, url: DatabaseURL) -> None:
        self._database = url.database
        self._connection = psycopg.connect(url.text, dbname="postgres", autocommit=True)

    def queries(self) -> int:
        return self._ask(
            "select xact_commit + xact_rollback from pg_stat_database where datname = %s"
        )

    def connections(self, pids: Sequence[int]) -> int:
        return self._ask(
            "select count(*) from pg_stat_activity"
            " where datname = %s and backend_type = 'client backend'"
        )

    def close(self) -> None:
        self._connection.close()

    def _ask(self, sql: str) -> int:
        row: Any = self._connection.execute(sql.encode(), (self._database,)).fetchone()
        return int(row[0])


class MySQLCounters:
    how = "statements by Questions, those of a packet each by itself"
    environment: Mapping[str, str] = MappingProxyType({})
    imports: Sequence[str] = ()

    def __init__(self, url: DatabaseURL) -> None:
        self._database = url.database
        self._asked = 0
        self._connection = pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.user,
            password=url.password or "",
            autocommit=True,
            ssl_disabled=True,
        )

    def queries(self) -> int:
        return int(self._ask("show global status like 'Questions'")[1]) - self._asked

    def connections(self, pids: Sequence[int]) -> int:
        sql = "select count(*) from information_schema.processlist where db = %s"
        return int(self._ask(sql, self._database)[0])

    def close(self) -> None:
        self._connection.close()

    def _ask(self, sql: str, *parameters: object) -> Any:
        self._asked += 1
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()


class SQLiteCounters:
    how = "statements by a trace, begin and commit among them"
    imports: Sequence[str] = ("benchmarks.counting",)

    def __init__(self, url: DatabaseURL) -> None:
        self._path = Path(url.database)
        self._folder = tempfile.TemporaryDirectory(prefix="queuekit-benchmark-")
        self._statements = Path(self._folder.name, "statements")
        self._statements.touch()
        self.environment: Mapping[str, str] = {"BENCHMARK_STATEMENTS": str(self._statements)}

    def queries(self) -> int:
        return self._statements.stat().st_size

    def connections(self, pids: Sequence[int]) -> int:
        return sum(self._open_files(pid) for pid in pids)

    def close(self) -> None:
        self._folder.cleanup()

    def _open_files(self, pid: int) -> int:
        files = (entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir())
        return sum(file == self._path for file in files)


COUNTERS: dict[str, type[Counters]] = {
    "sqlite": SQLiteCounters,
    "postgresql": PostgreSQLCounters,
    "mariadb": MySQLCounters,
    "mysql": MySQLCounters,
}
