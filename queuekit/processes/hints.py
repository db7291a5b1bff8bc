"""What a process hears of new work: hints, on which nothing rests. Without them it polls.

On PostgreSQL they are pushed: the heartbeat's thread listens on its connection beside its timer,
and wakes the main thread. On SQLite they are asked for: the main thread, while it has nothing to
do, asks its own connection whether another one has committed anything. When to ask, Linux tells,
for it knows when the file is being written; elsewhere that is every few milliseconds. On MySQL
there are no hints.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from queuekit import events
from queuekit.database import Database
from queuekit.database.file_writes import FileWrites
from queuekit.errors import DatabaseError
from queuekit.processes.wakeup import Ending, Wakeup

#: For so many seconds after there was work there may soon be more.
LIVELY = 5.0

#: Seconds between two questions whether anything was committed, for up to so many seconds after
#: there was work, where nobody tells of writes. One costs about 45 microseconds of processor time,
#: half of it for waking up.
INTERVALS = ((LIVELY, 0.003), (60.0, 0.01), (float("inf"), 0.02))

#: Seconds from a write to the question whether that was a commit, doubled from the first to the
#: last: what is written can be seen a moment later, or after it has reached the disk.
_FIRST_DOUBT, _LAST_DOUBT = 0.0005, 0.5

#: Seconds until the next try to listen, where that failed: doubled from the first to the last.
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 15.0

#: Seconds until a connection that had an error is asked again.
_AFTER_ERROR = 1.0


class Hints:
    """The hints for one process that waits for jobs of one `kind`.

    1. `wait` is the main thread's sleep, `listen` that of the heartbeat's thread.
    2. `take` tells whether a hint has come since it was asked last; nothing wakes the main thread
       for one while it is not `wanted`, for there is no room for jobs.
    3. `work` says whether they come: then there is no need to poll often.

    They may be `merged`: who hears one must look again some milliseconds later.
    """

    def __init__(
        self,
        database: Database,
        wakeup: Wakeup,
        kind: str,
        *,
        wanted: bool = True,
        intervals: Sequence[tuple[float, float]] = INTERVALS,
    ) -> None:
        self._database = database
        self._wakeup = wakeup
        self._kind = kind
        self._is_off = not wanted
        self._intervals = intervals
        self._changes: object = None
        self._writes: FileWrites | None = None
        self._doubt = _FIRST_DOUBT
        self._are_asked_for = True
        self._not_before = 0.0
        self._pause = _FIRST_PAUSE
        self._worked_at = time.monotonic()
        self.wanted = True
        self.pending = False
        self.work = False
        self.merged = database.dialect.has_hints

    def take(self) -> bool:
        pending, self.pending = self.pending, False
        return pending

    def expect_more(self) -> None:
        """There was work just now."""
        self._worked_at = time.monotonic()

    # The main thread

    def wait(self, seconds: float) -> bool:
        """Wait until woken, or for so long; whether woken."""
        until = time.monotonic() + seconds
        while self._may_ask():
            if self._has_changed():
                self.pending = True
                return True
            left = until - time.monotonic()
            if left <= 0:
                break
            if self._rest(left):
                return True
            if time.monotonic() >= until:  # who has waited for so long looks by himself
                return False
        return self._wakeup.wait(until - time.monotonic())

    def _rest(self, seconds: float) -> bool:
        """Wait until it is time to ask again, but not longer than this; whether woken."""
        if self._writes is None:
            idle = time.monotonic() - self._worked_at
            pause = next(pause for most, pause in self._intervals if idle < most)
            return self._wakeup.wait(min(seconds, pause))
        if self._doubt <= _LAST_DOUBT:
            seconds = min(seconds, self._doubt)
            self._doubt *= 2
        return self._wakeup.wait_beside(self._writes.fileno(), seconds)

    def _may_ask(self) -> bool:
        """What is pending is known: whoever waits then waits for something else."""
        if self._is_off or self.pending or not (self._are_asked_for and self.wanted):
            return False
        return time.monotonic() >= self._not_before

    def _has_changed(self) -> bool:
        try:
            self._writes = self._database.writes()
            if self._writes is not None and self._writes.take():  # first: what comes later is new
                self._doubt = _FIRST_DOUBT
            before, self._changes = self._changes, self._database.changes()
        except DatabaseError:  # the role's own queries will say so
            self.work = False
            self._not_before = time.monotonic() + _AFTER_ERROR
            return False
        if self._changes is None:
            self._are_asked_for = False
            return False
        self.work = True
        return self._changes != before

    # The heartbeat's thread

    def listen(self, seconds: float, ending: Ending) -> None:
        """Wait for so long, or until the process ends, and pass on what is heard."""
        if self._is_off or not self.merged:
            ending.wait(seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not ending.is_set:
            try:
                self._hear(left, ending)
            except DatabaseError:  # heartbeats will say so, if it stays like this
                self.work = False
                ending.wait(min(left, self._pause))
                self._pause = min(2 * self._pause, _LAST_PAUSE)

    def _hear(self, seconds: float, ending: Ending) -> None:
        heard = self._database.hear(seconds, ending.fileno())
        if heard is None:
            self._is_off, self.work = True, False
            events.emit(events.HintsUnavailable(database=str(self._database.url)))
            ending.wait(seconds)
            return
        self._pause = _FIRST_PAUSE
        self.work = True
        if self._kind in heard:
            self.pending = True
            if self.wanted:
                self._wakeup.set()
