"""When a job is to run: what callers say, checked, in the form that the statements take."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from queuekit.checks import in_seconds
from queuekit.errors import EnqueueOptionError

#: No time after this can be stored and read back on every database.
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def seconds_to_wait(wait: timedelta | float) -> float:
    """A `wait` in seconds.

    Raises EnqueueOptionError.
    """
    seconds = in_seconds(wait)
    if seconds is None:
        raise EnqueueOptionError(f"wait is a timedelta or a number of seconds, not {wait!r}")
    if not math.isfinite(seconds) or seconds < 0:
        raise EnqueueOptionError(f"wait={wait!r} is not a time to come")
    if seconds > (_LAST_MOMENT - datetime.now(UTC)).total_seconds():
        raise EnqueueOptionError(f"wait={wait!r} ends after the year 9999")
    return seconds


def moment_in_utc(at: datetime) -> datetime:
    """An `at` in UTC.

    Raises EnqueueOptionError.
    """
    if not isinstance(at, datetime):
        raise EnqueueOptionError(f"at is a datetime with a time zone, not {at!r}")
    if at.tzinfo is None or at.utcoffset() is None:
        raise EnqueueOptionError(
            f"at={at.isoformat(' ')} has no time zone: pass at.replace(tzinfo=...) with the zone "
            "that is meant, such as zoneinfo.ZoneInfo('Europe/Berlin') or datetime.UTC"
        )
    try:
        moment = at.astimezone(UTC)
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC)
    if moment > _LAST_MOMENT:
        raise EnqueueOptionError(f"at={at.isoformat(' ')} is at or after the end of the year 9999")
    return moment
