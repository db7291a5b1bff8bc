"""The grammar of cron: five fields, or six with the seconds first, and a zone at the end.

    schedule = "@" name [zone]
             | [seconds] minutes hours monthdays["&"] months weekdays["&"] [zone]
    field    = item {"," item}
    item     = (value ["-" value] | "*" | ) ["/" step]          one of both at least
             | weekday "#" nth | weekday "%" weeks ["+" shift]   among the weekdays only

A range that ends before it begins goes on after the field's end: 22-4 among the hours. Days of the
month count from its end too: L or last, -1, is the last one, -2 the one before.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from queuekit.errors import ScheduleError
from queuekit.schedules.cron import Cron, Values, Weekday
from queuekit.schedules.scanner import Scanner, Terminal

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@noon": "0 12 * * *",
    "@hourly": "0 * * * *",
}

#: More weeks than that are ten years.
MOST_WEEKS = 520

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field(NamedTuple):
    name: str
    low: int
    high: int
    value: Terminal


SECONDS = Field("second", 0, 59, Terminal(r"[0-5]?\d"))
MINUTES = Field("minute", 0, 59, Terminal(r"[0-5]?\d"))
HOURS = Field("hour", 0, 23, Terminal(r"2[0-4]|[01]?\d"))
MONTHDAYS = Field(
    "day of the month",
    1,
    31,
    Terminal(r"-?(?:3[01]|[12]\d|0?[1-9])|last|l", any_case=True),
)
MONTHS = Field("month", 1, 12, Terminal(rf"1[0-2]|0?[1-9]|{'|'.join(MONTH_NAMES)}", any_case=True))
WEEKDAYS = Field(
    "day of the week", 0, 6, Terminal(rf"[0-7]|{'|'.join(WEEKDAY_NAMES)}", any_case=True)
)

STAR = Terminal(r"\*")
HYPHEN = Terminal(r"-")
COMMA = Terminal(r",+")
STEP = Terminal(r"/\d\d?")
NTH = Terminal(r"#(?:-?[1-5]|last|l)", any_case=True)
WEEKS = Terminal(r"%\d+(?:\+\d+)?")

BLANKS = re.compile(r"[ \t]+")
ZONE_LIKE = re.compile(r"[-+]\d\d|[A-Za-z]{2,}(?:[-+/_0-9]|$)", re.ASCII)
CRON_LIKE = re.compile(r"[-\d*/,~?]+", re.ASCII)


class Item(NamedTuple):
    """A part of a field's list. What is None was not written."""

    start: int | None
    end: int | None
    step: int | None


def looks_like_cron(text: str) -> bool:
    """Whether it is worth to read it as cron first, and to refuse it as such. Neither minutes nor
    hours have letters."""
    parts = BLANKS.split(text)
    signs = [CRON_LIKE.fullmatch(part) is not None for part in parts]
    is_likely = all(signs[:2]) or ("*" in text and sum(signs[1:]) >= 3)
    return text.startswith("@") or (len(parts) >= 4 and is_likely)


def read_cron(text: str) -> tuple[Cron, str | None]:
    """What the text says, and the name of its zone if it ends with one."""
    fields, zone = _fields_and_zone(text)
    seconds, minutes, hours, monthdays, months, weekdays = fields
    at_minutes, at_hours = _values(MINUTES, minutes), _values(HOURS, hours)
    cron = Cron(
        _values(SECONDS, seconds),
        at_minutes,
        at_hours,
        _values(MONTHDAYS, monthdays.removesuffix("&") or monthdays),
        _values(MONTHS, months),
        _weekdays(weekdays.removesuffix("&") or weekdays),
        needs_both_days=monthdays.endswith("&") or weekdays.endswith("&"),
        is_interval=_repeats(minutes, at_minutes) or _repeats(hours, at_hours),
    )
    return cron.without_impossible_dates(), zone


def _repeats(text: str, values: Values) -> bool:
    """Whether a wildcard or a step stands there; `*/24` is one hour of the day like any other."""
    return values is None or ("/" in text and len(values) > 1)


def _fields_and_zone(text: str) -> tuple[list[str], str | None]:
    if text.startswith("@"):
        nickname, _, zone = text.partition(" ")
        if nickname not in NICKNAMES:
            raise ScheduleError(f"“{nickname}” is not known; there are {', '.join(NICKNAMES)}")
        return ["0", *NICKNAMES[nickname].split()], zone.strip() or None
    parts = BLANKS.split(text)
    if len(parts) == 5 or (len(parts) == 6 and _is_zone(parts[5])):
        parts.insert(0, "0")
    if not 6 <= len(parts) <= 7:
        raise ScheduleError("cron has five fields, or six with the seconds first, and a zone after")
    return parts[:6], parts[6] if len(parts) == 7 else None


def _is_zone(text: str) -> bool:
    """SUN and the like at the end of six fields are days."""
    return ZONE_LIKE.match(text) is not None and _lists_of_weekdays(text.removesuffix("&")) is None


# Fields of plain values


def _values(field: Field, text: str) -> Values:
    lists = [_expanded(field, item) for item in _items(field, text)]
    values = {value for some in lists for value in some or ()}
    if None in lists:
        return None
    if field is HOURS and 24 in values:
        values = (values - {24}) | {0}
    return tuple(sorted(values))


def _items(field: Field, text: str) -> list[Item]:
    scanner = Scanner(text.strip(","))
    items = scanner.several(lambda scanner: _item(field, scanner), COMMA)
    if not items or not scanner.at_end:
        raise _not_understood(field, text)
    return items


def _item(field: Field, scanner: Scanner) -> Item | None:
    start = end = None
    if starred := scanner.take(STAR) is not None:
        pass
    elif (first := scanner.take(field.value)) is not None:
        start = _number(field, first)
        end = scanner.attempt(lambda scanner: _end(field, scanner))
    step = scanner.take(STEP)
    if start is None and not starred and step is None:
        return None
    return Item(start, end, int(step[1:]) if step else None)


def _end(field: Field, scanner: Scanner) -> int | None:
    if scanner.take(HYPHEN) is None:
        return None
    last = scanner.take(field.value)
    return None if last is None else _number(field, last)


def _number(field: Field, text: str) -> int:
    text = text.lower()
    if field is MONTHDAYS and text.startswith("l"):
        return -1
    elif field is MONTHS and text in MONTH_NAMES:
        return MONTH_NAMES.index(text) + 1
    elif field is WEEKDAYS and text in WEEKDAY_NAMES:
        return WEEKDAY_NAMES.index(text)
    else:
        return int(text)


def _expanded(field: Field, item: Item) -> list[int] | None:
    """The values of an item, or None when it is all there are."""
    start, end, step = item
    if step == 0:
        raise ScheduleError(f"a step of 0 among the {field.name}s leads nowhere")
    if start is not None and end is None and step is None:
        return [start]
    first = field.low if start is None else start
    last = field.high if end is None else end
    if first > 0 and last == -1 and field is MONTHDAYS:
        last = field.high
    if (first < 0) != (last < 0):
        raise ScheduleError(
            f"“{_written(item)}”: days that count from the month's end and from its beginning make "
            "no range, but for one to L"
        )
    if (first, last, step or 1) == (field.low, field.high, 1):
        return None
    return _walk(field, first, last)[:: step or 1]


def _walk(field: Field, first: int, last: int) -> list[int]:
    """From the first to the last, over the field's end where that is the way."""
    low, high = (-field.high, -1) if first < 0 else (field.low, field.high)
    if first <= last <= high:
        return list(range(first, last + 1))
    elif last > high:
        return [*range(first, high + 1), *range(low, last - high)]
    else:
        return [*range(first, max(first, high) + 1), *range(low, last + 1)]


def _written(item: Item) -> str:
    return f"{item.start}-{item.end}" if item.end is not None else f"{item.start}/{item.step}"


# Weekdays


def _weekdays(text: str) -> tuple[Weekday, ...] | None:
    lists = _lists_of_weekdays(text)
    if lists is None:
        raise _not_understood(WEEKDAYS, text)
    weekdays = {weekday for some in lists for weekday in some}
    return tuple(sorted(weekdays, key=_in_order)) or None


def _in_order(weekday: Weekday) -> tuple[int, bool, int, int, int]:
    return weekday.day, not weekday.is_plain, weekday.weeks, weekday.nth, weekday.shift


def _lists_of_weekdays(text: str) -> list[list[Weekday]] | None:
    scanner = Scanner(text.strip(","))
    lists = scanner.several(_some_weekdays, COMMA)
    return lists if lists and scanner.at_end else None


def _some_weekdays(scanner: Scanner) -> list[Weekday] | None:
    special = scanner.attempt(_special_weekday)
    if special is not None:
        return [special]
    item = scanner.attempt(lambda scanner: _item(WEEKDAYS, scanner))
    return None if item is None else [Weekday(day % 7) for day in _days(item)]


def _special_weekday(scanner: Scanner) -> Weekday | None:
    name = scanner.take(WEEKDAYS.value)
    if name is None:
        return None
    day = _number(WEEKDAYS, name) % 7
    if nth := scanner.take(NTH):
        return Weekday(day, nth=-1 if nth[1] in "lL" else int(nth[1:]))
    elif weeks := scanner.take(WEEKS):
        every, _, shift = weeks[1:].partition("+")
        return Weekday(day, weeks=_weeks(every), shift=int(shift or 0))
    else:
        return None


def _weeks(text: str) -> int:
    if len(text) > 9 or not 1 <= int(text) <= MOST_WEEKS:
        raise ScheduleError(f"“%{text[:9]}”: every 1 to {MOST_WEEKS} weeks is what there is")
    return int(text)


def _days(item: Item) -> range | tuple[()]:
    """A step without an end goes nowhere: 3/2 is Wednesday. A star alone is no certain day."""
    start, end, step = item
    if step == 0:
        raise ScheduleError("a step of 0 among the days of the week leads nowhere")
    if start is None:
        return range(0, 7, step) if step else ()
    last = start if end is None else end
    return range(start, (last if start <= last else last + 7) + 1, step or 1)


def _not_understood(field: Field, text: str) -> ScheduleError:
    if "?" in text:
        return ScheduleError("“?” is not known: write “*”")
    elif "~" in text:
        return ScheduleError("a random time would be another one on each host: write which one")
    elif field is MONTHDAYS and "W" in text:
        return ScheduleError("“W”, the weekday nearest to a day, is not known")
    else:
        return ScheduleError(f"“{text[:40]}” is no {field.name}, nor a list of such")
