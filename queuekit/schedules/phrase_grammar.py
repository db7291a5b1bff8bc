"""The grammar of phrases, one function per production, from the whole to the parts.

    phrase   = clause {gap clause}
    clause   = "every" recurring {and recurring}
             | ["from"] span {and span}
             | ["at"] time {and time}
             | ["in" | "on"] zone
             | "on" day {and day}
    recurring = weekdays of a list or a span | ordinals "of the month" | interval
              | "weekday" | "week" | "year"
    interval = [count] unit ["starting at" unit count]
    span     = weekday "to" weekday | ordinal "to" ordinal | time "to" time
    time     = hour in words or digits, "am" | "pm" ... | unit numbers
    day      = "days" numbers | weekdays | "minute" numbers | "the" ordinals | "the hour"

The first alternative that fits is taken, and none is given back for the sake of what follows. The
language is that of Fugit, which Solid Queue reads schedules with; what Fugit reads and then does
otherwise than said is refused, here or where the clauses are put together, in `composing.py`.
"""

from __future__ import annotations

from typing import cast

from queuekit.errors import ScheduleError
from queuekit.schedules import words
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
from queuekit.schedules.cron_grammar import WEEKDAY_NAMES
from queuekit.schedules.scanner import Scanner

UNITS: dict[str, Unit] = {"s": "second", "m": "minute", "h": "hour", "d": "day", "M": "month"}


def read_phrase(scanner: Scanner) -> list[Clause] | None:
    """The clauses of a phrase, or None where it is none; then the scanner knows how far it got."""
    clauses = scanner.several(_clause, words.GAP)
    return [part for parts in clauses for part in parts] if scanner.at_end and clauses else None


def _clause(scanner: Scanner) -> list[Clause] | None:
    for production in (_every, _from, _at, _zone, _on):
        if (clauses := scanner.attempt(production)) is not None:
            return clauses
    return None


# every ...


def _every(scanner: Scanner) -> list[Clause] | None:
    if scanner.take(words.EVERY) is None:
        return None
    recurring: list[Clause] = scanner.several(_recurring, words.AND_OR)
    if len(recurring) > 1:
        raise ScheduleError("“every ... and ...” needs two schedules, write one task for each")
    return [recurring[0]] if recurring else None


def _recurring(scanner: Scanner) -> Clause | None:
    for production in (_weekday_span, _weekdays, _ordinals_of_the_month, _interval, _named):
        if (clause := scanner.attempt(production)) is not None:
            return cast(Clause, clause)
    return None


def _ordinals_of_the_month(scanner: Scanner) -> Monthdays | None:
    ordinals = scanner.several(_ordinal, words.COMMA_AND_OR)
    if not ordinals or scanner.take(words.OF_THE_MONTH) is None:
        return None
    return Monthdays(tuple(ordinals))


def _interval(scanner: Scanner) -> Interval | None:
    count = scanner.take(words.COUNT)
    name = scanner.take(words.INTERVAL)
    if name is None:
        return None
    unit = UNITS["M" if name.startswith("mo") else name[0]]
    return Interval(unit, _number(count or "1"), scanner.attempt(_start))


def _start(scanner: Scanner) -> int | None:
    """The unit need not be the interval's: "every 15 minutes starting at hour 5" is at 5, 20, 35
    and 50 minutes, for Fugit too."""
    if scanner.take(words.STARTING) is None or scanner.take(words.STARTING_UNIT) is None:
        return None
    count = scanner.take(words.COUNT)
    return None if count is None else _number(count)


def _named(scanner: Scanner) -> Every | None:
    if scanner.take(words.WEEKDAY_OF_ANY_NAME) is not None:
        return Every("weekday")
    name = scanner.take(words.WEEK_OR_YEAR)
    return None if name is None else Every(name.lstrip("1 \t"))


# from ... to ...


def _from(scanner: Scanner) -> list[Clause] | None:
    scanner.take(words.FROM)
    return scanner.several(_span, words.AND_OR) or None


def _span(scanner: Scanner) -> Clause | None:
    for production in (_weekday_span, _ordinal_span, _hour_span):
        if (clause := scanner.attempt(production)) is not None:
            return cast(Clause, clause)
    return None


def _weekday_span(scanner: Scanner) -> Weekdays | None:
    first = scanner.attempt(_weekday)
    if first is None or scanner.take(words.TO_WEEKDAY) is None:
        return None
    last = scanner.attempt(_weekday)
    return None if last is None else Weekdays((f"{first}-{last}",))


def _ordinal_span(scanner: Scanner) -> Monthdays | None:
    scanner.take(words.THE)
    first = scanner.attempt(_ordinal)
    if first is None or scanner.take(words.TO) is None:
        return None
    scanner.take(words.THE)
    last = scanner.attempt(_ordinal)
    return None if last is None else Monthdays((f"{first}-{last}",))


def _hour_span(scanner: Scanner) -> HourRange | None:
    first = scanner.attempt(_clock_time)
    if first is None or scanner.take(words.TO) is None:
        return None
    last = scanner.attempt(_clock_time)
    if last is None:
        return None
    if first.minute or last.minute:
        raise ScheduleError(
            "a range is of whole hours: write “from 8 to 17”, or cron, such as 30 8-17 * * *"
        )
    return HourRange(first.hour, last.hour)


# at ...


def _at(scanner: Scanner) -> list[Clause] | None:
    scanner.take(words.AT)
    times = scanner.several(_times, words.COMMA_AND_OR)
    return [clause for some in times for clause in some] or None


def _times(scanner: Scanner) -> list[Clause] | None:
    time = scanner.attempt(_clock_time)
    if time is not None:
        return [time]
    return scanner.several(_points, words.AND_OR) or None


def _clock_time(scanner: Scanner) -> Time | None:
    for production in (_time_in_words, _time_in_digits):
        if (time := scanner.attempt(production)) is not None:
            return time
    return None


def _time_in_words(scanner: Scanner) -> Time | None:
    name = scanner.take(words.HOUR_WORD)
    if name is None:
        return None
    scanner.take(words.DARK)
    minute = scanner.take(words.MINUTE_WORD)
    half = scanner.take(words.HALF_OF_DAY)
    if half and name in ("noon", "midnight"):
        raise ScheduleError(f"“{name} {half}” says the time of day twice")
    return _time(words.HOURS[name], words.MINUTES[minute] if minute else 0, half)


def _time_in_digits(scanner: Scanner) -> Time | None:
    clock = scanner.take(words.CLOCK) or scanner.take(words.HOUR)
    if clock is None:
        return None
    hour, _, minute = clock.partition(":")
    return _time(int(hour), int(minute or 0), scanner.take(words.HALF_OF_DAY))


def _time(hour: int, minute: int, half: str | None) -> Time:
    """12 is the one hour that is not what it says: 12am is midnight, 12pm is noon."""
    match (half or "").lower():
        case "am" if hour > 12:
            raise ScheduleError(f"there is no {hour}am")
        case "am" if hour == 12:
            hour = 0
        case "pm" if hour < 12:
            hour += 12
        case "pm" if hour == 24:
            raise ScheduleError("there is no 24pm")
        case "noon" | "midday" | "midnight" as name if hour != 12:
            raise ScheduleError(f"{name} is at 12, not at {hour}")
        case "midnight":
            hour = 24
    return Time(hour, minute)


def _points(scanner: Scanner) -> Points | None:
    name = scanner.take(words.POINT)
    if name is None:
        return None
    counts = scanner.several(_count, words.COMMA_AND_OR)
    if not counts:
        return None
    unit = UNITS[name[0].lower()]
    if unit == "hour":
        raise ScheduleError(f"“at hour {counts[0]}” is written “at {counts[0]}:00”")
    return Points(unit, tuple(counts))


def _count(scanner: Scanner) -> int | None:
    digits = scanner.take(words.COUNT)
    return None if digits is None else _number(digits)


# on ...


def _on(scanner: Scanner) -> list[Clause] | None:
    if scanner.take(words.ON) is None:
        return None
    return scanner.several(_day, words.AND) or None


def _day(scanner: Scanner) -> Clause | None:
    for production in (_monthdays, _weekdays, _minutes, _the_ordinals, _the_hour_or_minute):
        if (clause := scanner.attempt(production)) is not None:
            return cast(Clause, clause)
    return None


def _monthdays(scanner: Scanner) -> Monthdays | None:
    if scanner.take(words.DAYS) is None:
        return None
    days = scanner.several(lambda scanner: scanner.take(words.MONTHDAY), words.COMMA_AND_OR)
    return Monthdays(tuple(str(int(day)) for day in days)) if days else None


def _weekdays(scanner: Scanner) -> Weekdays | None:
    days = scanner.several(_weekday, words.COMMA_AND_OR)
    return Weekdays(tuple(days)) if days else None


def _minutes(scanner: Scanner) -> Points | None:
    if scanner.take(words.MINUTE) is None:
        return None
    minutes = scanner.several(_minute, words.COMMA_AND_OR)
    return Points("minute", tuple(minutes)) if minutes else None


def _minute(scanner: Scanner) -> int | None:
    scanner.take(words.MINUTE)
    digits = scanner.take(words.MINUTE_NUMBER)
    return None if digits is None else int(digits)


def _the_ordinals(scanner: Scanner) -> Monthdays | None:
    lists = scanner.several(_the_ordinal_list, words.COMMA_AND_OR)
    return Monthdays(tuple(day for days in lists for day in days)) if lists else None


def _the_ordinal_list(scanner: Scanner) -> list[str] | None:
    if scanner.take(words.THE) is None:
        return None
    return scanner.several(_ordinal, words.COMMA_AND_OR) or None


def _the_hour_or_minute(scanner: Scanner) -> OnThe | None:
    name = scanner.take(words.THE_HOUR_OR_MINUTE)
    return None if name is None else OnThe(name.split()[1].lower())


# Zones, and what all of them share


def _zone(scanner: Scanner) -> list[Clause] | None:
    scanner.take(words.IN_OR_ON)
    name = scanner.take(words.ZONE)
    return None if name is None else [Zone(name)]


def _weekday(scanner: Scanner) -> str | None:
    name = scanner.take(words.WEEKDAY)
    return None if name is None else str(WEEKDAY_NAMES.index(name[:3].lower()))


def _ordinal(scanner: Scanner) -> str | None:
    name = scanner.take(words.ORDINAL)
    return None if name is None else words.ORDINALS[name.lower()]


def _number(digits: str) -> int:
    if len(digits) > 4:
        raise ScheduleError(f"{digits[:10]} is more than there are of anything")
    return int(digits)
