"""The database layer: connections, named queries, dialects, migrations. Knows nothing of jobs."""

from queuekit.database.connection import DIALECTS, Database
from queuekit.database.dialect import Connection, DuplicateError, Row
from queuekit.database.migrations import (
    Migration,
    is_current,
    migrate,
    migrate_if_needed,
    missing,
    script,
)
from queuekit.database.url import DatabaseURL, masked


def open_database(
    url: str, answer_timeout: float | None = None, *, sends_hints: bool = True
) -> Database:
    """The database at a URL; nothing is connected yet. See Dialect.connect for the timeout."""
    return Database(url, migrate_if_needed, answer_timeout, sends_hints=sends_hints)


def prepare(url: str) -> list[Migration]:
    """Apply the migrations that the database at this URL lacks, and return them."""
    database = open_database(url)
    connection = database.connect()
    try:
        return migrate(connection, database.dialect)
    finally:
        connection.close()


__all__ = [
    "DIALECTS",
    "Connection",
    "Database",
    "DatabaseURL",
    "DuplicateError",
    "Migration",
    "Row",
    "is_current",
    "masked",
    "migrate",
    "missing",
    "open_database",
    "prepare",
    "script",
]
