"""The words of the phrases: which there are, and what the numbers among them say.

Some words are read in small letters only, as Fugit has it, on whose phrases these are modelled: "M"
is a month and "m" a minute, and a capital letter begins the name of a zone.
"""

from __future__ import annotations

from collections.abc import Iterable

from queuekit.schedules.cron_grammar import WEEKDAY_NAMES
from queuekit.schedules.scanner import Terminal

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]

HOURS = {name: number for number, name in enumerate(_NUMBERS[:13])}
HOURS |= {"midnight": 0, "oh": 0, "noon": 12}

#: Numbers that another one begins with, fourteen and forty-five, are written in digits.
MINUTES = {
    name: number
    for number, name in enumerate(_NUMBERS)
    if name not in ("fourteen", "sixteen", "seventeen", "eighteen", "nineteen")
}
MINUTES |= {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "o'clock": 0, "hundred": 0}

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first "
    "twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh "
    "twenty-eighth twenty-ninth thirtieth thirty-first"
)
_ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}

#: The items of cron's field, by the words.
ORDINALS = {"last": "L"}
ORDINALS |= {f"{day}{_ENDINGS.get(day, 'th')}": str(day) for day in range(1, 32)}
ORDINALS |= {name: str(day) for day, name in enumerate(_ORDINALS.split(), 1)}


def _any_of(names: Iterable[str], *, any_case: bool = False) -> Terminal:
    """One of the names; where one begins like another, the longer one."""
    longest_first = sorted(names, key=len, reverse=True)
    return Terminal("|".join(longest_first), any_case=any_case)


def _word(pattern: str) -> Terminal:
    """A word that blanks follow."""
    return Terminal(rf"[ \t]*(?:{pattern})[ \t]+", any_case=True)


# Between the parts of a phrase

GAP = Terminal(r"[ \t]+|,[ \t]*")
COMMA_AND_OR = Terminal(
    r"[ \t]*(?:,[ \t]*)?(?:(?:and|or)[ \t]+|,[ \t]*)",
    any_case=True,
)
AND_OR = _word("and|or")
AND = _word("and")
TO = _word("to")
TO_WEEKDAY = Terminal(r"[ \t]*-[ \t]*|[ \t]+(?:to|through)[ \t]+", any_case=True)

# What a part begins with

EVERY = _word("every")
FROM = _word("from")
AT = _word("at")
ON = _word("on")
IN_OR_ON = Terminal(r"(?:in|on)[ \t]+", any_case=True)
THE = _word("the")

# Intervals

COUNT = Terminal(r"\d+")
INTERVAL = Terminal(r"[ \t]*(?:seconds?|minutes?|hours?|days?|months?|sec|min|s|m|h|d|M)")
STARTING = _word(r"starting[ \t]+at|from")
STARTING_UNIT = _word("(?:second|minute|hour|day|month)s?")
WEEKDAY_OF_ANY_NAME = Terminal("weekday", any_case=True)
WEEK_OR_YEAR = Terminal(r"(?:1[ \t]+)?(?:week|year)")

# Days

WEEKDAY = Terminal(rf"(?:{'|'.join(WEEKDAYS + WEEKDAY_NAMES)})(?=$|[-, \t])", any_case=True)
ORDINAL = _any_of(ORDINALS, any_case=True)
ORDINAL_WEEKDAY = Terminal(rf"(?:{ORDINAL.pattern})[ \t]+{WEEKDAY.pattern}", any_case=True)
OF_THE_MONTH = Terminal(r"[ \t]+of the month")
DAYS = _word("days?")
MONTHDAY = Terminal(r"3[01]|[0-2]?\d")

# Times

HOUR_WORD = _any_of(HOURS)
MINUTE_WORD = Terminal(rf"[ \t]+(?:{_any_of(MINUTES).pattern})")
DARK = Terminal(r"[ \t]*dark", any_case=True)
HALF_OF_DAY = Terminal(r"[ \t]*(?:am|AM|pm|PM|[Nn]oon|[Mm]idday|[Mm]idnight)")
CLOCK = Terminal(r"(?:2[0-4]|[01]?\d):[0-5]\d")
HOUR = Terminal(r"2[0-4]|1\d|\d")
POINT = _word("minutes?|mins?|seconds?|secs?|hours?|hou|h")
MINUTE = _word("minute")
MINUTE_NUMBER = Terminal(r"[0-5]?\d")
THE_HOUR_OR_MINUTE = Terminal(r"[ \t]*the[ \t]+(?:hour|minute)[ \t]*", any_case=True)

# Zones

ZONE = Terminal(r"[A-Z][A-Za-z0-9+\-]+(?:/[A-Z][A-Za-z0-9+\-_]+){0,2}|Z|[-+]\d\d?(?::?\d\d)?")
