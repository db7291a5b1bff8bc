"""Word from the kernel that a file is being written, as a file descriptor to wait for.

It is Linux's inotify(7), which Python has no module for: three calls of the C library. Where there
is none, and where the kernel refuses (each user may have so many, 128 by default), `listen` returns
None, and whoever waits has to ask instead. The file itself is not opened.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_IN_MODIFY = 0x2

#: What has gathered is read at once: an event of a single file has 16 bytes, and of many alike that
#: nobody has read the kernel keeps one.
_ENOUGH = 4096


class FileWrites:
    """The writes to one file, by whatever process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Can be read once there was a write that was not taken."""
        return self._descriptor

    def take(self) -> bool:
        """Whether there was a write since the last call."""
        with suppress(BlockingIOError):
            return bool(os.read(self._descriptor, _ENOUGH))
        return False

    def close(self) -> None:
        """Closing twice does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def listen(path: Path) -> FileWrites | None:
    """Listen for writes to a file; None where that cannot be, or there is no such file."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    # The flags are those of open(2), by the kernel's own word.
    descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    writes = FileWrites(descriptor)
    if library.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY) < 0:
        writes.close()
        return None
    return writes
