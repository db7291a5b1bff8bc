"""Waiting that anything may cut short: another thread, a signal handler, a hint that work came."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from io import FileIO
from queue import Empty, SimpleQueue


class Wakeup:
    """A flag to wait on. `set` may be called from signal handlers: SimpleQueue.put is reentrant.

    One thread waits. It can do so beside a file descriptor; only then does `set` cost a system
    call, to ring a bell that can be waited for in the same way.
    """

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._bell: tuple[FileIO, FileIO] | None = None
        self._is_beside = False

    def set(self) -> None:
        self._tokens.put(None)
        if self._is_beside and self._bell is not None:
            with suppress(OSError, ValueError):  # closed: nobody waits any more
                self._bell[1].write(b".")

    def wait(self, seconds: float) -> bool:
        """Return when set, or after so many seconds; whether it was set. Clears it."""
        try:
            self._tokens.get(timeout=max(seconds, 0))
        except Empty:
            return False
        self._take()
        return True

    def wait_beside(self, descriptor: int, seconds: float) -> bool:
        """The same, but return, too, when the file descriptor can be read."""
        bell = self._bell[0] if self._bell else self._make_bell()
        poller = select.poll()
        poller.register(bell, select.POLLIN)
        poller.register(descriptor, select.POLLIN)
        self._is_beside = True  # before looking: who sets it later, rings
        try:
            if self._tokens.empty():
                poller.poll(max(seconds, 0) * 1000)
        finally:
            self._is_beside = False
        while bell.read(4096):
            pass
        return self._take()

    def close(self) -> None:
        """Give the bell back: for the thread that waits, which may wait again."""
        for end in self._bell or ():
            end.close()
        self._bell = None

    def _make_bell(self) -> FileIO:
        out, into = os.pipe()
        self._bell = FileIO(out, "r"), FileIO(into, "w")
        for end in self._bell:
            os.set_blocking(end.fileno(), False)
        return self._bell[0]

    def _take(self) -> bool:
        taken = False
        with suppress(Empty):
            while True:
                self._tokens.get_nowait()
                taken = True
        return taken


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
