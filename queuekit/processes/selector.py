"""Which queues a worker claims from, in which order.

Exact names are taken as they are. A prefix (`staging*`) stands for the queues that have ready jobs
and begin so, found by a few index probes. All queues (`*`) are one claim by priority, unless one is
paused: then they, too, are named one by one. Where the probes take long, since they read past what
an old transaction keeps from being removed (frontier.py), the names are remembered for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from queuekit.database import Database
from queuekit.processes.frontier import LONG, SHARE

ALL_QUEUES = "*"


class QueueSelector:
    """The queues of one worker. `choose` gives the names to claim from, None for any queue."""

    def __init__(self, queues: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._queues = tuple(queues)
        self._takes_all = ALL_QUEUES in self._queues
        self._has_prefixes = any(queue.endswith("*") for queue in self._queues)
        self._clock = clock
        self._waiting: list[str] = []
        self._remembered_until = float("-inf")

    def choose(self, database: Database, paused: frozenset[str]) -> list[str | None]:
        """The queues for the next turns. `paused` is what the last turn learnt.

        Paused queues that are named here do no harm: the turn itself leaves them alone.
        """
        if self._takes_all and not paused:
            return [None]
        if not self._has_prefixes:
            return list(self._queues)
        if self._clock() >= self._remembered_until:
            self._ask(database)
        chosen: list[str | None] = [name for name in self._matching() if name not in paused]
        # With nothing to name, a turn over any queue claims nothing while one is paused, and learns
        # when none is any more.
        return chosen or [None if self._takes_all else self._queues[0]]

    def _ask(self, database: Database) -> None:
        *named, (_, seconds) = database.query("queues.waiting")
        self._waiting = sorted(name for name, _ in named)
        if seconds > LONG:
            self._remembered_until = self._clock() + float(seconds) * SHARE

    def _matching(self) -> Iterator[str]:
        """The waiting queues in this worker's order, each once."""
        seen = set()
        for queue in self._queues:
            for name in _expanded(queue, self._waiting):
                if name not in seen:
                    seen.add(name)
                    yield name


def _expanded(queue: str, waiting: Sequence[str]) -> list[str]:
    if not queue.endswith("*"):
        return [queue]
    return [name for name in waiting if name.startswith(queue[:-1])]
