"""One SQLite file for the notices and for the queue, and transactions on it.

    with transaction() as connection:
        notice = Notice.create(...)
        NotifyMembers.using(connection=connection).enqueue(notice)

A transaction inside another is part of it. Records are looked up again when a job runs: what
travels in the queue is their class and id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import queuekit

DATABASE = Path("storage/noticeboard.sqlite3")

SCHEMA = """
create table accounts (id integer primary key, name text not null);
create table members (id integer primary key, account_id integer not null, email text not null);
create table notices (id integer primary key, account_id integer not null, title text not null);
create table tags (id integer primary key, name text not null unique);
create table taggings (notice_id integer, tag_id integer, primary key (notice_id, tag_id));
create table webhooks (
  id integer primary key, account_id integer not null, url text not null,
  is_active integer not null default 1
);
create table deliveries (
  id integer primary key, webhook_id integer not null, notice_id integer not null,
  state text not null default 'pending', error text, unique (webhook_id, notice_id)
);
create table bundles (
  id integer primary key, account_id integer not null, member_id integer not null,
  due_at real not null, delivered_at real
);
create table bundled (bundle_id integer, notice_id integer, primary key (bundle_id, notice_id));
create table mails (id integer primary key, recipient text, subject text, body text);
"""

_connection: ContextVar[sqlite3.Connection | None] = ContextVar("connection", default=None)


def connect(path: Path | str = DATABASE) -> sqlite3.Connection:
    """A connection on which transactions begin when we say so. Writers wait for each other."""
    return sqlite3.connect(path, timeout=60, isolation_level=None)


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """A transaction, or a part of the one that is open."""
    connection = _connection.get()
    if connection is not None:
        yield connection
        return
    connection = connect()
    try:
        connection.execute("begin immediate")
        with using(connection):
            yield connection
        connection.commit()
    finally:
        connection.close()  # takes back what was not committed


@contextmanager
def using(connection: sqlite3.Connection) -> Iterator[None]:
    """Work in the transaction that is open on this connection."""
    token = _connection.set(connection)
    try:
        yield
    finally:
        _connection.reset(token)


@dataclass(frozen=True)
class Record:
    """A row. Its fields are its table's columns; what changes is asked for, not kept."""

    id: int

    table: ClassVar[str]

    @classmethod
    def create(cls, **values: Any) -> Self:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with transaction() as connection:
            made = connection.execute(
                f"insert into {cls.table} ({names}) values ({marks})", tuple(values.values())
            )
            return cls.find(made.lastrowid)

    @classmethod
    def find(cls, id: int | None) -> Self:
        (record,) = cls.where("id = ?", id)
        return record

    @classmethod
    def where(cls, condition: str, *values: Any) -> list[Self]:
        columns = ", ".join(field.name for field in fields(cls))
        with transaction() as connection:
            rows = connection.execute(
                f"select {columns} from {cls.table} where {condition} order by id", values
            )
            return [cls(*row) for row in rows]

    def update(self, **values: Any) -> None:
        assignments = ", ".join(f"{name} = ?" for name in values)
        with transaction() as connection:
            connection.execute(
                f"update {self.table} set {assignments} where id = ?", (*values.values(), self.id)
            )


class RecordLocator:
    """How queuekit finds a record again. None means that it is gone."""

    def key(self, record: Record) -> int:
        return record.id

    def locate(self, record_class: type[Record], key: int) -> Record | None:
        return next(iter(record_class.where("id = ?", key)), None)


queuekit.register_locator(Record, RecordLocator())
