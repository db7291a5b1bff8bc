"""The connections that a caller may bring: each driver, in the modes that change what happens."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import apsw
import psycopg
import psycopg2
import psycopg2.extras
import pymysql
import pytest
from psycopg.rows import dict_row

from queuekit.database.url import parse

POSTGRESQL = ("postgresql",)
MYSQL = ("mariadb", "mysql")
SQLITE = ("sqlite",)


@dataclass(frozen=True)
class Driver:
    """A way to connect. Who `commits_by_itself` begins and ends transactions by statements."""

    name: str
    products: tuple[str, ...]
    commits_by_itself: bool
    open: Callable[[str], Any]

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def connection(self, url: str) -> Iterator[CallersConnection]:
        with closing(self.open(url)) as connection:
            yield CallersConnection(self, connection)


class CallersConnection:
    """A caller's connection and what an application does with it. `raw` is the driver's own."""

    def __init__(self, driver: Driver, raw: Any) -> None:
        self._driver = driver
        self.raw = raw

    def begin(self) -> None:
        if self._driver.commits_by_itself:
            self.execute("begin")

    def commit(self) -> None:
        if self._driver.commits_by_itself:
            self.execute("commit")
        else:
            self.raw.commit()

    def rollback(self) -> None:
        if self._driver.commits_by_itself:
            self.execute("rollback")
        else:
            self.raw.rollback()

    def execute(self, sql: str) -> None:
        cursor = self.raw.cursor()
        cursor.execute(sql)
        cursor.close()


def _psycopg(**options: Any) -> Callable[[str], Any]:
    return lambda url: psycopg.connect(url, **options)


def _psycopg2(autocommit: bool = False, **options: Any) -> Callable[[str], Any]:
    def connect(url: str) -> Any:
        connection = psycopg2.connect(url, **options)
        connection.autocommit = autocommit
        return connection

    return connect


def _pymysql(**options: Any) -> Callable[[str], Any]:
    return lambda url: pymysql.connect(**_mysql_place(url), ssl_disabled=True, **options)


def _mysqlclient(autocommit: bool = False, cursor: str = "Cursor", **options: Any) -> Any:
    def connect(url: str) -> Any:
        module = pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
        cursors = pytest.importorskip("MySQLdb.cursors")
        place = _mysql_place(url)
        connection = module.connect(
            **place, ssl_mode="DISABLED", cursorclass=getattr(cursors, cursor), **options
        )
        connection.autocommit(autocommit)
        return connection

    return connect


def _mysql_place(url: str) -> dict[str, Any]:
    place = parse(url)
    return {
        "host": place.host,
        "port": place.port or 3306,
        "user": place.user,
        "password": place.password or "",
        "database": place.database,
    }


def _sqlite3(row_factory: Any = None, **options: Any) -> Callable[[str], Any]:
    def connect(url: str) -> Any:
        connection = sqlite3.connect(parse(url).database, **options)
        connection.row_factory = row_factory
        return connection

    return connect


def _apsw(row_trace: Any = None) -> Callable[[str], Any]:
    def connect(url: str) -> Any:
        connection = apsw.Connection(parse(url).database)
        connection.row_trace = row_trace
        return connection

    return connect


def _dict_of(cursor: Any, row: tuple[Any, ...]) -> dict[str, Any]:
    names = cursor.get_description() if hasattr(cursor, "get_description") else cursor.description
    return {column[0]: value for column, value in zip(names, row, strict=True)}


DRIVERS = [
    Driver("psycopg", POSTGRESQL, False, _psycopg()),
    Driver("psycopg-autocommit", POSTGRESQL, True, _psycopg(autocommit=True)),
    Driver("psycopg-dict-rows", POSTGRESQL, False, _psycopg(row_factory=dict_row)),
    Driver("psycopg-raw-cursor", POSTGRESQL, False, _psycopg(cursor_factory=psycopg.RawCursor)),
    Driver(
        "psycopg-client-cursor", POSTGRESQL, False, _psycopg(cursor_factory=psycopg.ClientCursor)
    ),
    Driver("psycopg2", POSTGRESQL, False, _psycopg2()),
    Driver("psycopg2-autocommit", POSTGRESQL, True, _psycopg2(autocommit=True)),
    Driver(
        "psycopg2-dict-rows",
        POSTGRESQL,
        False,
        _psycopg2(cursor_factory=psycopg2.extras.RealDictCursor),
    ),
    Driver("pymysql", MYSQL, False, _pymysql()),
    Driver("pymysql-autocommit", MYSQL, True, _pymysql(autocommit=True)),
    Driver("pymysql-dict-rows", MYSQL, False, _pymysql(cursorclass=pymysql.cursors.DictCursor)),
    Driver("pymysql-unbuffered", MYSQL, False, _pymysql(cursorclass=pymysql.cursors.SSCursor)),
    Driver("mysqlclient", MYSQL, False, _mysqlclient()),
    Driver("mysqlclient-autocommit", MYSQL, True, _mysqlclient(autocommit=True)),
    Driver("mysqlclient-dict-rows", MYSQL, False, _mysqlclient(cursor="DictCursor")),
    Driver("mysqlclient-bytes", MYSQL, False, _mysqlclient(use_unicode=False)),
    Driver("sqlite3", SQLITE, False, _sqlite3()),
    Driver("sqlite3-autocommit", SQLITE, True, _sqlite3(isolation_level=None)),
    Driver("sqlite3-row-objects", SQLITE, False, _sqlite3(sqlite3.Row)),
    Driver("sqlite3-dict-rows", SQLITE, False, _sqlite3(_dict_of)),
    Driver("apsw", SQLITE, True, _apsw()),
    Driver("apsw-dict-rows", SQLITE, True, _apsw(_dict_of)),
]
