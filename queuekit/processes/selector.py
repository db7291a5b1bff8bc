"""Which queues a worker claims from, in which order.

Exact names are taken as they are. A prefix (`staging*`) stands for the queues that have ready jobs
and begin so, found by a few index probes. All queues (`*`) are one claim by priority, unless one is
paused: then they, too, are named one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queuekit.database import Database

ALL_QUEUES = "*"


class QueueSelector:
    """The queues of one worker. `choose` gives the names to claim from, None for any queue."""

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)
        self._takes_all = ALL_QUEUES in self._queues
        self._has_prefixes = any(queue.endswith("*") for queue in self._queues)

    def choose(self, database: Database, paused: frozenset[str]) -> list[str | None]:
        """The queues for the next turns. `paused` is what the last turn learnt.

        Paused queues that are named here do no harm: the turn itself leaves them alone.
        """
        if self._takes_all and not paused:
            return [None]
        if not self._has_prefixes:
            return list(self._queues)
        waiting = [row[0] for row in database.query("queues.waiting")]
        chosen: list[str | None] = [name for name in self._matching(waiting) if name not in paused]
        # With nothing to name, a turn over any queue claims nothing while one is paused, and learns
        # when none is any more.
        return chosen or [None if self._takes_all else self._queues[0]]

    def _matching(self, waiting: Sequence[str]) -> Iterator[str]:
        """The waiting queues in this worker's order, each once."""
        seen = set()
        for queue in self._queues:
            for name in _expanded(queue, waiting):
                if name not in seen:
                    seen.add(name)
                    yield name


def _expanded(queue: str, waiting: Sequence[str]) -> list[str]:
    if not queue.endswith("*"):
        return [queue]
    return [name for name in waiting if name.startswith(queue[:-1])]
