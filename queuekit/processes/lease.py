"""Until when a process may begin what it has claimed: nobody takes it for dead before.

What waits for a thread can wait for longer than anybody meant it to: the process was stopped, the
machine suspended, the database out of reach. Others may have taken the process for dead meanwhile,
and its jobs may run elsewhere. The next turn would tell, but the threads are faster. So none begins
a job later than `process_alive_threshold` after the last heartbeat that the database took, until
there is another one: that costs a look at a clock per job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def _clock() -> Callable[[], float]:
    """One that goes on while the machine is suspended, where there is one."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boottime is None else partial(time.clock_gettime, boottime)


clock = _clock()


class Lease:
    """`until` is a time by this module's clock; before the first heartbeat it has no end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.until = float("inf")

    def renew(self, sent_at: float) -> None:
        """The database has a heartbeat that was sent at this moment, by time.monotonic()."""
        self.until = clock() - (time.monotonic() - sent_at) + self._seconds

    @property
    def is_valid(self) -> bool:
        return clock() < self.until
