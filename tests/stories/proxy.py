"""A TCP proxy that can fall silent: what a broken network does, and no server can be made to do.

    with Proxy(server.port) as proxy:
        proxy.freeze()   # nothing arrives any more, in either direction, and nobody is told
        proxy.thaw()     # what was on the way arrives, late
        proxy.strand()   # the connections that are there stay silent for ever, new ones work

Its sockets stay open all the while and the kernel acknowledges what is sent: neither end can tell.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlencode, urlsplit

LOOPBACK = "127.0.0.1"


class Proxy:
    """Forwards the connections to a port of `address`, which the system chooses, to one of this
    machine's own."""

    def __init__(self, to_port: int, address: str = LOOPBACK) -> None:
        self._to_port = to_port
        self._listener = socket.create_server((address, 0), backlog=100)
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self._is_frozen = False
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._stranded: list[_Connection] = []
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    def url(self, url: str, **options: int) -> str:
        """A server's URL, by way of this proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{self.address}:{self.port}"
        return parts._replace(netloc=netloc, query=urlencode(options)).geturl()

    def freeze(self) -> None:
        """Forward nothing from now on. New connections are accepted, and as silent."""
        with self._lock:
            self._is_frozen = True
            for connection in self._connections:
                connection.flows.clear()

    def thaw(self) -> None:
        """Forward again, beginning with what was held back."""
        with self._lock:
            self._is_frozen = False
            for connection in self._connections:
                connection.flows.set()

    def strand(self) -> None:
        """Leave the connections that are there in silence, whatever comes."""
        with self._lock:
            for connection in self._connections:
                connection.flows.clear()
            self._stranded += self._connections
            self._connections = []

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join()
        for connection in [*self._connections, *self._stranded]:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    connection = _Connection(client, self._to_port, flows=not self._is_frozen)
                    self._connections.append(connection)


class _Connection:
    """A client's connection and ours to the server; two threads carry the bytes. Nothing passes,
    the end of the connection neither, while `flows` is not set."""

    def __init__(self, client: socket.socket, to_port: int, *, flows: bool) -> None:
        self.flows = threading.Event()
        if flows:
            self.flows.set()
        self._to_port = to_port
        self._client = client
        self._server: socket.socket | None = None
        self._is_closed = False
        self._threads = [threading.Thread(target=self._connect, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._is_closed = True
        self.flows.set()
        self._end()
        for thread in self._threads:
            thread.join()
        self._client.close()
        if self._server is not None:
            self._server.close()

    def _connect(self) -> None:
        self.flows.wait()
        try:
            self._server = socket.create_connection((LOOPBACK, self._to_port))
        except OSError:
            self._end()
            return
        back = threading.Thread(target=self._carry, args=(self._server, self._client), daemon=True)
        self._threads.append(back)
        back.start()
        self._carry(self._client, self._server)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # one end is gone: then the other shall be, too
            while data := source.recv(65536):
                self.flows.wait()
                if self._is_closed:
                    return
                sink.sendall(data)
        self.flows.wait()
        self._end()

    def _end(self) -> None:
        for end in (self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
