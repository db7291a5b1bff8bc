"""The jobs that wait for a thread: a queue in C, and for how long its first one has been in it.

SimpleQueue shows neither its first item nor when that came. Both follow from counts: what was put
in, less what is in it, was taken; and what was put in at one time is a batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from queuekit.executions.claimed import ClaimedJob


class WaitingJobs:
    """Jobs in the order they were put in. Threads `get` them; the rest is the main thread's.

    A thread has a job, or the queue does, at any moment: what `take_back` returns has not begun and
    will not begin.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[ClaimedJob | None] = SimpleQueue()
        self._put = 0
        self._batches: deque[tuple[int, float]] = deque()
        self._is_closed = False
        self.get = self._queue.get

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, jobs: Sequence[ClaimedJob]) -> None:
        self._put += len(jobs)
        self._batches.append((self._put, time.monotonic()))
        for job in jobs:
            self._queue.put(job)

    @property
    def since(self) -> float | None:
        """Since when the first one has been waiting, by time.monotonic(); None without any."""
        taken = self._put - self._queue.qsize()
        while self._batches and self._batches[0][0] <= taken:
            self._batches.popleft()
        return self._batches[0][1] if self._batches else None

    def take_back(self) -> list[ClaimedJob]:
        """Take all of them out again."""
        taken: list[ClaimedJob] = []
        with suppress(Empty):
            while not self._is_closed and (job := self._queue.get_nowait()) is not None:
                taken.append(job)
        self._batches.clear()
        return taken

    def close(self, threads: int) -> None:
        """No other begins: each thread gets None when it asks next."""
        self.take_back()
        self._is_closed = True
        for _ in range(threads):
            self._queue.put(None)
