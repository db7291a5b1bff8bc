"""Numbered migrations: `sql/<dialect>/schema/0001_....sql`, applied once, in order, under a lock.

Migrations only add, so that workers of the previous version keep running against the new schema
while a deploy is under way. What has been applied stands in `queuekit_schema_migrations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from queuekit.database.dialect import Dialect, MigratingConnection
from queuekit.database.queries import schema_files
from queuekit.errors import NotPreparedError

_LEDGER = """
create table if not exists queuekit_schema_migrations (
  version integer not null primary key,
  name varchar(191) not null
)
"""
_APPLIED = "select version from queuekit_schema_migrations order by version"
_RECORD = "insert into queuekit_schema_migrations (version, name) values (:version, :name)"


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    sql: str


def all_of(dialect: str) -> list[Migration]:
    """The migrations of a dialect, the first one first."""
    found = []
    for file in schema_files(dialect):
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return found


def migrate(connection: MigratingConnection, dialect: Dialect) -> list[Migration]:
    """Apply what is missing and return it. Any number of processes may do this at once."""
    connection.lock_migrations()
    applied = False
    try:
        connection.execute(_LEDGER, {})
        to_apply = missing(connection, dialect)
        for migration in to_apply:
            connection.execute(migration.sql, {})
            connection.execute(_RECORD, {"version": migration.version, "name": migration.name})
        applied = True
    finally:
        connection.unlock_migrations(applied=applied)
    return to_apply


def migrate_if_needed(connection: MigratingConnection, dialect: Dialect) -> None:
    """Apply what is missing, without taking the lock when nothing is."""
    if not is_current(connection, dialect):
        migrate(connection, dialect)


def is_current(connection: MigratingConnection, dialect: Dialect) -> bool:
    """Whether every migration that this version knows is applied. A newer schema is fine, too."""
    return not missing(connection, dialect)


def missing(connection: MigratingConnection, dialect: Dialect) -> list[Migration]:
    """The migrations that this version knows and the database lacks."""
    try:
        applied = {row[0] for row in connection.execute(_APPLIED, {})}
    except NotPreparedError:
        applied = set()
    return [migration for migration in all_of(dialect.name) if migration.version not in applied]


def script(dialect: str) -> Iterator[str]:
    """The whole schema as one text for people who apply it themselves."""
    yield "-- queuekit's tables. Apply them once, in one go."
    yield _LEDGER.strip() + ";"
    for migration in all_of(dialect):
        yield f"-- {migration.version:04} {migration.name}\n{migration.sql.strip()}"
        yield (
            "insert into queuekit_schema_migrations (version, name) "
            f"values ({migration.version}, '{migration.name}');"
        )
