"""MySQL's and MariaDB's errors: what they mean for queuekit."""

from __future__ import annotations

import ssl

from queuekit.database.dialect import DuplicateError, Parameters, TransientConflictError
from queuekit.errors import (
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    NotPreparedError,
)

_DEADLOCK, _LOCK_WAIT_TIMEOUT, _RECORD_CHANGED = 1213, 1205, 1020
_NO_SUCH_TABLE, _UNKNOWN_COLUMN = 1146, 1054
_THERE_ALREADY = (1050, 1060, 1061)  # a table, a column, a key
_DUPLICATE_ENTRY = 1062

#: What somebody has to put right: credentials, accounts locked or expired, hosts that may not come
#: in, databases that are not there, privileges, TLS that one end does not have.
_REFUSED = (
    *(1044, 1045, 1049, 1130, 1142, 1143, 1227, 1251, 1275, 1370, 1524, 1698),
    *(1820, 1862, 2026, 2059, 2061, 3118, 3159, 3955, 4151),
)

#: What passes: servers that are away, full, out of connections, read-only after a failover, or
#: block a host for its errors; connections that were lost.
_UNREACHABLE = (
    *(0, 1021, 1040, 1043, 1053, 1077, 1079, 1114, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1203),
    *(1226, 1290, 1836, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 3032, 4031),
)


def too_big(place: str, size: int, parameters: Parameters, limit: int) -> DatabaseError:
    """The error of a statement that the server's limit does not let through."""
    sizes = {name: len(text.encode()) for name, text in parameters.items() if type(text) is str}
    largest = max(sizes, key=lambda name: sizes[name], default="nothing")
    return DatabaseError(
        f"{place}: too big: a statement of {size:,} bytes, {sizes.get(largest, 0):,} of them in "
        f"{largest!r}; the server's max_allowed_packet is {limit:,}"
    )


def translate(error: BaseException, url: str) -> DatabaseError | None:
    if "Error" not in {kind.__name__ for kind in type(error).__mro__}:
        return None
    code = _code(error)
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if code in (_DEADLOCK, _LOCK_WAIT_TIMEOUT, _RECORD_CHANGED):
        return TransientConflictError(f"{url}: {text}")
    if code in (_NO_SUCH_TABLE, _UNKNOWN_COLUMN) and "queuekit_" in str(error):
        return NotPreparedError(f"{url} lacks queuekit's tables ({text}): run bin/jobs prepare")
    if code == _DUPLICATE_ENTRY:
        return DuplicateError(text)
    if code in _REFUSED or _is_mistrusted(error):
        return DatabaseRefusedError(f"{url}: {text}")
    if code in _UNREACHABLE:
        return DatabaseUnavailableError(f"{url}: {text or 'the connection was lost'}")
    return DatabaseError(f"{url}: {text}")


def is_there_already(error: BaseException | None) -> bool:
    """Whether a statement of a migration has been applied before."""
    return _code(error) in _THERE_ALREADY


def _is_mistrusted(error: BaseException) -> bool:
    """Whether connecting ended because the server's certificate was not accepted."""
    return isinstance(getattr(error, "original_exception", None), ssl.SSLCertVerificationError)


def _code(error: BaseException | None) -> int | None:
    if error is None or not error.args or not isinstance(error.args[0], int):
        return None
    code: int = error.args[0]
    return code
