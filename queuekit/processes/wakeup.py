"""Waiting that anything may cut short: another thread, a signal handler, a hint that work came."""

from __future__ import annotations

from queue import Empty, SimpleQueue


class Wakeup:
    """A flag to wait on. `set` may be called from signal handlers: SimpleQueue.put is reentrant."""

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._tokens.put(None)

    def wait(self, seconds: float) -> bool:
        """Return when set, or after so many seconds; whether it was set. Clears it."""
        try:
            self._tokens.get(timeout=max(seconds, 0))
        except Empty:
            return False
        try:
            while True:
                self._tokens.get_nowait()
        except Empty:
            return True
