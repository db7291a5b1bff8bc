"""From the claim to the pool: jobs with a throttle ask for their start first.

Most turns claim none of these, and pay nothing. Jobs that may start in a moment are kept until
then, each with room for it in the pool; the others have gone back to scheduled.

A start is written down before it happens, so nothing may come between: a job with a throttle asks
when there is a thread for it, never ahead. Where a turn has claimed more than can begin, and some
of that has a throttle, the rest is held here, in its order, until threads are free; the worker
claims nothing ahead meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain

from queuekit import events
from queuekit.database import Database
from queuekit.executions import throttles
from queuekit.executions.claimed import ClaimedJob
from queuekit.processes.pool import Pool
from queuekit.processes.prefetch import MOST_SECONDS


class Starting:
    """The claimed jobs of one worker on their way to its pool: `post` is called with some at a
    time, in their order."""

    def __init__(
        self, database: Database, pool: Pool, post: Callable[[Sequence[ClaimedJob]], object]
    ) -> None:
        self._database = database
        self._pool = pool
        self._post = post
        self._kept: dict[int, tuple[float, ClaimedJob]] = {}
        self._held: deque[tuple[float, ClaimedJob]] = deque()

    @property
    def row_ids(self) -> frozenset[int]:
        """The jobs that are here."""
        return frozenset(chain(self._kept, (job.row_id for _, job in self._held)))

    def __len__(self) -> int:
        return len(self._kept) + len(self._held)

    @property
    def next_moment(self) -> float | None:
        """When to attend next, by time.monotonic(), whatever the pool does."""
        moments = [moment for moment, _ in self._kept.values()]
        if self._held:
            moments.append(self._held[0][0] + MOST_SECONDS)
        return min(moments, default=None)

    def take(self, process_id: int, jobs: Sequence[ClaimedJob]) -> None:
        """Post the jobs that may start. Raises the DatabaseErrors: then nobody knows of those with
        a throttle that have asked, which are claimed at the most."""
        if not self._held and all(job.throttle_key is None for job in jobs):
            if jobs:
                self._post(jobs)
        else:
            now = time.monotonic()
            self._held.extend((now, job) for job in jobs)
            self._let_begin(process_id)

    def attend(self, process_id: int) -> None:
        """Post the jobs whose moment has come, in its order, and what there are threads for now.
        Raises as `take` does."""
        if self._kept:
            self._post_due()
        if self._held:
            self._let_begin(process_id)

    def take_back(self) -> list[ClaimedJob]:
        """Take back the jobs that have not asked yet."""
        jobs = [job for _, job in self._held]
        self._held.clear()
        return jobs

    def take_back_late(self) -> list[ClaimedJob]:
        """The same, when the first of them has been held for too long."""
        if self._held and time.monotonic() >= self._held[0][0] + MOST_SECONDS:
            self._pool.note_late()
            return self.take_back()
        return []

    def _post_due(self) -> None:
        now = time.monotonic()
        for moment, job in sorted(self._kept.values(), key=lambda kept: kept[0]):
            if moment <= now:
                del self._kept[job.row_id]
                self._post([job])

    def _let_begin(self, process_id: int) -> None:
        """Of what is held, as much as there are threads for. Those that are throttled leave theirs
        to the next."""
        while self._held and (room := self._pool.room - len(self._kept)) > 0:
            jobs = [self._held.popleft()[1] for _ in range(min(room, len(self._held)))]
            asking = [job for job in jobs if job.throttle_key is not None]
            others = [job for job in jobs if job.throttle_key is None]
            if others:
                self._post(others)
            if asking:
                self._ask(process_id, asking)
                self._post_due()

    def _ask(self, process_id: int, jobs: list[ClaimedJob]) -> None:
        began = time.perf_counter()
        starts = throttles.start(self._database, process_id, jobs)
        now = time.monotonic()
        for job in jobs:
            if job.row_id in starts.seconds:
                self._kept[job.row_id] = now + starts.seconds[job.row_id], job
        if starts.throttled:
            duration = time.perf_counter() - began
            events.emit(events.JobsThrottled(count=starts.throttled, duration=duration))
