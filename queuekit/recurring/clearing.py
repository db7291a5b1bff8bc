"""Clearing the rows of old runs, now and then, a little at a time between other work.

A run's row is what keeps it from being repeated, so it outlives its job by a day: for a clock that
jumps back by less nothing is run again. Each task's last row is kept: it says what was missed
since.
"""

from __future__ import annotations

import time

from queuekit.database import Database
from queuekit.recurring.rows import clear_page

#: Seconds between two walks, and what one turn of the loop may spend on one.
INTERVAL = 600.0
_SPELL = 0.05

_DAY = 86_400.0
PAGE_SIZE = 500


class Clearing:
    """Deletes the runs that are older than a day more than finished jobs get, which is at least
    one."""

    def __init__(
        self, database: Database, clear_finished_jobs_after: float, interval: float = INTERVAL
    ) -> None:
        self._database = database
        self._seconds = max(clear_finished_jobs_after, _DAY) + _DAY
        self._interval = interval
        self._next_walk = time.monotonic()

    def attend(self) -> bool:
        """Go on for a spell if a walk is due or under way. Whether there is more to do at once.

        Raises the DatabaseErrors.
        """
        began = time.monotonic()
        if began < self._next_walk:
            return False
        while time.monotonic() - began < _SPELL:
            if clear_page(self._database, self._seconds, PAGE_SIZE) < PAGE_SIZE:
                self._next_walk = time.monotonic() + self._interval
                return False
        return True
