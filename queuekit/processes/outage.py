"""A database that cannot be used, seen from one loop: said once, tried ever more slowly."""

from __future__ import annotations

import time

from queuekit import events
from queuekit.errors import DatabaseError

#: Seconds between tries: doubled from the first to the last.
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 5.0


class Outage:
    """The outages that one loop meets, `who` being its name in the log."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._pause = 0.0
        self._began = 0.0

    def pause(self, error: DatabaseError) -> float:
        """Note that the database could not be used. Returns the seconds until the next try."""
        if self._pause == 0.0:
            self._began = time.monotonic()
            events.emit(events.DatabaseLost(who=self._who, error=str(error)))
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LAST_PAUSE)
        return self._pause

    def over(self) -> None:
        """Note that the database could be used."""
        if self._pause:
            self._pause = 0.0
            duration = time.monotonic() - self._began
            events.emit(events.DatabaseBack(who=self._who, duration=duration))
