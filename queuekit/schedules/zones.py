"""Zones: what a name stands for, and when a zone's clocks are changed.

A zone is a name of the time zone database (Europe/Berlin, UTC, EST) or a fixed offset (+05:30). The
system's database comes first, then that of the package tzdata: small images have none, and Debian
keeps the old names apart.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from queuekit.errors import ScheduleError

#: From the westernmost to the easternmost clock there is.
OFFSETS = (timedelta(hours=-12), timedelta(hours=14))

LOCALTIME = Path("/etc/localtime")

_OFFSET = re.compile(r"([-+])(\d\d):?(00|15|30|45)", re.ASCII)

#: Never two changes within so few days; Ramadan, the shortest season, is a month.
_STRIDE = timedelta(days=4)
_SECOND = timedelta(seconds=1)


def zone_named(name: str) -> tzinfo:
    """Names in small letters are of files beside the zones, and of copies with leap seconds."""
    if name[:1] in ("+", "-"):
        return _offset(name)
    elif not name[:1].isupper():
        raise ScheduleError(_unknown(name))
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ScheduleError(_unknown(name)) from error


def _offset(name: str) -> tzinfo:
    found = _OFFSET.fullmatch(name)
    if found is None:
        raise ScheduleError(
            f"“{name}” is no zone: an offset is written +hh:mm, its minutes 00, 15, 30 or 45; "
            "or name the zone, such as Europe/Berlin"
        )
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    if not OFFSETS[0] <= offset <= OFFSETS[1]:
        raise ScheduleError(f"“{name}” is no zone: no clock is so far from UTC")
    return timezone(offset, name)


def zone_of_the_machine() -> tzinfo:
    """What TZ names, else what /etc/localtime is a link to, or holds; else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name and not name.startswith("/"):
        return _named_by_tz(name)
    path = Path(name) if name else LOCALTIME
    name = os.path.realpath(path).partition("/zoneinfo/")[2].removeprefix("posix/")
    if name:
        return zone_named(name)
    elif path.exists():
        return _held_by(path)
    else:
        return UTC


def _named_by_tz(name: str) -> tzinfo:
    try:
        return zone_named(name)
    except ScheduleError as error:
        raise ScheduleError(f"it says no zone, and of the variable TZ: {error}") from error


@lru_cache(maxsize=8)
def _held_by(path: Path) -> tzinfo:
    """A copy of a zone, as images have it; one object for all, since changes are kept with it."""
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key="localtime")


# Unknown names


def _unknown(name: str) -> str:
    if not any(character.isalpha() for character in name):
        return f"“{name[:60]}” is no zone: cron has five fields, or six, seconds first"
    nearest = nearest_zone(name[:60])
    return f"“{name[:60]}” is no zone that is known here; the nearest name is {nearest}"


@lru_cache(maxsize=256)
def nearest_zone(name: str) -> str:
    """The zone whose name, or whose place's name, shares most with this one."""
    wanted = _pairs(name)

    def likeness(known: str) -> tuple[float, int]:
        return max(_shared(wanted, pairs) for pairs in _known_pairs()[known]), -len(known)

    return max(sorted(_known_pairs()), key=likeness)


@lru_cache(maxsize=1)
def _known_pairs() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    return {name: (_pairs(name), _pairs(name.rpartition("/")[2])) for name in available_timezones()}


def _pairs(name: str) -> frozenset[str]:
    letters = f"^{re.sub(r'[^a-z0-9+]', '', name.lower())}$"
    return frozenset(letters[at : at + 2] for at in range(len(letters) - 1))


def _shared(some: frozenset[str], others: frozenset[str]) -> float:
    return len(some & others) / (len(some | others))


# Changes of the clocks


class Change(NamedTuple):
    """The moment of a change, in UTC without saying so, and the offsets before and since then."""

    at: datetime
    before: timedelta
    since: timedelta

    @property
    def skipped_to(self) -> datetime:
        """What the clocks show first, since the change."""
        return self.at + self.since

    @property
    def repeated_until(self) -> datetime:
        """What the clocks would have shown without it."""
        return self.at + self.before


def offset_at(zone: tzinfo, moment: datetime) -> timedelta:
    """`moment` is in UTC without saying so, here and everywhere below."""
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def changes_between(zone: tzinfo, start: datetime, end: datetime) -> list[Change]:
    """Those after the start and not after the end, in their order."""
    years = range(start.year, end.year + 1)
    return [c for year in years for c in _changes(zone, year) if start < c.at <= end]


def change_before(zone: tzinfo, moment: datetime) -> Change:
    """The last one, when one is known to have been in the last days."""
    return changes_between(zone, moment - _STRIDE, moment)[-1]


@lru_cache(maxsize=4096)
def _changes(zone: tzinfo, year: int) -> tuple[Change, ...]:
    """The changes of a year: zoneinfo does not tell them, but where two offsets differ, there is
    one between."""
    if isinstance(zone, timezone) or not datetime.min.year < year < datetime.max.year:
        return ()
    changes = []
    end = datetime(year + 1, 1, 1) - _SECOND
    moment = datetime(year, 1, 1) - _SECOND
    offset = offset_at(zone, moment)
    while moment < end:
        following = min(moment + _STRIDE, end)
        if (changed := offset_at(zone, following)) != offset:
            changes.append(Change(_first_with(zone, changed, moment, following), offset, changed))
        moment, offset = following, changed
    return tuple(changes)


def _first_with(zone: tzinfo, offset: timedelta, without: datetime, moment: datetime) -> datetime:
    while moment - without > _SECOND:
        middle = without + (moment - without) // 2
        middle = middle.replace(microsecond=0)
        if offset_at(zone, middle) == offset:
            moment = middle
        else:
            without = middle
    return moment
