"""Checking one mapping of settings: each is taken by name, as a type, with its default.

A value that does not fit is reported and its default stands in for it, so that the checks of
everything else go on and all problems come at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from queuekit.checks import as_float
from queuekit.config.durations import format_duration, parse_duration
from queuekit.config.problems import Problems, below, did_you_mean, in_words, quoted
from queuekit.config.sizes import format_size, parse_size
from queuekit.config.substitution import UNUSABLE

# A process that waits must be able to wait in one system call, in milliseconds as a C int.
LONGEST_WAIT = 7 * 86400.0
LONGEST_PERIOD = 100 * 365 * 86400.0
LONGEST_TEXT = 4096

LARGEST_SIZE = 2**60

# The default stands in for a value; None where there is no default.
D = TypeVar("D", bound=float | None)
C = TypeVar("C", bound=str)

_NO_VALUE = "has no value; give it one or remove it"


class Settings:
    """The settings of one mapping of a file, under the place where it stands."""

    def __init__(self, values: Mapping[Any, object], place: str, problems: Problems) -> None:
        self.values = values
        self.place = place
        self.problems = problems

    def refuse_unknown(self, known: Iterable[str], reason: Callable[[str], str | None]) -> None:
        """Reports each key that is not `known`, with the `reason` or with the nearest right one."""
        known = list(known)
        for key in self.values:
            if not isinstance(key, str):
                self.problems.add(
                    self.place.removesuffix(": "), f"got {in_words(key)} as the name of a setting"
                )
            elif key not in known:
                why = reason(key)
                if why is not None:
                    self.problems.add(self.at(key), why)
                else:
                    self.problems.found.append(
                        f"{self.at(key)} is not a setting{did_you_mean(key, known)}"
                    )

    def integer(self, name: str, default: D, *, maximum: int, minimum: int = 1) -> int | D:
        value = self.take(name)
        expected = "a whole number"
        if value is UNUSABLE:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.mistyped(name, value, expected)
        elif not minimum <= value <= maximum:
            bounds = f"{minimum} to {maximum}"
            self.report(name, f"got {in_words(value)}, expected {expected} from {bounds}")
        else:
            return value
        return default

    def duration(
        self, name: str, default: D, *, maximum: float = LONGEST_PERIOD, zero: bool = False
    ) -> float | D:
        value = self.take(name)
        if value is UNUSABLE:
            return default
        if isinstance(value, str) and parse_duration(value) is not None:
            seconds = parse_duration(value) or 0.0
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.mistyped(name, value, "a number of seconds, or a duration such as 5 minutes")
            return default
        else:
            seconds = as_float(value)
        if not (seconds >= 0 if zero else seconds > 0):
            least = "0 or more" if zero else "more than 0"
            self.report(name, f"got {in_words(value)}, expected {least} seconds")
        elif seconds > maximum:
            at_most = format_duration(maximum)
            self.report(name, f"got {in_words(value)}, expected at most {at_most}")
        else:
            return seconds
        return default

    def size(self, name: str, default: D, *, minimum: int) -> int | D:
        """Bytes. A bare number is refused: half of those who write one mean megabytes."""
        value = self.take(name)
        size = parse_size(value) if isinstance(value, str) else None
        if value is UNUSABLE:
            return default
        if size is None:
            self.mistyped(name, value, "a size with its unit, such as 512 MB or 1.5 GiB")
        elif not minimum <= size <= LARGEST_SIZE:
            bounds = f"{format_size(minimum)} to {format_size(LARGEST_SIZE)}"
            self.report(name, f"got {in_words(value)}, expected a size from {bounds}")
        else:
            return size
        return default

    def choice(self, name: str, default: C, choices: Sequence[C]) -> C:
        value = self.take(name)
        if value is UNUSABLE:
            return default
        for choice in choices:
            if choice == value:
                return choice
        self.mistyped(name, value, either(choices))
        return default

    def flag(self, name: str, default: bool) -> bool:
        value = self.take(name)
        if isinstance(value, bool):
            return value
        if value is not UNUSABLE:
            self.mistyped(name, value, "true or false")
        return default

    def text(self, name: str) -> str | None:
        """A text that can be one line of a command: a URL, the path of a file, a name."""
        value = self.take(name)
        if value is UNUSABLE:
            return None
        if not isinstance(value, str):
            self.mistyped(name, value, "a text")
        elif (why := unfit_text(value)) is not None:
            self.report(name, why)
        else:
            return value
        return None

    def take(self, name: str) -> object:
        """The value; UNUSABLE when there is none, or when its problem is known already."""
        value = self.values.get(name, UNUSABLE)
        if value is None:
            self.report(name, _NO_VALUE)
            return UNUSABLE
        return value

    def mistyped(self, name: str, value: object, expected: str) -> None:
        erb = isinstance(value, str) and value.lstrip().startswith("<%")
        cure = " (ERB is not read here; write ${NAME:-default})" if erb else ""
        self.report(name, f"got {in_words(value)}, expected {expected}{cure}")

    def report(self, name: str, sentence: str) -> None:
        self.problems.add(self.at(name), sentence)

    def at(self, name: str) -> str:
        return below(self.place, name)


def unfit_text(text: str) -> str | None:
    """Why `text` is no text for a URL, path or name; None when it is. Never shows the text,
    which may be a URL with its password."""
    if not text.strip():
        return "is empty"
    if text != text.strip():
        return "begins or ends with a space or a line break"
    if not text.isprintable():
        return "has a control character or a byte that is not UTF-8"
    if len(text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT} characters"
    return None


def unfit_url(url: str) -> str | None:
    """Why `url` is no database URL. Which ones there are is for the database layer to say."""
    if (why := unfit_text(url)) is not None:
        return why
    if "://" not in url:
        return "is not a URL; expected one such as sqlite:///storage/queue.sqlite3"
    return None


def unfit_module(name: str) -> str | None:
    if all(part.isidentifier() for part in name.split(".")):
        return None
    return f"{quoted(name)} is not the name of a module; expected one such as app.jobs"


def either(choices: Sequence[str]) -> str:
    """`fork or async`."""
    return " or ".join(choices)
