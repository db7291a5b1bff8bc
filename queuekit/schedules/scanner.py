"""Reading a text from left to right: a scanner hands out tokens as a grammar asks for them.

What a token is depends on the place: "second" is a unit of time or an ordinal, "12" an hour, a
minute or a day, "5pm" two tokens. So there is no list of tokens made beforehand: a production asks
for the terminal that may come next and gets its text, or None and the scanner stands where it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

T = TypeVar("T")


class Terminal:
    """A kind of token. Compiled when it is first asked for: importing queuekit pays for none."""

    def __init__(self, pattern: str, *, any_case: bool = False) -> None:
        self.pattern = pattern
        self.flags = re.ASCII | (re.IGNORECASE if any_case else 0)

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)


class Scanner:
    """A text and how far it has been read. `furthest` is where the last token ended that was taken,
    also by a production that was given up afterwards."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.furthest = 0

    @property
    def at_end(self) -> bool:
        return self.position == len(self.text)

    @property
    def not_understood(self) -> str:
        """What stands where no token went further, from the beginning of its word."""
        start = self.furthest if self.furthest < len(self.text) else self.position
        while start and not self.text[start - 1 : start + 1].count(" "):
            start -= 1
        return self.text[start:].strip()

    def take(self, terminal: Terminal) -> str | None:
        """The text of the terminal if it comes next, without the blanks around it."""
        found = terminal.compiled.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        self.furthest = max(self.furthest, self.position)
        return found.group().strip(" \t")

    def attempt(self, production: Callable[[Scanner], T | None]) -> T | None:
        """What the production makes of what comes next, or None, and nothing has been read."""
        start = self.position
        result = production(self)
        if result is None:
            self.position = start
        return result

    def several(self, item: Callable[[Scanner], T | None], separator: Terminal) -> list[T]:
        """Items with separators between them; empty if there is not even one. A separator that no
        item follows is not part of the list."""
        items: list[T] = []
        start = self.position
        while (one := self.attempt(item)) is not None:
            items.append(one)
            start = self.position
            if self.take(separator) is None:
                break
        self.position = start
        return items
