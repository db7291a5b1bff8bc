"""PostgreSQL's errors, and those of libpq and of poolers: what they mean for queuekit.

The same for psycopg and psycopg2, since they are told by SQLSTATE and by their classes' names.
"""

from __future__ import annotations

from queuekit.database.dialect import DuplicateError, StatementCacheError, TransientConflictError
from queuekit.errors import (
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)

#: SQLSTATEs of transactions that may simply be run again.
_CONFLICTS = ("40001", "40P01", "55P03")
_UNPREPARED = ("42P01", "42703", "3F000")
_STATEMENT_CACHE = ("26000", "42P05", "0A000", "08P01")

#: Refusals at login that pass by themselves: the server's own, and those of poolers before it.
_PASSING = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting connections",
    "is not accepting connections",
    "too many",
    "connection slots",
    "terminating",
    "cannot connect to server",
    "crashed",
    "no more connections allowed",
    "try again later",
    "cached error",
    "timeout",
    "paused",
)

#: What libpq says of parameters that it knows and whose values it cannot use.
_UNUSABLE = ("connection is bad: invalid ", "value for connection option")

#: What libpq itself refuses, without the server's word.
_MISTRUSTED = (
    "no password supplied",
    "does not support SSL",
    "certificate",
    "authentication method requirement",
)

#: A standby, or a primary that has just become one: the connection is of no use, the next may be.
_READ_ONLY = "25006"


def translate(error: BaseException, url: str) -> DatabaseError | None:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "Error" not in kinds:
        return None
    text = first_line(error)
    if state in _CONFLICTS:
        return TransientConflictError(f"{url}: {text}")
    if (state in _UNPREPARED and "queuekit_" in str(error)) or state == "3F000":
        return NotPreparedError(f"{url} lacks queuekit's tables ({text}): run bin/jobs prepare")
    if (state in _STATEMENT_CACHE and "prepared statement" in text) or "cached plan" in text:
        return StatementCacheError(f"{url}: {text}")
    if state == "23505":
        return DuplicateError(text)
    if _is_refused(state, text):
        return DatabaseRefusedError(f"{url}: {text}")
    if _is_lost(state, kinds):
        return DatabaseUnavailableError(f"{url}: {text}")
    return DatabaseError(f"{url}: {text}")


def has_unusable_parameters(error: BaseException) -> bool:
    """Whether libpq cannot use what it was given to connect with."""
    return any(text in str(error) for text in _UNUSABLE)


def _is_refused(state: str | None, text: str) -> bool:
    """Whether the server turned the login, or a privilege, down. Failed connections have no
    SQLSTATE, only text."""
    if state is not None:
        return state[:2] in ("28", "3D") or state == "42501"
    if any(mistrust in text for mistrust in _MISTRUSTED):
        return True
    return "FATAL" in text and not any(passing in text for passing in _PASSING)


def _is_lost(state: str | None, kinds: set[str]) -> bool:
    """Whether the connection is gone or was never made: no SQLSTATE, or one that says so."""
    if state is None:
        return bool(kinds & {"OperationalError", "InterfaceError"})
    return state[:2] in ("08", "53", "58") or state[:4] == "57P0" or state == _READ_ONLY


def first_line(error: BaseException) -> str:
    lines: list[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
