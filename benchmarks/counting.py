"""Counts the statements that a process sends to SQLite, which has no server to ask.

Imported by the measured processes. Each statement adds a byte to a file, whose size is then the
number of them all.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

_file = os.open(os.environ["BENCHMARK_STATEMENTS"], os.O_WRONLY | os.O_APPEND)


_connect = sqlite3.connect


def _count(statement: str) -> None:
    os.write(_file, b".")


def _watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(*arguments, **options)
    connection.set_trace_callback(_count)
    return connection


sqlite3.connect = _watched  # type: ignore[assignment]
