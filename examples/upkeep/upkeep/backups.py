"""Backups of the queue's file, and whether they are good: a backup that nobody has opened is none.

    backup = backups.take()
    backups.verify(backup)

A backup is a whole SQLite file. Beside it stands what its tables held when it was taken, so that it
can be verified at any time, here or wherever it has been copied to.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from upkeep.database import ENVIRONMENT, STORAGE

QUEUE = STORAGE / f"{ENVIRONMENT}-queue.sqlite3"
FOLDER = STORAGE / "backups"

#: Seconds to wait for other writers of the queue's file.
PATIENCE = 60


class VerificationError(Exception):
    """A backup that is not what it should be."""


def take() -> Path:
    """Copy the queue's file, whatever is writing to it.

    The counts have to be those of the copy: nobody else writes from the one to the other. Other
    writers wait meanwhile, which for a file of 100 MB is less than a second.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    backup = FOLDER / f"queue-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.sqlite3"
    with closing(_open(QUEUE)) as writer, closing(_open(QUEUE)) as reader:
        writer.execute("begin immediate")
        counts = _counts(writer)
        reader.execute("vacuum into ?", (str(backup),))
        writer.rollback()
    _manifest(backup).write_text(json.dumps(counts))
    return backup


def verify(backup: Path) -> dict[str, int]:
    """What the tables of a backup hold.

    Raises VerificationError when the file is damaged, or does not hold what it did.
    """
    try:
        with closing(_open(backup)) as connection:
            complaints = connection.execute("pragma integrity_check").fetchall()
            counts = _counts(connection)
    except sqlite3.DatabaseError as error:
        raise VerificationError(f"{backup} cannot be read: {error}") from error
    if complaints != [("ok",)]:
        raise VerificationError(f"{backup} is damaged: {complaints[0][0]}")
    expected = json.loads(_manifest(backup).read_text())
    if counts != expected:
        raise VerificationError(f"{backup} holds {counts} instead of {expected}")
    return counts


def keep(number: int) -> None:
    """Delete all backups but the newest."""
    for backup in sorted(FOLDER.glob("queue-*.sqlite3"))[:-number]:
        _manifest(backup).unlink(missing_ok=True)
        backup.unlink()


def _open(path: Path) -> sqlite3.Connection:
    """A file that is missing is not made: an empty one would be in the best of order."""
    uri = f"{path.resolve().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    tables = connection.execute(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
    ).fetchall()
    counts = (
        (name, connection.execute(f'select count(*) from "{name}"').fetchone()[0])
        for (name,) in tables
    )
    return dict(sorted(counts))


def _manifest(backup: Path) -> Path:
    return backup.with_suffix(".json")
