"""The pidfile: one supervisor per file on this host, and a place to read whom to signal.

The file is locked while its supervisor lives, and the kernel drops the lock however that one ends.
So a stale file is told from a live one without guessing: a pid alone may have passed on to some
other program since.

The lock is flock(2)'s, which belongs to the open file: a forked child has a share in it, and would
keep it after its supervisor was killed. So every child closes its copy at birth, also those that
jobs fork in the mode async. The record locks of fcntl(2) are not inherited, but are lost as soon as
anything in the process, such as a health check, opens the file and closes it again.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from queuekit import events
from queuekit.errors import PidfileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# More than any pid has. What is longer, or no number, is some other file and not ours to overwrite.
_LONGEST = 20

#: Seconds that a newborn child gets to close its copy of a dead supervisor's pidfile.
_PATIENCE = 1.0

_held: set[Pidfile] = set()


class Pidfile:
    """A pidfile, taken when made and removed by `release`.

    Raises PidfileError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._descriptor = self._take()
        _held.add(self)

    def release(self) -> None:
        """Remove the file and let others have it. Does nothing in a forked child, nor twice."""
        if self not in _held:
            return
        _held.remove(self)
        try:
            # Somebody may have removed it, and another supervisor have its own there now.
            if self._is_there(self._descriptor):
                self._path.unlink()
            os.close(self._descriptor)
        except OSError as error:
            events.emit(events.ErrorOccurred(where="removing the pidfile", error=error))

    def abandon(self) -> None:
        """Leave the file to the parent, in a forked child. Every child does so by itself at birth;
        doing it again is harmless."""
        if self in _held:
            _held.remove(self)
            os.close(self._descriptor)

    def _take(self) -> int:
        if fcntl is None:
            raise PidfileError(
                "a pidfile needs file locks that this system lacks: run without supervisor_pidfile"
            )
        while True:
            descriptor = self._open()
            try:
                self._check(descriptor)
                self._lock(descriptor)
                if self._is_there(descriptor):
                    self._write(descriptor)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its supervisor removed it between our open and our lock

    def _open(self) -> int:
        # Nobody gets us to write into another file by a link, nor to wait for the end of a pipe.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self._path, flags, 0o644)
        except OSError as error:
            raise self._refusal(self._why_not_opened(error)) from error

    def _why_not_opened(self, error: OSError) -> str:
        match error.errno:
            case errno.ENOENT if not self._path.parent.is_dir():
                return f"there is no folder {self._path.parent}"
            case errno.EISDIR:
                return "it is a folder"
            case errno.ELOOP:
                return "it is a symbolic link; name the file itself"
            case _:
                return os.strerror(error.errno or 0)

    def _check(self, descriptor: int) -> None:
        """Refuse what a supervisor of this user cannot have left behind."""
        found = os.fstat(descriptor)
        content = os.pread(descriptor, _LONGEST + 1, 0) if stat.S_ISREG(found.st_mode) else b""
        if not stat.S_ISREG(found.st_mode):
            raise self._refusal("it is not a regular file")
        if found.st_uid != os.geteuid():
            raise self._refusal(
                f"it is owned by the user {found.st_uid}, and this is the user {os.geteuid()}; "
                "if no supervisor uses it, remove it"
            )
        if len(content) > _LONGEST or not (content.strip().isdigit() or content == b""):
            raise self._refusal("it holds something other than a pid, and is left alone")

    def _lock(self, descriptor: int) -> None:
        """Whoever holds it keeps it. But a supervisor killed while it forked leaves a child that is
        still to close its copy, and is waited for."""
        deadline = time.monotonic() + _PATIENCE
        while not self._try_to_lock(descriptor):
            holder = os.pread(descriptor, _LONGEST, 0).decode("ascii", "replace").strip()
            if _is_alive(holder) or time.monotonic() >= deadline:
                raise PidfileError(
                    f"{self._path} belongs to a supervisor that runs (pid {holder or 'unknown'})"
                )
            time.sleep(0.01)

    def _try_to_lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            why = f"it cannot be locked: {os.strerror(error.errno or 0)}"
            raise self._refusal(why) from error
        else:
            return True

    def _write(self, descriptor: int) -> None:
        """The pid before the cut: whoever reads the first line meanwhile finds a whole pid."""
        content = f"{os.getpid()}\n".encode()
        try:
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        except OSError as error:
            raise self._refusal(os.strerror(error.errno or 0)) from error

    def _is_there(self, descriptor: int) -> bool:
        """Whether the file that was opened is the one that now has the name."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        ours = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def _refusal(self, why: str) -> PidfileError:
        return PidfileError(f"cannot use the pidfile {self._path}: {why}")


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    else:
        return True


def _abandon_all() -> None:
    for pidfile in tuple(_held):
        pidfile.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
