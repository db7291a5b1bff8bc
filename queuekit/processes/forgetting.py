"""Forgetting what jobs have left behind that are gone, or have ended: the steps and the progress of
those that have no row left, and the unique keys that nobody will ask for.

A dispatcher goes through all of them now and then, a little at a time between its other work.
"""

from __future__ import annotations

import time

from queuekit.database import Database
from queuekit.executions import steps, unique_keys

#: Seconds between two walks through the tables, and what one turn of the loop may spend on it.
INTERVAL = 600.0
_SPELL = 0.05

PAGE_SIZE = 500

_TABLES = (steps.forget_page, unique_keys.forget_page)


class Forgetting:
    """Walks through the ids that have steps or progress, in their order, which is that of time, and
    then through the unique keys."""

    def __init__(self, database: Database, interval: float = INTERVAL) -> None:
        self._database = database
        self._interval = interval
        self._next_walk = time.monotonic()
        self._table = 0
        self._after: str | None = None

    def attend(self) -> None:
        """Go on for a spell if a walk is due or under way. Raises the DatabaseErrors."""
        now = time.monotonic()
        if now < self._next_walk:
            return
        while time.monotonic() - now < _SPELL:
            self._after = _TABLES[self._table](self._database, self._after, PAGE_SIZE)
            if self._after is None:
                self._table = (self._table + 1) % len(_TABLES)
                if self._table == 0:
                    self._next_walk = now + self._interval
                    return
