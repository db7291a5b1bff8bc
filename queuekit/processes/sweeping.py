"""The backstop of concurrency limits: now and then a dispatcher looks for slots that expired, and
for what a worker that knows of no limits left behind. Nothing else waits for it.
"""

from __future__ import annotations

import time

from queuekit import events
from queuekit.database import Database
from queuekit.executions import semaphores


class Sweeping:
    """Sweeps every `interval` seconds, for the first time at once; never when it is None."""

    def __init__(self, database: Database, interval: float | None) -> None:
        self._database = database
        self._interval = interval
        self._next_sweep = time.monotonic()

    def attend(self) -> None:
        """Sweep if it is time. Raises the DatabaseErrors; then the next call tries again."""
        if self._interval is None or time.monotonic() < self._next_sweep:
            return
        began = time.perf_counter()
        promoted = semaphores.sweep(self._database)
        self._next_sweep = time.monotonic() + self._interval
        if promoted:
            duration = time.perf_counter() - began
            events.emit(events.JobsUnblocked(count=promoted, duration=duration))
