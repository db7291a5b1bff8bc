"""Where a worker begins to look for jobs when many were claimed whose rows are still there.

A deleted row stays in the indexes of PostgreSQL and InnoDB until no transaction can see it any
more. One that is open for long, of a report or a backup, holds back all of them, and each claim
reads past whatever was claimed since. So a worker looks now and then for the first ready job, and
has the database say how long it searched. Where that took long, turns begin at this position, and
then at the last one that was claimed, until the next look: when twenty times as long has passed.

The price: a job that gets ready before the position waits for the next look. It has a better
priority than those being claimed, or is older than these: scheduled, blocked, given back, or
committed late. Where the search is short, each turn begins at the start, and nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queuekit.database import Database
from queuekit.executions import ready
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import START, Position

#: A search for so many seconds is long: a turn of a few jobs takes half of that.
LONG = 0.002

#: Seconds between two looks; where one takes long, so many times as long.
INTERVAL = 1.0
SHARE = 20.0


@dataclass(slots=True)
class _Sight:
    """What is known of a queue: where its jobs begin, if that takes long to find out, and when to
    look again."""

    position: Position = START
    is_far: bool = False
    looks_at: float = float("-inf")


class Frontier:
    """The positions after which a worker claims, by queue; None stands for any queue."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._sights: dict[str | None, _Sight] = {}

    @property
    def is_far(self) -> bool:
        """Whether it takes long to find the first ready job of any queue that was looked at."""
        return any(sight.is_far for sight in self._sights.values())

    def of(self, queue: str | None) -> Position:
        """The position after which to claim; looks when it is time. Raises the DatabaseErrors."""
        sight = self._sights.setdefault(queue, _Sight())
        if self._clock() >= sight.looks_at:
            self._look(queue, sight)
        return sight.position

    def of_peek(self) -> Position:
        """The position after which to ask for any job at all: an idle worker looks only where it
        pays."""
        return self.of(None) if self.is_far else START

    def claimed(self, queue: str | None, jobs: Sequence[ClaimedJob]) -> None:
        """These were claimed, in order: the next ones come after them."""
        sight = self._sights.get(queue)
        if sight is not None and sight.is_far and jobs:
            sight.position = max(sight.position, (jobs[-1].priority, jobs[-1].row_id))

    def _look(self, queue: str | None, sight: _Sight) -> None:
        position, seconds = ready.front(self._database, queue)
        sight.is_far = seconds > LONG
        sight.position = position if sight.is_far else START
        wait = seconds * SHARE if sight.is_far else INTERVAL
        sight.looks_at = self._clock() + wait
