"""The jobs that wait for a thread: a queue in C, and for how long its first one has been in it.

SimpleQueue shows neither its first item nor when that came. Both follow from counts: what was put
in, less what is in it, was taken; and what was put in at one time is a batch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from queuekit.executions.claimed import ClaimedJob


class WaitingJobs:
    """Jobs in the order they were put in. Threads `get` them; the rest is the main thread's, but
    for `close`, which is anybody's.

    A thread has a job, or the queue does, at any moment: what `take_back` returns has not begun and
    will not begin. What is there when it is closed, or comes later, is there to be taken back.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[ClaimedJob | None] = SimpleQueue()
        self._put = 0
        self._batches: deque[tuple[int, float]] = deque()
        self._lock = threading.Lock()  # for those who fill and empty it; threads need none
        self._left: list[ClaimedJob] = []
        self.is_closed = False
        self.get = self._queue.get

    def __len__(self) -> int:
        """How many wait for a thread: none once it is closed."""
        return 0 if self.is_closed else self._queue.qsize()

    def put(self, jobs: Sequence[ClaimedJob]) -> None:
        with self._lock:
            if self.is_closed:
                self._left += jobs
            elif jobs:
                self._put += len(jobs)
                self._batches.append((self._put, time.monotonic()))
                for job in jobs:
                    self._queue.put(job)

    @property
    def since(self) -> float | None:
        """Since when the first one has been waiting, by time.monotonic(); None without any."""
        with self._lock:
            taken = self._put - len(self)
            while self._batches and self._batches[0][0] <= taken:
                self._batches.popleft()
            return self._batches[0][1] if self._batches else None

    def take_back(self) -> list[ClaimedJob]:
        """Take all of them out again."""
        with self._lock:
            return self._take_out()

    def close(self, threads: int) -> None:
        """No other begins: each thread gets None when it asks next."""
        with self._lock:
            self._left = self._take_out()
            self.is_closed = True
            for _ in range(threads):
                self._queue.put(None)

    def _take_out(self) -> list[ClaimedJob]:
        taken, self._left = self._left, []
        with suppress(Empty):
            while not self.is_closed and (job := self._queue.get_nowait()) is not None:
                taken.append(job)
        self._batches.clear()
        return taken
