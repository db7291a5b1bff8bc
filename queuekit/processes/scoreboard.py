"""The scoreboard: a page of memory that the supervisor shares with one child.

It says what the database cannot, when a child has just died or hangs:

    the last tick of its loop          one that stops ticking is hung, and is killed
    whether it has registered          READY is said after every child has
    which of its claims have begun     those that have not go back to ready when it dies, uncharged

(The name is Apache's.) Each number is an aligned word of 8 bytes that one side writes and the other
reads, so nothing needs a lock. It outlives the child that wrote it, whatever that died of.
"""

from __future__ import annotations

import mmap
import time

_WORD = 8
_TICK, _REGISTERED, _TIMED_OUT, _FIRST_CLAIM = range(4)
_NOTHING = 0


class Scoreboard:
    """The page of one child, with room for the claims it may hold at a time."""

    def __init__(self, claims: int) -> None:
        self._memory = mmap.mmap(-1, (_FIRST_CLAIM + claims) * _WORD)
        self._words = memoryview(self._memory).cast("q")
        self._free = list(range(_FIRST_CLAIM, _FIRST_CLAIM + claims))
        self._entries: dict[int, int] = {}

    # What the child writes

    def tick(self) -> None:
        """The child's loop has come round."""
        self._words[_TICK] = time.monotonic_ns()

    def register(self) -> None:
        self._words[_REGISTERED] = 1

    def reserve(self, row_id: int) -> None:
        """Make room for a claim, before any thread may begin it. Called by the main thread."""
        self._entries[row_id] = self._free.pop()

    def begin(self, row_id: int) -> None:
        """User code is about to run for this claim. Called by the thread that runs it."""
        self._words[self._entries[row_id]] = row_id

    def settle(self, row_id: int) -> None:
        """The claim is settled. Called by the main thread."""
        entry = self._entries.pop(row_id, None)
        if entry is not None:
            self._words[entry] = _NOTHING
            self._free.append(entry)

    def time_out(self, row_id: int) -> None:
        """The child leaves because this job would not end when its time was over."""
        self._words[_TIMED_OUT] = row_id

    # What the supervisor reads

    @property
    def ticked_at(self) -> float | None:
        """When the loop last came round, by time.monotonic(); None before the first time."""
        tick = self._words[_TICK]
        return tick / 1e9 if tick else None

    @property
    def is_registered(self) -> bool:
        return bool(self._words[_REGISTERED])

    @property
    def timed_out(self) -> int | None:
        return self._words[_TIMED_OUT] or None

    def begun(self) -> list[int]:
        """The row ids of the claims that had begun and were not settled when last heard of."""
        return [row_id for row_id in self._words[_FIRST_CLAIM:] if row_id != _NOTHING]
