"""The dispatcher: moves scheduled jobs to ready when their time has come.

It sleeps until the next job is due, or for its polling interval, whichever is shorter: a job
scheduled meanwhile may be due before those it knows of. Where there are hints, it hears of that one
at once. Beside that it forgets what jobs that are gone have left behind, and sweeps the slots of
concurrency limits and the starts of throttles.
"""

from __future__ import annotations

import time
from typing import Any

from queuekit import events
from queuekit.config import DispatcherSettings
from queuekit.database import Database
from queuekit.database.hints import SCHEDULED
from queuekit.executions import scheduled
from queuekit.processes.forgetting import Forgetting
from queuekit.processes.hints import Hints
from queuekit.processes.sweeping import Sweeping
from queuekit.processes.wakeup import Wakeup

#: Seconds between two looks that hints are the reason for.
_BETWEEN_HINTS = 0.02

#: Whether anything was committed is asked so often, whatever was done: a job that is due within the
#: second is late by that.
_INTERVALS = ((float("inf"), 0.04),)


def dispatchers_hints(database: Database, wakeup: Wakeup, *, wanted: bool) -> Hints:
    """Hints of jobs that were scheduled: they may be due before the next poll."""
    return Hints(database, wakeup, SCHEDULED, wanted=wanted, intervals=_INTERVALS)


class Dispatcher:
    """A role for a Runner. It holds nothing, so it is done whenever it is stopped."""

    name = "Dispatcher"
    is_done = True
    exit_status = 0
    leaves_because: str | None = None

    def __init__(
        self,
        settings: DispatcherSettings,
        database: Database,
        log_polling: bool,
        hints: Hints | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._log_polling = log_polling
        self.hints = hints
        self._not_before = 0.0
        self._forgetting = Forgetting(database)
        self._sweeping = Sweeping(
            database,
            settings.concurrency_maintenance_interval,
            slots=settings.concurrency_maintenance,
        )

    def metadata(self) -> dict[str, Any]:
        return {
            "polling_interval": self._settings.polling_interval,
            "batch_size": self._settings.batch_size,
        }

    def start(self, process_id: int) -> None:
        """Nothing of a dispatcher's work is done under its own name."""

    def stop(self) -> None:
        """A batch is one transaction: there is nothing to finish."""

    def close(self) -> None:
        """Nothing is held."""

    def abandon(self) -> None:
        """It has no threads."""

    def poll(self) -> float:
        """Dispatch a batch if any is due. Returns the seconds to wait before the next poll."""
        if self.hints is None:
            return self._look()
        now = time.monotonic()
        if self.hints.pending and now < self._not_before:
            return self._not_before - now
        self._not_before = now + _BETWEEN_HINTS
        has_heard = self.hints.take()
        seconds = self._look()
        if self.hints.pending or (has_heard and self.hints.merged):
            return min(seconds, _BETWEEN_HINTS)
        return seconds

    def _look(self) -> float:
        self._forgetting.attend()
        self._sweeping.attend()
        due_in = scheduled.seconds_until_next(self._database)
        if due_in is None:
            return self._settings.polling_interval
        if due_in > 0:
            return min(due_in, self._settings.polling_interval)
        began = time.perf_counter()
        moved = scheduled.dispatch(self._database, self._settings.batch_size)
        if self._log_polling or moved:
            duration = time.perf_counter() - began
            events.emit(events.JobsDispatched(count=moved, duration=duration))
        return 0.0 if moved else self._settings.polling_interval
