"""Stacks on demand, of one child after the other.

A process writes its stacks from C, a word at a time, so that it can do so in any state; of two that
write at once neither could be read. One that has written comes round, which its scoreboard shows,
and the next is asked. One that cannot come round has had time enough all the same.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable

from queuekit.processes.children import Place
from queuekit.processes.signals import DUMPING

#: Seconds that a child gets to write its stacks when it does not come round.
_PATIENCE = 2.0

#: Seconds between two looks, and the least that a child gets.
_LOOK = 0.05


class Stacks:
    """The children that are to write their stacks."""

    def __init__(self) -> None:
        self._waiting: deque[Place] = deque()
        self._writing: Place | None = None
        self._asked_at = 0.0

    def ask(self, places: Iterable[Place]) -> None:
        self._waiting.extend(places)

    def attend(self, now: float) -> None:
        """Ask the next child, as soon as the one before has written."""
        if self._writing is not None and not self._has_written(self._writing, now):
            return
        self._writing = None
        while self._waiting and self._writing is None:
            place = self._waiting.popleft()
            if place.pid is not None:
                self._writing, self._asked_at = place, time.monotonic()
                os.kill(place.pid, DUMPING)

    def next_due(self, now: float) -> float:
        return float("inf") if self._writing is None else now + _LOOK

    def _has_written(self, place: Place, now: float) -> bool:
        if place.scoreboard is None or now >= self._asked_at + _PATIENCE:
            return True
        ticked_at = place.scoreboard.ticked_at
        return ticked_at is not None and ticked_at >= self._asked_at + _LOOK / 2
