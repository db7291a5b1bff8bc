"""The application's own SQLite file, beside which the queue has one of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

ENVIRONMENT = os.environ.get("QUEUEKIT_ENV") or "development"

STORAGE = Path("storage")

SCHEMA = """
create table if not exists magic_links (
  id integer primary key, email text not null, token text not null, expires_at text not null
);
create table if not exists heartbeat_logs (
  id integer primary key, executed_at text not null, environment text not null,
  hostname text not null
);
create index if not exists heartbeat_logs_by_time on heartbeat_logs (executed_at);
"""


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """A transaction that is committed when its block ends well."""
    setup()
    with closing(connect()) as connection, connection:
        connection.execute("begin immediate")
        yield connection


@cache
def setup() -> None:
    """The file and its tables, where they are missing."""
    STORAGE.mkdir(exist_ok=True)
    with closing(connect()) as connection:
        connection.executescript(SCHEMA)


def connect() -> sqlite3.Connection:
    return sqlite3.connect(STORAGE / f"{ENVIRONMENT}.sqlite3", timeout=60, isolation_level=None)
