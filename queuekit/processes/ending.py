"""Ending children: those that are told to go, those that outlast it, and those that hang.

    TERM    finish what runs, then leave
    QUIT    leave now: from the start, or after `shutdown_timeout`
    KILL    to those that do not heed QUIT, and those that hang (which of them do: see hanging)

A child that was not reaped yet keeps its pid, so no signal meets a stranger.
"""

from __future__ import annotations

import os
import signal
import time

from queuekit import events
from queuekit.config import Configuration
from queuekit.processes.children import Children, Place
from queuekit.processes.forking import is_stopped
from queuekit.processes.hanging import benefit_of_the_doubt, hung_at, why_hung
from queuekit.processes.registration import ProcessRow

#: Seconds that children told to QUIT get to say goodbye to the database before they are killed.
_QUIT_TIMEOUT = 5.0

#: A supervisor that sleeps this many seconds longer than it meant to was suspended, and so may its
#: children have been.
_OVERSLEPT = 1.0


class Ending:
    """Who of the children has to go, and by which signal."""

    def __init__(self, children: Children, configuration: Configuration) -> None:
        self.configuration = configuration
        self._children = children
        self._awake_since = time.monotonic()

    def finish(self, place: Place) -> None:
        if place.told is None:
            self._tell(place, signal.SIGTERM, self.configuration.shutdown_timeout)

    def quit(self, place: Place) -> None:
        if place.told not in (signal.SIGQUIT, signal.SIGKILL):
            self._tell(place, signal.SIGQUIT, _QUIT_TIMEOUT)

    def attend(self) -> None:
        """Signal those that are overdue, and those that hang."""
        now = time.monotonic()
        for place in self._children.overdue(now):
            if place.told == signal.SIGTERM:
                self.quit(place)
            else:
                place.told = signal.SIGKILL
                self._kill(place, "does not quit")
        for place in self._children.occupied():
            if not place.is_killed:
                self._kill_if_hung(place, now)

    def next_due(self) -> float:
        """When to attend next, by time.monotonic()."""
        now = time.monotonic()
        moments = [self._children.next_deadline()]
        for place in self._children.occupied():
            if place.hanging_since is not None:
                moments.append(place.hanging_since + benefit_of_the_doubt(self.configuration))
            elif (moment := self._hung_at(place)) > now:  # else it is stopped
                moments.append(moment)
        return min(moments)

    def has_slept(self, until: float) -> None:
        """The supervisor has slept, or waited for the database, and meant to go on then."""
        now = time.monotonic()
        if now - until > _OVERSLEPT:
            self._awake_since = now

    def runs(self, process: ProcessRow) -> bool:
        """Whether this is a living child. One that somebody has stopped does not run, and may not
        for hours: it is left to its fate."""
        pids = {place.pid for place in self._children.occupied()}
        return process.pid in pids and not is_stopped(process.pid)

    def _kill_if_hung(self, place: Place, now: float) -> None:
        assert place.pid is not None
        if now < self._hung_at(place) or is_stopped(place.pid):
            place.hanging_since = None
        elif place.hanging_since is None:
            place.hanging_since = now
        elif now - place.hanging_since >= benefit_of_the_doubt(self.configuration):
            self._kill(place, why_hung(place, self.configuration, now))

    def _hung_at(self, place: Place) -> float:
        if place.is_killed:
            return float("inf")
        return hung_at(place, self.configuration, self._awake_since)

    def _tell(self, place: Place, number: signal.Signals, timeout: float) -> None:
        assert place.pid is not None
        place.told, place.deadline = number, time.monotonic() + timeout
        os.kill(place.pid, number)

    def _kill(self, place: Place, reason: str) -> None:
        """Once: nothing more can be done about one that does not die of it."""
        assert place.pid is not None
        place.is_killed, place.hanging_since, place.deadline = True, None, float("inf")
        events.emit(events.ChildKilled(child=place.pid, reason=reason))
        os.kill(place.pid, signal.SIGKILL)
