"""Waiting that anything may cut short: another thread, a signal handler, a hint that work came."""

from __future__ import annotations

from queue import Empty, SimpleQueue


class Wakeup:
    """A flag to wait on. `set` may be called from signal handlers: SimpleQueue.put is reentrant."""

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._tokens.put(None)

    def wait(self, seconds: float) -> None:
        """Return when set, or after so many seconds. Clears what has been set until then."""
        try:
            self._tokens.get(timeout=max(seconds, 0))
            while True:
                self._tokens.get_nowait()
        except Empty:
            return
