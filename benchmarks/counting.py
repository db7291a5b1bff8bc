"""Counts the statements that a process sends to SQLite, which has no server to ask.

Imported by the measured processes. Each statement adds a byte to a file, whose size is then the
number of them all.
"""

from __future__ import annotations

import os
from typing import Any

import apsw

_file = os.open(os.environ["BENCHMARK_STATEMENTS"], os.O_WRONLY | os.O_APPEND)


def _count(event: dict[str, Any]) -> None:
    os.write(_file, b".")


def _watch(connection: apsw.Connection) -> None:
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, _count)


apsw.connection_hooks.append(_watch)
