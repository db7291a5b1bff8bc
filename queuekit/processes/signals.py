"""Signals: handlers only record and wake; the loops act, by name."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

GRACEFUL = (signal.SIGTERM, signal.SIGINT)
IMMEDIATE = (signal.SIGQUIT,)
STOPPING = (*GRACEFUL, *IMMEDIATE)


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
