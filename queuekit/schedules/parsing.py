"""From a text to a schedule: cron if the text is cron, a phrase if it is one, else a reason."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from queuekit.errors import ScheduleError
from queuekit.schedules import words
from queuekit.schedules.composing import compose
from queuekit.schedules.cron import Cron
from queuekit.schedules.cron_grammar import looks_like_cron, read_cron
from queuekit.schedules.phrase_grammar import read_phrase
from queuekit.schedules.scanner import Scanner
from queuekit.schedules.schedule import Schedule
from queuekit.schedules.walls import Walls
from queuekit.schedules.zones import zone_named, zone_of_the_machine

#: A phrase of more characters is no phrase; cron with each value written out has about 700.
LONGEST_PHRASE = 256
LONGEST = 1_000

#: What people write and no production knows, and what can be written instead.
INSTEAD = {
    "every other": "write “every 2 days”, or cron with weeks: 0 0 * * mon%2",
    "weeks": "write cron, with the weekday and how many weeks: 0 0 * * mon%2",
    "until": "write “from ... to ...”",
    "thru": "write “through”",
    "weekdays": "write “every weekday”",
    "weekend": "write “every sat, sun”",
    "workday": "write “every weekday”",
    "everyday": "write “every day”",
    "every quarter": "write “every 3 months”",
    "last day": "write “on the last”, or cron with L: 0 0 L * *",
    "first day": "write “on the 1st”",
    "midday": "write “noon”",
    "tz=": "write the zone at the end",
}


def parse(text: str, *, timezone: str | tzinfo | None = None) -> Schedule:
    """The schedule that a text says: cron, or a phrase such as "every weekday at 9am".

    The zone at the text's end counts, else `timezone`, else the machine's. Raises ScheduleError,
    with the reason, for a text that says no schedule, or one that cron cannot do as it is said.
    """
    if not isinstance(text, str):
        raise ScheduleError(f"a schedule is a text, not {type(text).__name__}")
    stripped = text.strip()
    try:
        cron, zone_name = _read(stripped)
        _refuse_what_never_comes(cron)
        zone = _zone(zone_name if zone_name is not None else timezone)
    except ScheduleError as error:
        raise ScheduleError(f"{_shown(stripped)}: {error}") from error
    return Schedule(stripped, cron, zone, zone_name)


def _read(text: str) -> tuple[Cron, str | None]:
    if not text:
        raise ScheduleError("it is empty, and says no time")
    if len(text) > LONGEST:
        raise ScheduleError(f"it is longer than the {LONGEST} characters that a schedule may have")
    if not looks_like_cron(text):
        return _read_phrase(text)
    try:
        return read_cron(text)
    except ScheduleError as error:
        return _read_phrase(text, instead_of=error)


def _read_phrase(text: str, *, instead_of: ScheduleError | None = None) -> tuple[Cron, str | None]:
    """Numbers may be either: "5, 6, 7, 8" is no cron. What is neither was meant as cron."""
    scanner = Scanner(text)
    try:
        clauses = read_phrase(scanner) if len(text) <= LONGEST_PHRASE else None
        if clauses is None:
            raise ScheduleError(_not_understood(text, scanner))
        cron_text, zone = compose(clauses)
        return read_cron(cron_text)[0], zone
    except ScheduleError as error:
        in_small_letters = text.lower()
        if instead_of is None and text != in_small_letters and _is_phrase(in_small_letters):
            raise ScheduleError(
                f"words are written in small letters: {in_small_letters}"
            ) from error
        raise instead_of or error from None


def _is_phrase(text: str) -> bool:
    try:
        clauses = read_phrase(Scanner(text)) if len(text) <= LONGEST_PHRASE else None
    except ScheduleError:
        return False
    return clauses is not None


def _refuse_what_never_comes(cron: Cron) -> None:
    """The 31st is never the first Monday. Other choices of days come, if only with a leap year."""
    if not cron.needs_both_days or cron.monthdays is None or cron.weekdays is None:
        return
    is_plain = min(cron.monthdays) > 0 and all(weekday.is_plain for weekday in cron.weekdays)
    if not is_plain and Walls(cron).after(datetime(2000, 1, 1)) is None:
        raise ScheduleError("there is no such day within fifty years")


def _zone(zone: str | tzinfo | None) -> tzinfo:
    if zone is None:
        return zone_of_the_machine()
    elif isinstance(zone, str):
        return zone_named(zone)
    elif isinstance(zone, ZoneInfo | timezone):
        return zone
    else:
        raise ScheduleError(f"a zone is a name or a ZoneInfo, not {type(zone).__name__}")


def _not_understood(text: str, scanner: Scanner) -> str:
    if len(text) > LONGEST_PHRASE:
        return f"it is longer than the {LONGEST_PHRASE} characters that a phrase may have"
    reason = f"“{scanner.not_understood[:40]}” is not understood"
    instead = _instead(text.lower())
    return f"{reason}; {instead}" if instead else reason


def _instead(text: str) -> str | None:
    if words.ORDINAL_WEEKDAY.compiled.search(text):
        return "write cron, with the weekday and which of the month: 0 0 * * mon#2"
    for what, instead in INSTEAD.items():
        if what in text:
            return instead
    return None


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= 60 else f"“{text[:57]}...”"
