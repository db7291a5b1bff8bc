"""What a phrase consists of: each production of `phrase_grammar.py` makes one of these."""

from __future__ import annotations

from typing import Literal, NamedTuple

Unit = Literal["second", "minute", "hour", "day", "month"]


class Interval(NamedTuple):
    """every 5 minutes; every 5 minutes starting at minute 3"""

    unit: Unit
    length: int
    start: int | None

    @property
    def is_each(self) -> bool:
        return self.length == 1 and self.start is None

    def __str__(self) -> str:
        if self.start is not None:
            return f"{self.start}/{self.length}"
        elif self.length == 1:
            return "*"
        else:
            return f"*/{self.length}"


class Every(NamedTuple):
    """every weekday, every week, every year: what leaves the day, or the time, open."""

    what: str


class Time(NamedTuple):
    """at 5pm; at five fifteen"""

    hour: int
    minute: int


class Points(NamedTuple):
    """at minutes 10 and 40; on minute 12; at second 30"""

    unit: Unit
    values: tuple[int, ...]


class OnThe(NamedTuple):
    """on the hour, on the minute"""

    unit: str


class HourRange(NamedTuple):
    """from 9am to 5pm"""

    start: int
    end: int


class Weekdays(NamedTuple):
    """on monday and friday; monday to thursday: items of cron's field"""

    items: tuple[str, ...]


class Monthdays(NamedTuple):
    """on the 1st and the last; on days 1, 15; from the 1st to the 5th: items of cron's field"""

    items: tuple[str, ...]


class Zone(NamedTuple):
    """in Europe/Berlin"""

    name: str


Clause = Interval | Every | Time | Points | OnThe | HourRange | Weekdays | Monthdays | Zone
