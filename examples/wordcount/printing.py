"""How the demonstration speaks: progress, and names that may hold anything, a few at a time."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

#: How many files or failed jobs are named before the rest is only counted.
SHOWN = 10


class Progress:
    """A bar on a terminal, otherwise a line for each tenth."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._tenths = -1
        self._is_terminal = sys.stderr.isatty()

    def show(self, done: int) -> None:
        if self._is_terminal:
            filled = "#" * (40 * done // self._total)
            end = "\n" if done == self._total else ""
            print(f"\r[{filled:40}] {done:,}/{self._total:,}", end=end, file=sys.stderr, flush=True)
        elif (tenths := 10 * done // self._total) > self._tenths:
            self._tenths = tenths
            print(f"{done:,} of {self._total:,} jobs done", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A line on stderr, beside the result."""
    print(text, file=sys.stderr, flush=True)


def name(what: str, items: Sequence[str], total: int | None = None) -> None:
    """The first few of a list, each in a line; of `total`, where the list is not all."""
    total = len(items) if total is None else total
    for item in items[:SHOWN]:
        say(f"{what}: {printable(item)}")
    if total > SHOWN:
        say(f"{what}: {total - SHOWN:,} more")


def count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def printable(text: str) -> str:
    """The text with whatever a terminal cannot show written as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def print_whatever_comes() -> None:
    """Escape what the output's encoding cannot say, too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
