"""Raising an error in another thread, where it stands, but not amid logging or an import.

Their locks are everybody's: an error between the taking and the `try` would leave one taken for
ever.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from itertools import accumulate, chain, repeat, starmap, takewhile
from operator import attrgetter, methodcaller

#: Files in whose functions, and in what they call, nothing is raised. A file is asked for, and not
#: the module in a frame's globals: those a frame of another thread only borrows (CPython 3.11), and
#: they can be gone.
_SHARED = {logging.Handler.handle.__code__.co_filename, "<frozen importlib._bootstrap>"}

#: So many looks at once for a thread to come out of there.
_LOOKS = 50

_file = attrgetter("f_code.co_filename")


def interrupt(thread: int, error: type[BaseException]) -> bool:
    """Raise an error in a thread. Returns whether it is on its way: not, while the thread is in
    shared code; then ask again a little later."""
    return _comes_out_of_shared_code(thread) and _raise_outside(thread, error)


def take_back(thread: int) -> None:
    """Take back an error that was not delivered yet."""
    _raise_in(thread, None)


def _comes_out_of_shared_code(thread: int) -> bool:
    """Look often for a moment. A thread hands the interpreter over when it waits, which one that
    logs much does in there only; so it is made to do so anywhere."""
    interval = sys.getswitchinterval()
    try:
        for _ in range(_LOOKS):
            if not _is_in_shared_code(thread):
                return True
            sys.setswitchinterval(1e-6)
            time.sleep(0)
    finally:
        sys.setswitchinterval(interval)
    return False


def _raise_outside(thread: int, error: type[BaseException]) -> bool:
    """Unless it is in shared code after all: it runs on meanwhile."""
    if _is_in_shared_code(thread):
        return False
    _raise_in(thread, error)
    if _is_in_shared_code(thread):
        _raise_in(thread, None)
        return False
    return True


def _is_in_shared_code(thread: int) -> bool:
    """One call of C goes from the first frame to the last, so that the thread stands still: CPython
    3.11 has crashed where a loop went from frame to frame of one that ran on meanwhile."""
    first = map(methodcaller("get", thread), starmap(sys._current_frames, ((),)))
    frames = takewhile(bool, accumulate(chain(first, repeat("f_back")), getattr))
    return not _SHARED.isdisjoint(map(_file, frames))


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(error) if error is not None else None
    )
