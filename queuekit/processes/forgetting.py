"""Forgetting the steps and the progress of jobs that have no row left: they were cleared, or
are not kept.

A dispatcher goes through all of them now and then, a little at a time between its other work.
"""

from __future__ import annotations

import time

from queuekit.database import Database
from queuekit.executions.steps import forget_page

#: Seconds between two walks through the tables, and what one turn of the loop may spend on it.
INTERVAL = 600.0
_SPELL = 0.05

PAGE_SIZE = 500


class Forgetting:
    """Walks through the ids that have steps or progress, in their order, which is that of time."""

    def __init__(self, database: Database, interval: float = INTERVAL) -> None:
        self._database = database
        self._interval = interval
        self._next_walk = time.monotonic()
        self._after: str | None = None

    def attend(self) -> None:
        """Go on for a spell if a walk is due or under way. Raises the DatabaseErrors."""
        now = time.monotonic()
        if now < self._next_walk:
            return
        while time.monotonic() - now < _SPELL:
            self._after = forget_page(self._database, self._after, PAGE_SIZE)
            if self._after is None:
                self._next_walk = now + self._interval
                return
