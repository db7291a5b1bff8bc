"""Signals: handlers only record and wake; the loops act, by name.

Which signals there are depends on the system: Windows has no QUIT, HUP or CHLD.
"""

from __future__ import annotations

import faulthandler
import os
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


def prepare_for_boot() -> None:
    """Until somebody listens: there is nothing to stop yet but the imports of the application.

    What ends a process ends this one at once, also as pid 1, where the kernel drops every signal
    that has no handler; INT has Python's own. HUP waits for `listen`. DUMPING shows where an import
    hangs. Only the main thread may call this.
    """
    for number in (signal.SIGTERM, *IMMEDIATE):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN):  # not an application's
            signal.signal(number, _end_by)
    if hasattr(faulthandler, "register"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, RELOADING)
        faulthandler.register(DUMPING, all_threads=True)


def _end_by(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # only pid 1 comes here


class SignalBox:
    """The signals that have come and were not looked at yet."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._arrived: deque[signal.Signals] = deque()

    def listen(self, numbers: Iterable[signal.Signals]) -> None:
        """Record these signals from now on, and those held back. Only the main thread may call
        this."""
        numbers = tuple(numbers)
        for number in numbers:
            signal.signal(number, self._record)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

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
