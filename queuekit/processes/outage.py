"""A database that cannot be used, seen from one loop: said once, tried ever more slowly.

What passes by itself (no server, too many connections, a lock, a full disk) is waited for, however
long it takes. What somebody has to put right (a password, a privilege, a damaged file, a missing
table) ends the start; later it is waited for, too, because a table or a password may be on its way
and jobs are running, but not for ever.
"""

from __future__ import annotations

import time

from queuekit import events
from queuekit.errors import ConflictError, DatabaseError, DatabaseUnavailableError

#: Seconds between tries: doubled from the first to the last.
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 5.0


def may_pass(error: DatabaseError) -> bool:
    """Whether waiting may help: the server is down, or busy. Nothing else gets better by itself."""
    return isinstance(error, DatabaseUnavailableError | ConflictError)


class Outage:
    """The outages that one loop meets, `who` being its name in the log."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._pause = 0.0
        self._began = 0.0
        self._refused_since: float | None = None

    def pause(self, error: DatabaseError) -> float:
        """Note that the database could not be used. Returns the seconds until the next try."""
        now = time.monotonic()
        if self._pause == 0.0:
            self._began = now
            events.emit(events.DatabaseLost(who=self._who, error=str(error)))
        if may_pass(error):
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LAST_PAUSE)
        return self._pause

    def is_hopeless(self, patience: float) -> bool:
        """Whether nothing but refusals has come for so many seconds."""
        return (
            self._refused_since is not None and time.monotonic() - self._refused_since >= patience
        )

    def give_up(self, error: DatabaseError) -> None:
        """Note that this loop does not try any more."""
        duration = time.monotonic() - self._began
        events.emit(events.DatabaseGivenUp(who=self._who, error=str(error), duration=duration))

    def over(self) -> None:
        """Note that the database could be used."""
        if self._pause:
            self._pause = 0.0
            self._refused_since = None
            duration = time.monotonic() - self._began
            events.emit(events.DatabaseBack(who=self._who, duration=duration))
