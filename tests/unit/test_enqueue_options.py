"""What `using` takes, and what it says to the rest."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from queuekit.description import Options, options
from queuekit.errors import EnqueueOptionError


def using(**given: Any) -> Options:
    defaults: dict[str, Any] = dict.fromkeys(("queue", "priority", "wait", "at", "connection"))
    return options(**defaults | given)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (timedelta(minutes=5), 300.0),
        (timedelta(microseconds=1), 1e-6),
        (timedelta(days=365_000), 365_000 * 86400.0),
    ],
)
def test_a_wait_is_seconds(wait: Any, seconds: float) -> None:
    assert using(wait=wait).wait == seconds


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        (datetime(2030, 1, 2, 3, tzinfo=UTC), datetime(2030, 1, 2, 3, tzinfo=UTC)),
        (
            datetime(2030, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2030, 7, 1, 10, tzinfo=UTC),
        ),
        (
            datetime(1990, 1, 1, tzinfo=timezone(timedelta(hours=-12))),
            datetime(1990, 1, 1, 12, tzinfo=UTC),
        ),
    ],
)
def test_a_time_is_kept_in_utc(at: datetime, moment: datetime) -> None:
    kept = using(at=at).at

    assert kept == moment
    assert kept is not None
    assert kept.tzinfo is UTC


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"wait": -1}, "wait=-1 is not a time to come"),
    ({"wait": -0.001}, "wait=-0.001 is not a time to come"),
    (
        {"wait": timedelta(seconds=-1)},
        "wait=datetime.timedelta(days=-1, seconds=86399) is not a time to come",
    ),
    ({"wait": math.nan}, "wait=nan is not a time to come"),
    ({"wait": math.inf}, "wait=inf is not a time to come"),
    ({"wait": 1e12}, "wait=1000000000000.0 ends after the year 9999"),
    (
        {"wait": timedelta.max},
        f"wait={timedelta.max!r} ends after the year 9999",
    ),
    ({"wait": True}, "wait is a timedelta or a number of seconds, not True"),
    ({"wait": "5m"}, "wait is a timedelta or a number of seconds, not '5m'"),
    ({"wait": Decimal(5)}, "wait is a timedelta or a number of seconds, not Decimal('5')"),
    (
        {"at": datetime(2030, 1, 31, 9)},
        "at=2030-01-31 09:00:00 has no time zone: pass at.replace(tzinfo=...) with the zone that "
        "is meant, such as zoneinfo.ZoneInfo('Europe/Berlin') or datetime.UTC",
    ),
    ({"at": "2030-01-31"}, "at is a datetime with a time zone, not '2030-01-31'"),
    ({"at": datetime(2030, 1, 31).date()}, "at is a datetime with a time zone, not datetime.date("),
    (
        {"at": datetime.max.replace(tzinfo=UTC)},
        "at=9999-12-31 23:59:59.999999+00:00 is at or after the end of the year 9999",
    ),
    (
        {"at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))},
        "at=9999-12-31 23:59:59.999999-12:00 is at or after the end of the year 9999",
    ),
    (
        {"at": datetime(2030, 1, 1, tzinfo=UTC), "wait": 5},
        "wait= and at= say the same thing twice: give one of them",
    ),
    ({"queue": ""}, "queue '' is empty, or begins or ends with a space"),
    ({"queue": "a*"}, "queue 'a*' has a * or a comma, which mean something to a worker's queues"),
    ({"queue": "q" * 192}, f"queue {'q' * 40}... has 192 characters; 191 fit"),
    ({"queue": b"q"}, "queue is a text, not b'q'"),
    ({"priority": 1.5}, "priority is a whole number, not 1.5"),
    ({"priority": -(2**31) - 1}, "priority -2147483649 is not between"),
]


@pytest.mark.parametrize(("given", "problem"), REFUSED, ids=lambda given: str(given)[:40])
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(EnqueueOptionError) as raised:
        using(**given)
    assert str(raised.value).startswith(problem)


def test_options_that_are_not_given_say_nothing() -> None:
    assert using() == Options()
    assert using(queue="q", priority=0) == Options(queue="q", priority=0)
