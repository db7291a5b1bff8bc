"""From the claim to the pool: jobs with a throttle ask for their start first.

Most turns claim none of these, and pay nothing. Jobs that may start in a moment are kept until
then, each with room for it in the pool; the others have gone back to scheduled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from queuekit import events
from queuekit.database import Database
from queuekit.executions import throttles
from queuekit.executions.claimed import ClaimedJob


class Starting:
    """The claimed jobs of one worker on their way to its pool: `post` is called with each."""

    def __init__(self, database: Database, post: Callable[[ClaimedJob], object]) -> None:
        self._database = database
        self._post = post
        self._kept: dict[int, tuple[float, ClaimedJob]] = {}

    @property
    def row_ids(self) -> frozenset[int]:
        """The jobs that are kept."""
        return frozenset(self._kept)

    @property
    def next_moment(self) -> float | None:
        """When to post the next one, by time.monotonic()."""
        return min((moment for moment, _ in self._kept.values()), default=None)

    def take(self, process_id: int, jobs: Iterable[ClaimedJob]) -> None:
        """Post the jobs that may start. Raises the DatabaseErrors: then nobody knows of those with
        a throttle, which are claimed at the most."""
        throttled = []
        for job in jobs:
            if job.throttle_key is None:
                self._post(job)
            else:
                throttled.append(job)
        if throttled:
            self._ask(process_id, throttled)
            self.post_due()

    def post_due(self) -> None:
        """Post the jobs whose moment has come, in its order."""
        now = time.monotonic()
        for moment, job in sorted(self._kept.values(), key=lambda kept: kept[0]):
            if moment <= now:
                del self._kept[job.row_id]
                self._post(job)

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
