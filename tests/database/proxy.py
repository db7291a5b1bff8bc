"""A TCP proxy between queuekit and a server, which loses what it is told to lose."""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import threading
from typing import Self

#: After this many seconds without another byte a server has said all it had to say.
QUIET = 0.2


class Proxy:
    """Listens on a port of its own and passes everything on, until a request is to be lost.

    `lose_answer_to(text)`: the next request with this text reaches the server, its answer no one.
    `lose_request(text)`: the next request with this text does not even reach the server.
    Either way the connection is closed; those that are opened afterwards work as before.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lost_answer: bytes | None = None
        self._lost_request: bytes | None = None
        self.losses = 0
        self._threads: list[threading.Thread] = []

    def lose_answer_to(self, text: str) -> None:
        self._lost_answer = text.encode()

    def lose_request(self, text: str) -> None:
        self._lost_request = text.encode()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(self._target) as server,
            contextlib.suppress(OSError),
        ):
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.fileobj is server:
                        client.sendall(data)
                    elif self._is_lost(data, client, server):
                        return
                    else:
                        server.sendall(data)

    def _is_lost(self, request: bytes, client: socket.socket, server: socket.socket) -> bool:
        if self._lost_request is not None and self._lost_request in request:
            self._lost_request = None
        elif self._lost_answer is not None and self._lost_answer in request:
            self._lost_answer = None
            server.sendall(request)
            self._let_it_answer(client, server)
        else:
            return False
        self.losses += 1
        return True

    def _let_it_answer(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the request still lacks, and listen until the server has said everything."""
        has_answered = False
        while True:
            readable, _, _ = select.select([client, server], [], [], QUIET)
            if server in readable:
                has_answered = True
                assert server.recv(1 << 20)
            elif client in readable:
                server.sendall(client.recv(1 << 20))
            elif has_answered:
                return
