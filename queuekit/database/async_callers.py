"""A caller's asynchronous connection, for the thread that writes a job on behalf of the caller.

The thread speaks to it as to any DB-API connection; each call is made on the caller's event loop,
which is free to do so: the caller's task waits for the thread. So an enqueueing in the caller's
transaction is written once, whether it is awaited or not. psycopg's AsyncConnection is the one kind
that is known.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


def for_thread(connection: Any) -> Any:
    """The connection in a form that a thread can use while this task waits. One that blocks, and
    None, are that already."""
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(connection, psycopg.AsyncConnection):
        return connection
    import asyncio

    return AsyncCallersConnection(connection, asyncio.get_running_loop())


class AsyncCallersConnection:
    """As much of a DB-API connection as `CallersConnection` needs."""

    def __init__(self, connection: Any, loop: AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop

    @property
    def info(self) -> Any:
        return self._connection.info

    def cursor(self) -> _Cursor:
        from psycopg import AsyncCursor
        from psycopg.rows import tuple_row

        return _Cursor(AsyncCursor(self._connection, row_factory=tuple_row), self._loop)


class _Cursor:
    def __init__(self, cursor: Any, loop: AbstractEventLoop) -> None:
        self._cursor = cursor
        self._loop = loop

    @property
    def description(self) -> Any:
        return self._cursor.description

    def execute(self, sql: str, arguments: Any = None) -> None:
        self._wait_for(self._cursor.execute(sql, arguments))

    def fetchall(self) -> Any:
        return self._wait_for(self._cursor.fetchall())

    def close(self) -> None:
        self._wait_for(self._cursor.close())

    def _wait_for(self, call: Coroutine[Any, Any, Any]) -> Any:
        import asyncio

        return asyncio.run_coroutine_threadsafe(call, self._loop).result()
