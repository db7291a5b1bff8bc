"""The pidfile: one supervisor per file on this host, and a place to read whom to signal.

The file is locked while its supervisor lives, and the kernel drops the lock however that one ends.
So a stale file is told from a live one without guessing: a pid alone may have passed on to some
other program since.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from queuekit.errors import QueuekitError


class PidfileError(QueuekitError):
    """The pidfile cannot be used: another supervisor holds it, or it cannot be written."""


class Pidfile:
    """A pidfile, taken when made and removed by `release`.

    Raises PidfileError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._pid = os.getpid()
        self._descriptor = self._take()

    def release(self) -> None:
        """Remove the file, in the process that took it; a forked child only closes its copy."""
        if os.getpid() == self._pid:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _take(self) -> int:
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(descriptor, 64, 0).decode(errors="replace").split("\n")[0]
                os.close(descriptor)
                raise PidfileError(
                    f"{self._path} belongs to a supervisor that runs (pid {holder or 'unknown'})"
                ) from error
            if self._is_still_there(descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{self._pid}\n".encode(), 0)
                return descriptor
            os.close(descriptor)  # its supervisor removed it between our open and our lock

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise PidfileError(
                f"cannot write the pidfile {self._path}: {error.strerror}"
            ) from error

    def _is_still_there(self, descriptor: int) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)
