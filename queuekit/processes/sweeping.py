"""The backstop of concurrency limits: now and then a dispatcher looks for slots that expired, and
for what a worker that knows of no limits left behind. Nothing else waits for it. It forgets, too,
the starts that throttles need no more.
"""

from __future__ import annotations

import time

from queuekit import events
from queuekit.database import Database
from queuekit.executions import semaphores, throttles


class Sweeping:
    """Sweeps every `interval` seconds, for the first time at once. Slots only where `slots` says
    so; starts always: nobody else forgets them, and each throttled job leaves one."""

    def __init__(self, database: Database, interval: float, *, slots: bool) -> None:
        self._database = database
        self._interval = interval
        self._sweeps_slots = slots
        self._next_sweep = time.monotonic()

    def attend(self) -> None:
        """Sweep if it is time. Raises the DatabaseErrors; then the next call tries again."""
        if time.monotonic() < self._next_sweep:
            return
        throttles.sweep(self._database)
        if self._sweeps_slots:
            self._sweep_slots()
        self._next_sweep = time.monotonic() + self._interval

    def _sweep_slots(self) -> None:
        began = time.perf_counter()
        promoted = semaphores.sweep(self._database)
        if promoted:
            duration = time.perf_counter() - began
            events.emit(events.JobsUnblocked(count=promoted, duration=duration))
