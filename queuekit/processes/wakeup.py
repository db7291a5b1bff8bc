"""Waiting that anything may cut short: another thread, a signal handler, a hint that work came."""

from __future__ import annotations

import socket
import threading
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


class Ending:
    """The end of a process, for a thread that waits for it, with or without a socket beside it.

    That thread closes it when it ends, and nobody else: a file descriptor that is closed while
    somebody waits for it may be another file's the next moment.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._pair: tuple[socket.socket, socket.socket] | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        with self._lock:
            self._event.set()
            self._tell()

    def wait(self, seconds: float) -> bool:
        """Return when set, or after so many seconds; whether it is set."""
        return self._event.wait(max(seconds, 0))

    def fileno(self) -> int:
        """A file descriptor that can be read once it is set."""
        with self._lock:
            if self._pair is None:
                self._pair = socket.socketpair()
                if self.is_set:
                    self._tell()
            return self._pair[0].fileno()

    def close(self) -> None:
        with self._lock:
            for end in self._pair or ():
                end.close()
            self._pair = None

    def _tell(self) -> None:
        if self._pair is not None:
            self._pair[1].send(b".")
