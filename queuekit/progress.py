"""What a job says of its progress: written down about once a second, however often it says it.

The end (`done == total`) is written at once, and what was said last when the run ends. Telling
progress harms no job: where the database does not take it, it is reported as ErrorOccurred, and
tried again later and later. On SQLite that also limits what a job loses that tells it from within
an open transaction of its own, which is the very lock that writing it down would wait for.
"""

from __future__ import annotations

import math
import time
from typing import Any

from queuekit import application, events
from queuekit.errors import DatabaseError
from queuekit.executions import steps
from queuekit.executions.steps import Claim

#: Seconds between two writes, and the longest after writes that failed.
_INTERVAL = 1.0
_LONGEST_INTERVAL = 60.0


class Progress:
    """The progress of one run. Without a claim, in `perform_now`, it is kept here alone."""

    def __init__(self, claim: Claim | None) -> None:
        self.done: float | None = None
        self.total: float | None = None
        self._claim = claim
        self.is_unwritten = False
        self._interval = _INTERVAL
        self._next_write = 0.0

    def tell(self, done: float, total: float | None, *, may_write: bool) -> None:
        """Raises ValueError when these are no numbers of which one can be a part of the other."""
        told = _number("done", done), None if total is None else _number("total", total)
        if not self.is_unwritten and told == (self.done, self.total):
            return
        self.done, self.total = told
        self.is_unwritten = self._claim is not None
        if may_write and (self.done == self.total or time.monotonic() >= self._next_write):
            self.write()

    def write(self) -> None:
        """Write down what was said last, if it is not."""
        if not self.is_unwritten or self._claim is None or self.done is None:
            return
        began = time.monotonic()
        try:
            steps.record_progress(application.database(), self._claim, self.done, self.total)
            self.is_unwritten = False
            self._interval = _INTERVAL
        except DatabaseError as error:
            events.emit(events.ErrorOccurred(where="writing a job's progress", error=error))
            # Asking in vain may take as long as connecting does: a tenth of the job's time at most.
            longer = max(2 * self._interval, 10 * (time.monotonic() - began))
            self._interval = min(longer, _LONGEST_INTERVAL)
        self._next_write = time.monotonic() + self._interval


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"progress: {name} is a number, not {value!r}")
    if value < 0:
        raise ValueError(f"progress: {name} is a number from 0, not {value!r}")
    return float(value)
