"""When each task is to run next. No database, no clock of its own.

A heap of the next run of each task. What is taken is planned again when the agenda is asked the
next time: 5,000 tasks that are due in one minute are enqueued first, and only then asked for their
next times, which takes longer than everything else.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import NamedTuple

from queuekit import events
from queuekit.recurring.task import RecurringTask

_SECOND = timedelta(seconds=1)


class Run(NamedTuple):
    """A task at the time at which its schedule wants it."""

    task: RecurringTask
    at: datetime


class Agenda:
    """The tasks, each with its next run."""

    def __init__(self) -> None:
        self._tasks: dict[str, RecurringTask] = {}
        self._next: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._taken: list[Run] = []

    def plan(self, task: RecurringTask, at: datetime) -> None:
        """Have this task, in place of one of its key, run next at this time."""
        self._tasks[task.key] = task
        self._next[task.key] = at
        heapq.heappush(self._heap, (at, task.key))

    def replace(self, task: RecurringTask) -> None:
        """Have this task in place of the one of its key, which ran at the same times."""
        self._tasks[task.key] = task

    def forget(self, key: str) -> None:
        self._tasks.pop(key, None)
        self._next.pop(key, None)

    def take(self, now: datetime, limit: int) -> list[Run]:
        """The runs that are due, those due longest first, at most `limit`."""
        self._plan_taken()
        runs: list[Run] = []
        while len(runs) < limit and (at := self._earliest()) is not None and at <= now:
            _, key = heapq.heappop(self._heap)
            run = Run(self._tasks[key], at)
            del self._next[key]
            runs.append(run)
            if now - at < _SECOND:
                self._taken.append(run)  # it cannot be due again
            else:
                self._plan_after(run)
        return runs

    def next_at(self) -> datetime | None:
        """When the next run is due; None when there is none."""
        self._plan_taken()
        return self._earliest()

    def _earliest(self) -> datetime | None:
        while self._heap:
            at, key = self._heap[0]
            if self._next.get(key) == at:
                return at
            heapq.heappop(self._heap)  # it was planned anew, or is forgotten
        return None

    def _plan_taken(self) -> None:
        taken, self._taken = self._taken, []
        for run in taken:
            self._plan_after(run)

    def _plan_after(self, run: Run) -> None:
        """Unless it was planned anew, or forgotten, since it was taken."""
        key = run.task.key
        if key not in self._tasks or key in self._next:
            return
        try:
            self.plan(self._tasks[key], self._tasks[key].schedule.next(run.at))
        except Exception as error:  # whatever a schedule meets at the end of its dates
            events.emit(events.ErrorOccurred(where=f"the schedule of {key}", error=error))
