"""The standard streams of a process that may have been started without them, or lost its reader.

Nothing of that keeps a job from being run: what nobody can read is not printed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

_STANDARD = (0, 1, 2)


def settle() -> None:
    """Lines leave as they are written, so that those of several processes do not mix.

    A descriptor that is closed is opened on nothing. Otherwise the next connection would get its
    number, and whatever a library prints.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system takes the lowest number that is free
            os.set_inheritable(descriptor, True)
    sys.stdout = sys.stdout or _opened(1)
    sys.stderr = sys.stderr or _opened(2)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


def flush() -> None:
    """Before a fork: what was printed is then printed once. And at a process's end, where Python
    would complain of what it cannot print, by its exit status, too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _turn_away(stream)
        except (OSError, ValueError):
            continue  # a full disk may have room again; one that was closed is the application's


def _turn_away(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nowhere, stream.fileno())
        stream.flush()
    os.close(nowhere)


def _opened(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
