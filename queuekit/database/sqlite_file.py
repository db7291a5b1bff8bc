"""A SQLite file seen from outside: whether it can be one, and whether it is still the same one.

SQLite says 'unable to open database file' of a folder, of a missing permission and of a disk that
is mounted read-only alike. What never gets better by itself is told apart here, so that nobody
waits for it. The file is not opened for that: closing it again would drop the locks that this
process holds on it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from queuekit.database import file_writes
from queuekit.database.file_writes import FileWrites
from queuekit.errors import DatabaseRefusedError, DatabaseUnavailableError

#: Why a folder cannot be made for the moment.
_PASSING = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENFILE, errno.EMFILE)


def make_folder(folder: Path, url: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{url}: cannot make the folder {folder}: {error.strerror}"
        if error.errno in _PASSING:
            raise DatabaseUnavailableError(text) from error
        raise DatabaseRefusedError(text) from error


def is_special(path: Path) -> bool:
    """Whether it is a pipe, a device or a socket, which SQLite would try to use."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def obstacle(path: Path) -> str | None:
    """Why this path cannot be a database until somebody puts it right; None when it may well be."""
    folder = path.parent
    try:
        if path.exists():
            return _obstacle_of_file(path)
        if folder.exists() and not folder.is_dir():
            return f"{folder} is not a folder"
        return None if _may_write(folder) else f"the folder {folder} may not be written"
    except OSError as error:
        return f"{path}: {error.strerror}"


def is_read_only(path: Path) -> bool:
    """Whether the file system is mounted read-only: that may pass."""
    for place in (path, path.parent):
        with suppress(OSError, AttributeError):  # Windows has no statvfs
            return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    return False


class Watch:
    """Whether the files that a connection has open, the WAL among them, are still those that the
    path names. While any connection is open both stay."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # the WAL is beside the file itself, not beside a link to it
        self._wal = self._path.with_name(f"{self._path.name}-wal")
        self._seen: dict[Path, tuple[int, int]] = {}
        self._writes: FileWrites | None = None
        self._has_listened = False

    def is_same(self) -> bool:
        """Compare with what was there when it was first asked. A new file gets its WAL later."""
        for path in (self._path, self._wal):
            now = _identity(path)
            if path in self._seen and self._seen[path] != now:
                return False
            if now is not None:
                self._seen[path] = now
        return True

    def writes(self) -> FileWrites | None:
        """Word of what is written into the WAL, by any connection; None where there is none."""
        if not self._has_listened:
            self._has_listened = True
            self._writes = file_writes.listen(self._wal)
        return self._writes

    def close(self) -> None:
        if self._writes is not None:
            self._writes.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _obstacle_of_file(path: Path) -> str | None:
    if path.is_dir():
        return f"{path} is a folder"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read"
    if not _may_write(path):
        return f"{path} may not be written"
    if not _may_write(path.parent):
        return f"the folder {path.parent} may not be written, and SQLite keeps its WAL there"
    return None


def _may_write(path: Path) -> bool:
    return is_read_only(path) or not path.exists() or os.access(path, os.W_OK)
