"""Signals: handlers only record and wake; the loops act, by name.

Which signals there are depends on the system: Windows has no QUIT, HUP or CHLD.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


def _existing(*names: str) -> tuple[signal.Signals, ...]:
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


GRACEFUL = _existing("SIGTERM", "SIGINT")
IMMEDIATE = _existing("SIGQUIT")
STOPPING = (*GRACEFUL, *IMMEDIATE)
RELOADING = _existing("SIGHUP")
CHILD_ENDED = _existing("SIGCHLD")

#: Write the stack of every thread to standard error. faulthandler does that from C, so that it
#: works also where Python code does not come to run.
DUMPING = getattr(signal, "SIGUSR1", signal.SIGTERM)


class SignalBox:
    """The signals that have come and were not looked at yet."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._arrived: deque[signal.Signals] = deque()

    def listen(self, numbers: Iterable[signal.Signals]) -> None:
        """Record these signals from now on. Only the main thread may call this."""
        for number in numbers:
            signal.signal(number, self._record)

    def take(self) -> list[signal.Signals]:
        """The signals recorded since the last call, in the order they came."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def _record(self, number: int, frame: object) -> None:
        self._arrived.append(signal.Signals(number))
        self._wake()


@contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let these signals wait until the end of the block: around a fork, so that a child gets none
    before it has handlers of its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
