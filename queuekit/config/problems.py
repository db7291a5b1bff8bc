"""Problems, collected rather than raised one by one, and how values are shown in them.

Every problem is one printable line that begins with its source (a file, an option, an
environment variable) and, in a file, the place: `config/queue.yml: production.workers[0].threads`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from queuekit.errors import ConfigurationError

_SHOWN = 60


@dataclass(slots=True)
class Problems:
    """What is wrong, and what is only worth saying, in the order in which it was found."""

    found: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def add(self, place: str, sentence: str) -> None:
        self.found.append(f"{place}: {sentence}")

    def hint(self, place: str, sentence: str) -> None:
        self.hints.append(f"{place}: {sentence}")

    def raise_if_any(self) -> None:
        if self.found:
            raise ConfigurationError(*dict.fromkeys(self.found))


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """`; did you mean threads?`, or nothing when nothing is near."""
    near = get_close_matches(name[:_SHOWN].lower(), list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def in_words(value: object) -> str:
    """What was found instead of what was expected: `the text '3'`, `a list`, `true`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return _number_in_words(value)
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def quoted(text: str) -> str:
    """In quotes, on one printable line, cut when long."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def bare(name: str) -> str:
    """A key or a path inside a place: as it is when that is one printable line, else quoted."""
    plain = name.isprintable() and name.strip() == name != "" and len(name) <= 4 * _SHOWN
    return name if plain else quoted(name)


def below(place: str, key: object) -> str:
    """The place of `key` in the mapping at `place`, which may be a whole file (`queue.yml: `)."""
    name = bare(key) if isinstance(key, str) else in_words(key)
    return f"{place}{name}" if place.endswith(": ") else f"{place}.{name}"


def _number_in_words(number: int | float) -> str:
    # A hexadecimal integer of a whole page is valid YAML, but Python refuses to print it.
    if isinstance(number, int) and number.bit_length() > 128:
        return "a number of more than 38 digits"
    return f"the number {number}"
