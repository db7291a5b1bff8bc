"""The scoreboard: a page of memory that the supervisor shares with one child.

It says what the database cannot, when a child has just died or hangs:

    the last tick of its loop          one that stops ticking is hung, and is killed
    the last heartbeat it has sent     it is killed before others take it for dead
    whether it has registered          READY is said after every child has
    which of its claims have begun     those that have not go back to ready when it dies, uncharged

(The name is Apache's.) Each number is an aligned word of 8 bytes, which is read and written whole,
and has one writer at a time; so nothing needs a lock. It is made before the fork, and outlives the
child that wrote it, whatever that died of. Nothing that the child calls raises: no worker ends
because its scoreboard is full.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

_WORD = 8
_TICK, _BEAT, _REGISTERED, _UNRECORDED, _FIRST_CLAIM = range(5)
_NOTHING = 0


class Scoreboard:
    """The page of one child, with room for the claims that it may hold at a time. An entry is 0, or
    the row id of a claim that has begun."""

    def __init__(self, claims: int) -> None:
        # Memory comes in whole pages, so the rest of the first one costs nothing.
        size = max((_FIRST_CLAIM + claims) * _WORD, mmap.PAGESIZE)
        self._memory = mmap.mmap(-1, size)
        self._words = memoryview(self._memory).cast("q")
        self._free = list(range(_FIRST_CLAIM, len(self._words)))
        self._entries: dict[int, int] = {}
        self._unrecorded: set[int] = set()
        self.on_beat: Callable[[float], object] = lambda sent_at: None

    # What the child writes

    def tick(self) -> None:
        """The child's loop has come round."""
        self._words[_TICK] = time.monotonic_ns()

    def beat(self, sent_at: float) -> None:
        """The database has a heartbeat that was sent at this moment, by time.monotonic(): it took
        it no earlier. Called by the heartbeat's thread; `on_beat` is the child's own use of it."""
        self._words[_BEAT] = int(sent_at * 1e9)
        self.on_beat(sent_at)

    def register(self) -> None:
        self._words[_REGISTERED] = 1

    def reserve(self, row_id: int) -> None:
        """Make room for a claim, before any thread may begin it. Called by the main thread."""
        if row_id in self._entries:
            return
        if self._free:
            self._entries[row_id] = self._free.pop()
        else:
            self._unrecorded.add(row_id)
            self._words[_UNRECORDED] = len(self._unrecorded)

    def begin(self, row_id: int) -> None:
        """User code is about to run for this claim. Called by the thread that runs it."""
        entry = self._entries.get(row_id)
        if entry is not None:
            self._words[entry] = row_id

    def settle(self, row_id: int) -> None:
        """The claim is settled. Called by the main thread."""
        entry = self._entries.pop(row_id, None)
        if entry is not None:
            self._words[entry] = _NOTHING
            self._free.append(entry)
        elif row_id in self._unrecorded:
            self._unrecorded.remove(row_id)
            self._words[_UNRECORDED] = len(self._unrecorded)

    # What the supervisor reads

    @property
    def ticked_at(self) -> float | None:
        """When the loop last came round, by time.monotonic(); None before the first time."""
        tick = self._words[_TICK]
        return tick / 1e9 if tick else None

    @property
    def beat_at(self) -> float | None:
        """When the last heartbeat was sent, by time.monotonic(); None before the first one."""
        beat = self._words[_BEAT]
        return beat / 1e9 if beat else None

    @property
    def is_registered(self) -> bool:
        return bool(self._words[_REGISTERED])

    @property
    def knows_all(self) -> bool:
        """Whether each claim of the child has an entry. If not, any claim may have begun: it is
        worse to run a job that kills its process for ever than to charge one that had not begun."""
        return self._words[_UNRECORDED] == 0

    def begun(self) -> list[int]:
        """The row ids of the claims that had begun and were not settled when last heard of."""
        return [word for word in self._words[_FIRST_CLAIM:] if word != _NOTHING]
