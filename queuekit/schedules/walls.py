"""The times that a cron names on a wall's calendar and clock: without a zone, so without changes of
the clocks. croniter finds them.

What croniter does not know is given to it as something wider that it does: days from the month's
end as the four days that it may be, the second Monday and the Monday of every third week as every
Monday. What it then finds on other days is passed over here, a whole day at a time.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, time
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from threading import Lock
from typing import Protocol

from queuekit.schedules.cron import Cron, Values, Weekday

#: The Monday that weeks are counted from, as in Fugit.
FIRST_MONDAY = date(2018, 12, 31)

DAY_END = time(23, 59, 59)

#: Leap days that are a certain day of the week are up to forty years apart.
LONGEST_WAIT = 50

Step = Callable[[datetime], datetime | None]


class Croniter(Protocol):
    """What is used of it."""

    def get_next(self, ret_type: type[datetime], start_time: datetime) -> datetime: ...

    def get_prev(self, ret_type: type[datetime], start_time: datetime) -> datetime: ...


class Walls:
    """The times of one cron. Any thread may ask."""

    def __init__(self, cron: Cron) -> None:
        self.cron = cron
        self._lock = Lock()

    def after(self, wall: datetime) -> datetime | None:
        """The first time after this one, or None where there is none within fifty years."""
        return self._search(wall, self._next, lambda day: datetime.combine(day, DAY_END))

    def before(self, wall: datetime) -> datetime | None:
        return self._search(wall, self._previous, lambda day: datetime.combine(day, time()))

    def _search(
        self, wall: datetime, step: Step, past: Callable[[date], datetime]
    ) -> datetime | None:
        found = step(wall)
        while found is not None and not self._is_right_day(found.date()):
            found = step(past(found.date()))
            if found is not None and abs(found.year - wall.year) > LONGEST_WAIT:
                return None
        return found

    def _next(self, wall: datetime) -> datetime | None:
        return self._asked(wall, is_prev=False)

    def _previous(self, wall: datetime) -> datetime | None:
        return self._asked(wall, is_prev=True)

    def _asked(self, wall: datetime, *, is_prev: bool) -> datetime | None:
        """croniter keeps where it stands, so that one thread at a time can ask. What it raises is
        that there is none: within its fifty years, or those of the calendar."""
        with self._lock:
            ask = self._croniter.get_prev if is_prev else self._croniter.get_next
            try:
                return ask(datetime, start_time=wall)
            except (OverflowError, ValueError):
                return None

    @cached_property
    def _croniter(self) -> Croniter:
        """Imported by the first who asks for a time: a process that only enqueues has no use for
        it, and it has no types that a type checker could see."""
        made: Croniter = import_module("croniter").croniter(
            self._expression(),
            datetime(2000, 1, 1),
            second_at_beginning=True,
            max_years_between_matches=LONGEST_WAIT,
            day_or=not self.cron.needs_both_days,
        )
        return made

    # What croniter is told

    def _expression(self) -> str:
        cron = self.cron
        monthdays, weekdays = self._days()
        fields = (cron.seconds, cron.minutes, cron.hours, monthdays, cron.months, weekdays)
        return " ".join(map(_short, fields))

    def _days(self) -> tuple[Values, Values]:
        """Where one field has all days and one of both is enough, the other does not matter; and
        croniter takes a field of all days for one that says nothing."""
        monthdays, weekdays = self._wider_monthdays(), self._wider_weekdays()
        if not monthdays or not weekdays or self.cron.needs_both_days:
            return monthdays, weekdays
        elif len(monthdays) == 31 or len(weekdays) == 7:
            return None, None
        else:
            return monthdays, weekdays

    def _wider_monthdays(self) -> Values:
        if self.cron.monthdays is None:
            return None
        days = {day for day in self.cron.monthdays if day > 0}
        for day in self.cron.monthdays:
            if day < 0:
                days |= {last + 1 + day for last in range(28, 32)} - {0, -1, -2}
        return tuple(sorted(days))

    def _wider_weekdays(self) -> Values:
        if self.cron.weekdays is None:
            return None
        return tuple(sorted({weekday.day for weekday in self.cron.weekdays}))

    # What is passed over

    @cached_property
    def _is_exact(self) -> bool:
        """Whether croniter was told all there is."""
        return all(weekday.is_plain for weekday in self.cron.weekdays or ()) and all(
            day > 0 for day in self.cron.monthdays or ()
        )

    def _is_right_day(self, day: date) -> bool:
        if self._is_exact:
            return True
        by_month, by_week = self.cron.monthdays, self.cron.weekdays
        if by_month is None:
            return self._is_right_weekday(day)
        elif by_week is None:
            return self._is_right_monthday(day)
        elif self.cron.needs_both_days:
            return self._is_right_monthday(day) and self._is_right_weekday(day)
        else:
            return self._is_right_monthday(day) or self._is_right_weekday(day)

    def _is_right_monthday(self, day: date) -> bool:
        monthdays = self.cron.monthdays or ()
        return day.day in monthdays or day.day - _length(day) - 1 in monthdays

    def _is_right_weekday(self, day: date) -> bool:
        return any(_fits(weekday, day) for weekday in self.cron.weekdays or ())


def _fits(weekday: Weekday, day: date) -> bool:
    if day.isoweekday() % 7 != weekday.day:
        return False
    elif weekday.nth > 0:
        return (day.day - 1) // 7 + 1 == weekday.nth
    elif weekday.nth < 0:
        return (_length(day) - day.day) // 7 + 1 == -weekday.nth
    elif weekday.weeks:
        return ((day - FIRST_MONDAY).days // 7 - weekday.shift) % weekday.weeks == 0
    else:
        return True


def _length(day: date) -> int:
    """Of the month."""
    return monthrange(day.year, day.month)[1]


def _short(values: Values) -> str:
    """As a range with a step where they are one, which croniter reads many times faster."""
    if values is None:
        return "*"
    if len(values) > 2:
        steps = {later - earlier for earlier, later in pairwise(values)}
        if len(steps) == 1:
            return f"{values[0]}-{values[-1]}/{steps.pop()}"
    return ",".join(map(str, values))
