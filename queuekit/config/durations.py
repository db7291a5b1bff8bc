"""Durations as people write them: seconds, or a number with its unit (`5 minutes`, `250ms`)."""

import math
import re

_SECONDS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
}

# `1.day` and `0.1.seconds`, as Rails writes them, cost one dot in the pattern.
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)[ .]?([a-z]{1,12})", re.IGNORECASE)


def parse_duration(text: str) -> float | None:
    """The seconds that `text` means; None when it is not a number with a unit."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    unit = match[2].lower()
    seconds = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
    return None if seconds is None else float(match[1]) * seconds


def format_duration(seconds: float) -> str:
    """In the largest unit that needs no fraction: `1 day`, `5 minutes`, `90 s`, `0.1 s`."""
    if math.isfinite(seconds) and seconds >= 120:
        for unit in ("day", "hour", "minute"):
            count, rest = divmod(seconds, _SECONDS[unit])
            if rest == 0:
                return f"{count:.0f} {unit}" if count == 1 else f"{count:.0f} {unit}s"
    return f"{seconds:g} s" if seconds < 100_000 else f"{seconds:.0f} s"
