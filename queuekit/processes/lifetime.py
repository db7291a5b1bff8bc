"""How long a worker lives: for how many jobs, how many seconds, and until it has grown how far."""

from __future__ import annotations

import time

from queuekit.config import WorkerSettings
from queuekit.processes.memory import resident_memory

#: Seconds between looks at the memory: reading it costs a file.
_MEMORY_INTERVAL = 1.0


class Lifetime:
    """Begins when it is made."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._began_at = time.monotonic()
        self._memory_looked_at = 0.0

    def over_because(self, begun: int) -> str | None:
        """Why it is over, after so many jobs have begun; None while it is not."""
        settings = self._settings
        if settings.max_jobs is not None and begun >= settings.max_jobs:
            return f"it has had its max_jobs, {settings.max_jobs}"
        if settings.max_age is not None and time.monotonic() - self._began_at >= settings.max_age:
            return f"it has reached its max_age, {settings.max_age:g} s"
        if settings.max_memory is not None and begun and self._has_grown_over(settings.max_memory):
            return f"it has grown over its max_memory, {settings.max_memory:,} bytes"
        return None

    def _has_grown_over(self, limit: int) -> bool:
        """By its jobs, of which there was one: what it needs without any, the next one would need,
        too."""
        now = time.monotonic()
        if now - self._memory_looked_at < _MEMORY_INTERVAL:
            return False
        self._memory_looked_at = now
        return resident_memory() > limit
