"""Listening on a psycopg connection for the words that other processes send with their commits.

Behind a pooler that changes the session with each transaction, `listen` would be said to a server
process that answers others next: we would hear nothing, and they what they never asked for, which
some drivers keep for ever. So behind a pooler it is found out first whether a session stays ours.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any

from queuekit.database.hints import CHANNEL, read

LISTEN = f"listen {CHANNEL}"
_SERVER_PROCESS = "select pg_backend_pid()"

#: A pooler hands out the session that came back last, unless another client is faster.
_TRIES = 3

#: Seconds that a selector can be asked to wait.
_LONGEST = 86_400.0


class Listener:
    """The ears of one connection. Errors are the driver's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Of what comes with the answer to a query, a heartbeat, psycopg tells by a handler.
        self._heard: set[str] = set()
        connection.add_notify_handler(lambda notify: self._heard.update(read(notify.payload)))

    def hear(self, seconds: float, interrupt: int) -> frozenset[str]:
        """Wait until something is heard, but not longer than this, nor once the file descriptor
        `interrupt` can be read."""
        if not self._take():
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection.fileno(), selectors.EVENT_READ)
                selector.register(interrupt, selectors.EVENT_READ)
                selector.select(min(max(seconds, 0), _LONGEST))
            self._connection.pgconn.consume_input()
            self._take()
        heard = frozenset(self._heard)
        self._heard.clear()
        return heard

    def _take(self) -> bool:
        while (notify := self._connection.pgconn.notifies()) is not None:
            self._heard |= read(notify.extra.decode(errors="replace"))
        return bool(self._heard)


def keeps_its_session(connection: Any, connect: Callable[[], Any]) -> bool:
    """Whether one server process answers this connection, and nobody else, for as long as it is
    open. `connect` opens another one, which is needed behind a pooler only."""
    if _server_process(connection) == connection.info.backend_pid:
        return True  # the one that the login was told of: there is no pooler
    for _ in range(_TRIES):
        mine = _server_process(connection)
        other = connect()
        try:
            is_shared = _server_process(other) == mine
        finally:
            other.close()
        if is_shared or _server_process(connection) != mine:
            return False
    return True


def _server_process(connection: Any) -> int:
    ((pid,),) = connection.execute(_SERVER_PROCESS).fetchall()
    return int(pid)
