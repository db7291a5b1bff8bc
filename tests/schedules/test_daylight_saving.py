"""The days on which the clocks are changed, over ten years of five zones: against a walk through
all of their half hours, which knows nothing of changes.

Fixed times happen once a day, at the first moment after the gap where the clocks skip them;
intervals follow the clocks, whatever they show.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from queuekit.schedules import Schedule, parse

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
)
BEGIN, END = datetime(2016, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
HALF_HOUR, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)

Fits = Callable[[datetime], bool]

FIXED: dict[str, Fits] = {
    "0 0 * * *": lambda wall: (wall.hour, wall.minute) == (0, 0),
    "30 0 * * *": lambda wall: (wall.hour, wall.minute) == (0, 30),
    "every day at 1:30": lambda wall: (wall.hour, wall.minute) == (1, 30),
    "30 2 * * sun": lambda wall: (wall.hour, wall.minute, wall.isoweekday()) == (2, 30, 7),
    "every day at 23:30": lambda wall: (wall.hour, wall.minute) == (23, 30),
    "0,30 0-3 * * *": lambda wall: wall.hour <= 3,
}

INTERVALS: dict[str, Fits] = {
    "every 30 minutes": lambda wall: True,
    "every hour": lambda wall: wall.minute == 0,
    "every hour at minute 30": lambda wall: wall.minute == 30,
    "every 2 hours": lambda wall: wall.minute == 0 and wall.hour % 2 == 0,
    "*/30 1 * * *": lambda wall: wall.hour == 1,
    "* 0 * * sun": lambda wall: wall.hour == 0 and wall.isoweekday() == 7,
}


@lru_cache(maxsize=8)
def half_hours(zone: str) -> list[tuple[datetime, datetime]]:
    """Each half hour of the ten years, and what the clocks show then."""
    steps = (END - BEGIN) // HALF_HOUR
    moments = [BEGIN + HALF_HOUR * step for step in range(steps)]
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)) for at in moments]


@lru_cache(maxsize=8)
def changes(zone: str) -> list[datetime]:
    """The first half hours whose clocks are not half an hour ahead of those before."""
    walk = half_hours(zone)
    return [at for (_, before), (at, wall) in pairwise(walk) if wall - before != HALF_HOUR]


def fixed_times(zone: str, fits: Fits) -> list[datetime]:
    """Of each wall time the first moment that shows it, or a later one if none does."""
    times: list[datetime] = []
    latest = half_hours(zone)[0][1] - HALF_HOUR
    for at, wall in half_hours(zone):
        shown_or_skipped = [
            latest + HALF_HOUR * step for step in range(1, (wall - latest) // HALF_HOUR + 1)
        ]
        if any(map(fits, shown_or_skipped)):
            times.append(at)
        latest = max(latest, wall)
    return times


def chain(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    times: list[datetime] = []
    at = schedule.next(begin)
    while at < end:
        times.append(at)
        at = schedule.next(at)
    return times


def chain_back(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    times: list[datetime] = []
    at = schedule.previous(end)
    while at > begin:
        times.append(at)
        at = schedule.previous(at)
    return times[::-1]


@pytest.mark.parametrize("zone", ZONES)
def test_the_zones_have_changes_in_these_years(zone: str) -> None:
    walls = [wall for _, wall in half_hours(zone)]

    assert len(changes(zone)) >= 6
    assert any(later < earlier + HALF_HOUR for earlier, later in pairwise(walls))
    assert any(later > earlier + HALF_HOUR for earlier, later in pairwise(walls))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", FIXED)
def test_fixed_times_happen_once_a_day(text: str, zone: str) -> None:
    schedule = parse(text, timezone=zone)
    expected = fixed_times(zone, FIXED[text])

    for begin, end in around_the_changes(zone, days=4):
        between = [at for at in expected if begin < at < end]
        assert chain(schedule, begin, end) == between
        assert chain_back(schedule, begin, end) == between


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_time_happens_on_each_day_of_ten_years(zone: str) -> None:
    schedule = parse("every day at 2:30", timezone=zone)
    expected = fixed_times(zone, lambda wall: (wall.hour, wall.minute) == (2, 30))
    days = [at.astimezone(ZoneInfo(zone)).date() for at in expected]

    assert {later - earlier for earlier, later in pairwise(days)} == {DAY}
    assert chain(schedule, BEGIN, END) == expected
    assert chain_back(schedule, BEGIN, END) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", INTERVALS)
def test_intervals_follow_the_clocks(text: str, zone: str) -> None:
    schedule = parse(text, timezone=zone)
    finer = text == "* 0 * * sun"
    expected = [at for at, wall in half_hours(zone) if INTERVALS[text](wall)]

    for begin, end in around_the_changes(zone, days=1):
        between = [at for at in expected if begin < at < end]
        there, back = chain(schedule, begin, end), chain_back(schedule, begin, end)
        assert there == back
        assert [at for at in there if not finer or at.minute % 30 == 0] == between


def around_the_changes(zone: str, *, days: int) -> list[tuple[datetime, datetime]]:
    return [(at - DAY * days, at + DAY * days) for at in changes(zone) if at + DAY * days < END]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "text", ["every day at 1:30", "30 2 * * *", "every 20 minutes", "0 * * * *"]
)
def test_from_any_moment_of_a_changing_day_the_same_times_are_next(text: str, zone: str) -> None:
    schedule = parse(text, timezone=zone)
    for change in changes(zone)[:4]:
        times = chain(schedule, change - DAY * 2, change + DAY * 2)
        for step in range(-9, 10):
            at = change + timedelta(minutes=17) * step

            assert schedule.next(at) == min(time for time in times if time > at)
            assert schedule.previous(at) == max(time for time in times if time < at)


def test_a_day_that_is_skipped_is_made_up_for_at_its_end() -> None:
    """Samoa went over the date line: Thursday the 29th was followed by Saturday the 31st."""
    schedule = parse("every day at 9am in Pacific/Apia")
    begin = datetime(2011, 12, 29, 12, tzinfo=ZoneInfo("Pacific/Apia"))

    times = [at.isoformat() for at in chain(schedule, begin, begin + DAY * 2)]
    assert times == ["2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"]


@pytest.mark.parametrize(
    ("text", "before_and_after"),
    [
        ("every day at 2:30", ["03-30T02:30:00+01:00", "03-31T03:00:00+02:00"]),
        ("30 2,3 * * *", ["03-31T03:00:00+02:00", "03-31T03:30:00+02:00"]),
        ("every hour", ["03-31T01:00:00+01:00", "03-31T03:00:00+02:00"]),
        ("every 24 hours", ["03-31T00:00:00+01:00", "04-01T00:00:00+02:00"]),
    ],
)
def test_the_last_sunday_of_march_in_berlin(text: str, before_and_after: list[str]) -> None:
    zone = ZoneInfo("Europe/Berlin")
    schedule = parse(text, timezone=zone)
    at = datetime.fromisoformat(f"2024-{before_and_after[0]}").astimezone(zone)

    assert schedule.next(at).isoformat() == f"2024-{before_and_after[1]}"
    assert schedule.previous(schedule.next(at)) == at
