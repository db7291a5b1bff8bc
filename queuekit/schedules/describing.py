"""A schedule in English: "At 09:00 and 17:00, from Monday to Friday, Europe/Berlin"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import time, tzinfo
from itertools import product

from queuekit.schedules.cron import MONTHS, Cron, Values, Weekday

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

#: More times than these are told by their hours and minutes.
MOST_TIMES = 8


def describe(cron: Cron, zone: tzinfo) -> str:
    parts = [_time(cron), _days(cron), _months(cron.months), str(zone)]
    sentence = ", ".join(filter(None, parts))
    return sentence[0].upper() + sentence[1:]


# The time of day


def _time(cron: Cron) -> str:
    times = _fixed_times(cron)
    if times:
        return f"at {_listed(times)}"
    elif cron.seconds == (0,):
        return _minutes_and_hours(cron.minutes, cron.hours)
    else:
        return " ".join(filter(None, [_seconds(cron), _minutes_and_hours_around(cron)]))


def _fixed_times(cron: Cron) -> list[str]:
    """Nothing where there are too many to read, or where they are an interval."""
    seconds, minutes, hours = cron.seconds, cron.minutes, cron.hours
    if seconds is None or minutes is None or hours is None or cron.is_interval:
        return []
    times = [time(*at) for at in product(hours, minutes, seconds)]
    if len(times) > MOST_TIMES:
        return []
    return [f"{at:%H:%M}" if seconds == (0,) else f"{at:%H:%M:%S}" for at in times]


def _seconds(cron: Cron) -> str:
    every = _every("second", cron.seconds, 60)
    if every:
        return every
    of_every_minute = " of every minute" if cron.minutes is None else ""
    return _numbered("second", cron.seconds) + of_every_minute


def _minutes_and_hours_around(cron: Cron) -> str:
    """What a text that begins with the seconds goes on with."""
    if cron.minutes is None:
        return _hours(cron.hours)
    else:
        return _minutes_and_hours(cron.minutes, cron.hours, always_minutes=True)


def _minutes_and_hours(minutes: Values, hours: Values, *, always_minutes: bool = False) -> str:
    every_minutes = _every("minute", minutes, 60)
    if every_minutes:
        return " ".join(filter(None, [every_minutes, _hours(hours)]))
    every_hours = _every("hour", hours, 24)
    if minutes == (0,) and not always_minutes:
        return every_hours or f"every hour {_hours(hours, ':00')}"
    elif hours is None:
        return f"{_numbered('minute', minutes)} of every hour"
    else:
        return f"{every_hours or _hours(hours)} {_numbered('minute', minutes)}"


def _hours(hours: Values, minutes: str = ":59") -> str:
    """The hours through which something goes on, to the last minute of them unless told another."""
    if hours is None:
        return ""
    run = _run(hours, 24)
    if every := _every("hour", hours, 24):
        return f"of {every}"
    elif run:
        return f"from {run[0]:02}:00 to {run[-1]:02}{minutes}"
    else:
        return f"in {_numbered('hour', hours).removeprefix('at ')}"


def _every(unit: str, values: Values, whole: int) -> str:
    """every 5 minutes, where they go around evenly from 0."""
    if values is None:
        return f"every {unit}"
    elif len(values) > 1 and values == tuple(range(0, whole, whole // len(values))):
        return f"every {whole // len(values)} {unit}s"
    else:
        return ""


def _numbered(unit: str, values: Values) -> str:
    numbers = values or ()
    return f"at {unit}{'s' if len(numbers) > 1 else ''} {_listed(map(str, numbers))}"


# Days


def _days(cron: Cron) -> str:
    monthdays, weekdays = _monthdays(cron.monthdays), _weekdays(cron.weekdays)
    if not monthdays or not weekdays:
        is_daily = cron.months is None and _fixed_times(cron)
        return monthdays or weekdays or ("every day" if is_daily else "")
    elif cron.needs_both_days:
        return f"{monthdays} if it is {weekdays}"
    else:
        return f"{monthdays} or {weekdays}"


def _monthdays(days: Values) -> str:
    if days is None:
        return ""
    run = _run(days, 31) if days[0] > 0 else ()
    if run:
        return f"from the {_ordinal(run[0])} to the {_ordinal(run[-1])}"
    from_the_end_last = sorted(days, key=lambda day: (day < 0, day))
    return f"on the {_listed(map(_monthday, from_the_end_last))} of the month"


def _monthday(day: int) -> str:
    if day > 0:
        return _ordinal(day)
    return "last day" if day == -1 else f"{_ordinal(-day)} last day"


def _weekdays(weekdays: Sequence[Weekday] | None) -> str:
    if weekdays is None:
        return ""
    days = tuple(weekday.day for weekday in weekdays if weekday.is_plain)
    run = _run(days, 7) if len(days) == len(weekdays) else ()
    if len(run) == 7:
        return "on any day of the week"
    elif run:
        return f"from {WEEKDAYS[run[0]]} to {WEEKDAYS[run[-1]]}"
    else:
        return f"on {_listed(map(_weekday, weekdays))}"


def _weekday(weekday: Weekday) -> str:
    name = WEEKDAYS[weekday.day]
    if weekday.nth == -1:
        return f"the last {name} of the month"
    elif weekday.nth < 0:
        return f"the {_ordinal(-weekday.nth)} last {name} of the month"
    elif weekday.nth:
        return f"the {_ordinal(weekday.nth)} {name} of the month"
    elif weekday.weeks > 1:
        shift = weekday.shift % weekday.weeks
        moved = f" (moved on by {shift})" if shift else ""
        return f"the {name} of every {_ordinal(weekday.weeks)} week{moved}"
    else:
        return name


def _months(months: Values) -> str:
    if months is None:
        return ""
    run = _run(months, 12)
    if run:
        return f"from {MONTHS[run[0] - 1]} to {MONTHS[run[-1] - 1]}"
    return f"in {_listed(MONTHS[month - 1] for month in months)}"


# Words


def _run(values: tuple[int, ...], whole: int) -> tuple[int, ...]:
    """The values in the order in which they follow each other, over the end if they must; nothing
    if there is a hole in them, or too few to speak of a range."""
    gaps = [at for at in range(1, len(values)) if values[at] != values[at - 1] + 1]
    if len(values) < 3 or len(gaps) > 1:
        return ()
    elif not gaps:
        return values
    goes_over_the_end = values[-1] - values[0] == whole - 1
    return values[gaps[0] :] + values[: gaps[0]] if goes_over_the_end else ()


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _listed(texts: Iterable[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last
