"""What this application is about: measuring files, and a table of what was measured.

The table has a database of its own beside the queue's. Nothing here knows of queuekit.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

DATABASE = Path("storage/words.sqlite3")

#: A file is read in pieces of this size, so that its own does not matter.
_PIECE = 1024 * 1024


class Measure(NamedTuple):
    """What there is to say about a file. One that cannot be read has a problem and no more."""

    digest: str = ""
    size: int = 0
    words: int = 0
    changed_at: int = 0
    problem: str = ""

    @property
    def is_missing(self) -> bool:
        return self.problem == os.strerror(errno.ENOENT)


def measure(path: str) -> Measure:
    """Hash a file and count its words: whatever stands between spaces, in any encoding or none."""
    try:
        return _read(path)
    except OSError as error:
        return Measure(problem=error.strerror or str(error))


def _read(path: str) -> Measure:
    digest = hashlib.sha256()
    size = words = 0
    inside_word = False
    with Path(path).open("rb") as file:
        # Asked before reading: what is written meanwhile then shows as a later change.
        changed_at = os.fstat(file.fileno()).st_mtime_ns
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            words += len(piece.split())
            if inside_word and not piece[:1].isspace():
                words -= 1  # it began in the piece before
            inside_word = not piece[-1:].isspace()
    return Measure(digest.hexdigest(), size, words, changed_at)


def create_table() -> None:
    """Make the table. Once, before any worker runs: they all use it at the same time."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    with _connection() as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute(
            "create table files (path blob primary key, digest, size, words, changed_at, problem)"
        )


def record(path: str, measure: Measure) -> None:
    with _connection() as connection:
        # A path is bytes: not every file's name is text.
        connection.execute(
            "insert or replace into files values (?, ?, ?, ?, ?, ?)", (os.fsencode(path), *measure)
        )


def recorded() -> dict[str, Measure]:
    """What the table says, by path."""
    with _connection() as connection:
        rows = connection.execute(
            "select path, digest, size, words, changed_at, problem from files"
        )
        return {os.fsdecode(path): Measure(*measure) for path, *measure in rows}


@contextmanager
def _connection() -> Iterator[sqlite3.Connection]:
    """A connection, in a transaction that commits at the end. Writers wait for each other."""
    connection = sqlite3.connect(DATABASE, timeout=60)
    try:
        connection.execute("pragma synchronous = normal")
        with connection:
            yield connection
    finally:
        connection.close()
