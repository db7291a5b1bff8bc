"""What a schedule says, field by field: which seconds, minutes, hours, days of the month, months
and days of the week.

The values stand there one by one, in the order of the calendar; None is a field that says nothing,
`*`. Ranges, steps and names are gone: `cron_grammar.py` has read them. What cannot be seen in the
values any more and still matters is `is_interval`: whether the minutes or hours were given as a
wildcard or with a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from queuekit.errors import ScheduleError

#: How many days each month can have; the 0th is no month.
LONGEST = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Weekday(NamedTuple):
    """A day of the week, 0 being Sunday: each of them, or only the `nth` of a month (-1 is the
    last), or that of every `weeks`-th week, moved on by `shift` weeks."""

    day: int
    nth: int = 0
    weeks: int = 0
    shift: int = 0

    @property
    def is_plain(self) -> bool:
        return not self.nth and not self.weeks

    def __str__(self) -> str:
        if self.nth:
            return f"{self.day}#{self.nth}"
        elif self.weeks:
            return f"{self.day}%{self.weeks}" + (f"+{self.shift}" if self.shift else "")
        else:
            return str(self.day)


Values = tuple[int, ...] | None


@dataclass(frozen=True)
class Cron:
    """`needs_both_days`: a day has to be right by the month and by the week; otherwise, where both
    are given, one of them is enough, as crontab(5) has it."""

    seconds: Values
    minutes: Values
    hours: Values
    monthdays: Values
    months: Values
    weekdays: tuple[Weekday, ...] | None
    needs_both_days: bool = False
    is_interval: bool = False

    def __str__(self) -> str:
        """As five fields, or six when there is more to the seconds than a 0."""
        seconds = [] if self.seconds == (0,) else [_listed(self.seconds)]
        fields = (self.minutes, self.hours, self.monthdays, self.months)
        return " ".join([*seconds, *map(_listed, fields), self._weekdays_listed()])

    def _weekdays_listed(self) -> str:
        if self.weekdays is None:
            return "*"
        else:
            return ",".join(map(str, self.weekdays)) + ("&" if self.needs_both_days else "")

    def without_impossible_dates(self) -> Self:
        """Without months that have none of the days, and days that none of the months has.

        A 31st of February beside a 31st of January is only left out. Nothing but impossible dates
        is refused: it would wait for ever, and nobody would notice.
        """
        if self.months is None or self.monthdays is None:
            return self
        dates = [(m, d) for m in self.months for d in self.monthdays if d <= LONGEST[m]]
        if all(-day > LONGEST[month] for month, day in dates):
            raise ScheduleError(f"there is no such date: {self._dates()}")
        months, monthdays = ({*each} for each in zip(*dates, strict=True))
        return replace(self, months=tuple(sorted(months)), monthdays=tuple(sorted(monthdays)))

    def _dates(self) -> str:
        months = " or ".join(MONTHS[month - 1] for month in self.months or ())
        days = " or ".join(str(day) for day in self.monthdays or ())
        return f"{months} has no day {days}"


def _listed(values: Values) -> str:
    return "*" if values is None else ",".join(map(str, values))
