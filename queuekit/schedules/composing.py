"""Putting the clauses of a phrase together as one cron.

Each clause speaks of a time of day, of days or of months. A clause may leave open what another one
says: "every day" leaves the weekdays open, "every hour" the minute. Where two clauses say different
things of the same field, or all of them together need more than one cron, the phrase is refused: to
drop a part of it would be to run at other times than it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from queuekit.errors import ScheduleError
from queuekit.schedules.clauses import (
    Clause,
    Every,
    HourRange,
    Interval,
    Monthdays,
    OnThe,
    Points,
    Time,
    Unit,
    Weekdays,
    Zone,
)

T = TypeVar("T")

#: The intervals that are as long as they say: what divides the next larger unit. Of days there is
#: no such number; they are counted from the first of each month.
INTERVALS: dict[Unit, tuple[int, ...]] = {
    "second": (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60),
    "minute": (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60),
    "hour": (1, 2, 3, 4, 6, 8, 12, 24),
    "day": tuple(range(1, 16)),
    "month": (1, 2, 3, 4, 6, 12),
}


def compose(clauses: list[Clause]) -> tuple[str, str | None]:
    """The cron that does what the clauses say, and the name of its zone."""
    composition = _Composition(clauses)
    return composition.cron(), composition.zone


class _Composition:
    """The clauses of a phrase by what they speak of."""

    def __init__(self, clauses: list[Clause]) -> None:
        self.intervals = _intervals(clauses)
        self.every = _single((each.what for each in _of(Every, clauses)), "“every ...”")
        self.times = _of(Time, clauses)
        self.seconds = [at for at in _of(Points, clauses) if at.unit == "second"]
        self.minutes = [at for at in _of(Points, clauses) if at.unit == "minute"]
        self.on_the = _single((on.unit for on in _of(OnThe, clauses)), "“on the ...”")
        self.range = _single(_of(HourRange, clauses), "“from ... to ...”")
        self.weekdays = [item for days in _of(Weekdays, clauses) for item in days.items]
        self.monthdays = [item for days in _of(Monthdays, clauses) for item in days.items]
        self.zone = _single((zone.name for zone in _of(Zone, clauses)), "zone")

    def cron(self) -> str:
        seconds, (minutes, hours) = self._seconds(), self._time_of_day()
        fields = [minutes, hours, self._monthdays(), self._months(), self._weekdays()]
        if seconds != "0":
            fields.insert(0, seconds)
        return " ".join(fields)

    # The time of day

    def _seconds(self) -> str:
        each = self.intervals.get("second")
        if each is None:
            return _listed(second for at in self.seconds for second in at.values) or "0"
        if self.seconds:
            raise _contradiction("an interval of seconds and certain seconds")
        is_in_one_minute = "hour" in self.intervals or self._speaks_of_days
        has_minutes = self.minutes or self.on_the or "minute" in self.intervals
        if self.times or self.range or (is_in_one_minute and not has_minutes):
            raise _contradiction("an interval of seconds, and hours, days or a time of day")
        return str(each)

    def _time_of_day(self) -> tuple[str, str]:
        """The minutes and the hours."""
        if not self._speaks_of_time:
            return self._no_time_of_day()
        elif self.times:
            return self._fixed_times()
        elif self.range:
            return self._within_the_range(self.range)
        elif "hour" in self.intervals:
            return self._minutes_of_the_hour() or "0", str(self.intervals["hour"])
        elif minutes := self._minutes_of_the_hour():
            return minutes, "*"
        else:
            raise ScheduleError("“on the hour” is “every hour”, or “at” the hour that it is to be")

    @property
    def _speaks_of_time(self) -> bool:
        intervals = self.intervals.keys() & {"hour", "minute"}
        return bool(intervals or self.times or self.minutes or self.on_the or self.range)

    @property
    def _speaks_of_days(self) -> bool:
        intervals = self.intervals.keys() & {"day", "month"}
        return bool(intervals or self.every or self.weekdays or self.monthdays)

    def _no_time_of_day(self) -> tuple[str, str]:
        if self._speaks_of_days:
            return "0", "0"
        elif "second" in self.intervals or self.seconds:
            return "*", "*"
        else:
            raise ScheduleError("a zone alone says no time")

    def _fixed_times(self) -> tuple[str, str]:
        if self.range or self.on_the or self.minutes or self.intervals.keys() & {"hour", "minute"}:
            raise _contradiction("a time of day, and an interval or a range of them")
        hours = {time.hour for time in self.times}
        minutes = {time.minute for time in self.times}
        if len({*self.times}) < len(hours) * len(minutes):
            raise ScheduleError(
                "times with different minutes need several crons: write one task for each time"
            )
        return _listed(minutes), _listed(hours)

    def _within_the_range(self, hours: HourRange) -> tuple[str, str]:
        """From 9 to 17 is at 17:00 too when it is on the hour; the minutes after it are outside."""
        each = self.intervals.get("hour")
        if each is not None and not each.is_each:
            raise ScheduleError(
                f"“every {each.length} hours” does not go with a range of hours: "
                f"write cron, such as 0 {hours.start}-{hours.end}/{each.length} * * *"
            )
        minutes = self._minutes_of_the_hour(on_the_hour_too=True)
        if not minutes:
            return "0", f"{hours.start}-{hours.end}"
        if hours.end == 0:
            raise ScheduleError("the midnight at which a range ends is 24:00")
        last = hours.end - 1
        return minutes, str(last) if last == hours.start else f"{hours.start}-{last}"

    def _minutes_of_the_hour(self, *, on_the_hour_too: bool = False) -> str:
        """Nothing if no clause says any, or if they are those on the hour."""
        each, on_the = self.intervals.get("minute"), self.on_the
        if len(self.minutes) > 1:
            raise ScheduleError("minutes are one list: “at minutes 10 and 40”")
        if self.minutes and (each or on_the):
            raise _contradiction("certain minutes, and others")
        if each and on_the and (on_the == "hour" or not each.is_each):
            raise _contradiction(f"an interval of minutes, and “on the {on_the}”")
        if on_the == "hour" and not on_the_hour_too:
            raise ScheduleError("“on the hour” is “every hour”, or “at” the hour that it is to be")
        if each:
            return str(each)
        elif self.minutes:
            return _listed(self.minutes[0].values)
        else:
            return "*" if on_the == "minute" else ""

    # Days and months

    def _monthdays(self) -> str:
        each = self.intervals.get("day")
        if self.monthdays:
            if each and not each.is_each:
                raise _contradiction("an interval of days and certain days")
            if self.every == "week" and not self.weekdays:
                raise _contradiction("“every week” and days of the month")
            return _listed(self.monthdays)
        elif each:
            if not each.is_each and (self.weekdays or self.every == "weekday"):
                raise _contradiction("an interval of days and days of the week")
            return str(each)
        else:
            return "*" if self._has_weekdays or not self._has_months else "1"

    def _months(self) -> str:
        each = self.intervals.get("month")
        if self.every != "year":
            return str(each) if each else "*"
        if each or "day" in self.intervals or self.weekdays:
            raise _contradiction("“every year”, and other intervals or days of the week")
        return "1"

    def _weekdays(self) -> str:
        if self.weekdays and self.every == "weekday":
            raise _contradiction("“every weekday” and certain days of the week")
        if self.every == "week" and "day" in self.intervals:
            raise _contradiction("“every week” and days")
        if self.weekdays:
            return _listed(self.weekdays)
        else:
            return {"weekday": "1-5", "week": "0"}.get(self.every or "", "*")

    @property
    def _has_weekdays(self) -> bool:
        return bool(self.weekdays) or self.every in ("weekday", "week")

    @property
    def _has_months(self) -> bool:
        return "month" in self.intervals or self.every == "year"


def _of(kind: type[T], clauses: list[Clause]) -> list[T]:
    return [clause for clause in clauses if isinstance(clause, kind)]


def _single(values: Iterable[T], what: str) -> T | None:
    different = {*values}
    if len(different) > 1:
        raise ScheduleError(f"more than one {what} in a schedule: write one task for each")
    return different.pop() if different else None


def _intervals(clauses: list[Clause]) -> dict[Unit, Interval]:
    intervals: dict[Unit, Interval] = {}
    for interval in _of(Interval, clauses):
        if intervals.setdefault(interval.unit, interval) != interval:
            raise _contradiction(f"two intervals of {interval.unit}s")
        if interval.length not in INTERVALS[interval.unit]:
            raise _no_such_interval(interval)
    return intervals


def _no_such_interval(interval: Interval) -> ScheduleError:
    unit, there_are = interval.unit, INTERVALS[interval.unit]
    if unit == "day":
        return ScheduleError(
            f"days are counted from the first of the month, so that “every {interval.length} days” "
            f"would not be that; there are intervals of 1 to {there_are[-1]} days"
        )
    listed = ", ".join(map(str, there_are))
    return ScheduleError(
        f"“every {interval.length} {unit}s” would begin anew amid an interval; "
        f"of {unit}s there are intervals of {listed}"
    )


def _contradiction(what: str) -> ScheduleError:
    return ScheduleError(f"{what} do not go together in one schedule")


def _listed(values: Iterable[object]) -> str:
    """Numbers in their order, what is none of them after, each once."""
    return ",".join(
        sorted({*map(str, values)}, key=lambda item: (not item.isdigit(), item.zfill(2)))
    )
