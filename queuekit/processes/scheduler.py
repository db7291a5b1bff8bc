"""The scheduler: enqueues recurring tasks at their times, by the database's clock.

Any number of them may run, on any number of hosts: the rows of runs decide who enqueues. Each time
it wakes it asks for the database's time, and enqueues whatever has become due since it looked last,
so that a clock that jumps forward, or a database that was away, costs no run. Two things are
different from being late:

    longer than process_alive_threshold since its last look, or just begun: no scheduler was alive,
    as far as it knows. Each task's own policy for missed runs decides (recurring/missed.py).

    the clock jumped back by more than that: the times to come are looked for anew. For a smaller
    jump they stay as they are. Either way a run that has its row is not repeated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from queuekit import events
from queuekit.config import Configuration, SchedulerSettings
from queuekit.database import Database
from queuekit.recurring import missed, rows, runs, static
from queuekit.recurring.agenda import Agenda, Run
from queuekit.recurring.clearing import Clearing
from queuekit.recurring.rows import DynamicRow
from queuekit.recurring.task import RecurringTask

#: Runs enqueued in one transaction at the most. More would hold too many locks for too long.
_BATCH = 5_000

#: Seconds between two looks at the clock at the most: it may have been set. And a part of the
#: longest absence, so that sleeping is none.
_ROUND = 60.0
_LOOKS_PER_ABSENCE = 5

#: So many keys are listed in metadata, which is one line of the log.
_KEYS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What a scheduler is configured with: its settings, and the static tasks as they were read
    when the supervisor began, or was reloaded."""

    settings: SchedulerSettings
    tasks: Sequence[RecurringTask]


def scheduling_of(configuration: Configuration) -> Scheduling | None:
    """What a scheduler of this configuration has to do; None when there is nothing. The modules
    under `imports` have been imported: they may declare tasks.

    Raises ConfigurationError with everything that is wrong with any task.
    """
    if configuration.skip_recurring:
        return None
    settings, tasks = configuration.scheduler, static.read(configuration)
    return Scheduling(settings, tasks) if tasks or settings.dynamic_tasks_enabled else None


class Scheduler:
    """A role for a Runner. A batch is one transaction, so it is done whenever it is stopped.

    1. Writes the static tasks to their table, for people to see.
    2. Enqueues what is due, and what was missed where a task wants that.
    3. Picks up dynamic tasks, where they are enabled.
    4. Clears the rows of old runs.
    """

    name = "Scheduler"
    is_done = True
    exit_status = 0
    leaves_because: str | None = None
    hints = None

    def __init__(
        self, scheduling: Scheduling, configuration: Configuration, database: Database
    ) -> None:
        self._settings = scheduling.settings
        self._static = {task.key: task for task in scheduling.tasks}
        self._database = database
        threshold = configuration.process_alive_threshold
        self._longest_absence = timedelta(seconds=threshold)
        self._longest_sleep = min(_ROUND, threshold / _LOOKS_PER_ABSENCE)
        if self._settings.dynamic_tasks_enabled:
            self._longest_sleep = min(self._longest_sleep, self._settings.polling_interval)
        self._agenda = Agenda()
        self._pending: list[Run] = []
        self._dynamic: dict[str, DynamicRow] = {}
        self._next_reading = 0.0
        self._has_stored = False
        self._looked_at: datetime | None = None
        self._alive_since = datetime.min.replace(tzinfo=UTC)
        self._clearing = Clearing(database, configuration.clear_finished_jobs_after)

    def metadata(self) -> dict[str, Any]:
        keys = sorted(self._static)
        more = ",..." if len(keys) > _KEYS_SHOWN else ""
        return {
            "polling_interval": self._settings.polling_interval,
            "dynamic_tasks_enabled": self._settings.dynamic_tasks_enabled,
            "recurring_tasks": len(keys),
            "recurring_schedule": ",".join(keys[:_KEYS_SHOWN]) + more,
        }

    def start(self, process_id: int) -> None:
        """Nothing of a scheduler's work is done under its own name."""

    def stop(self) -> None:
        """There is nothing to finish."""

    def close(self) -> None:
        """Nothing is held."""

    def abandon(self) -> None:
        """It has no threads."""

    def poll(self) -> float:
        """Enqueue what is due. Returns the seconds until there may be more to do.

        Raises the DatabaseErrors: then nothing is lost, and the next poll tries again.
        """
        if not self._has_stored:
            rows.store_static(self._database, list(self._static.values()))
            self._has_stored = True
        asked_at = time.monotonic()
        now = rows.now(self._database)
        self._plan(now)
        self._looked_at = now
        self._enqueue_due(now)
        if self._clearing.attend():
            return 0.0
        return self._seconds_to_sleep(now, asked_at)

    # Enqueueing

    def _enqueue_due(self, now: datetime) -> None:
        """One batch. What the database did not take for its own reasons stays pending."""
        if not self._pending:
            self._pending = self._agenda.take(now, _BATCH)
        if not self._pending:
            return
        began = time.perf_counter()
        enqueued = runs.enqueue(self._database, self._pending)
        self._pending = []
        if enqueued:
            events.emit(
                events.RecurringTasksEnqueued(
                    count=len(enqueued),
                    made_up=sum(run.at <= self._alive_since for run in enqueued),
                    duration=time.perf_counter() - began,
                )
            )

    def _seconds_to_sleep(self, now: datetime, asked_at: float) -> float:
        upcoming = self._agenda.next_at()
        if upcoming is None:
            return self._longest_sleep
        passed = time.monotonic() - asked_at
        return min(self._longest_sleep, max((upcoming - now).total_seconds() - passed, 0.0))

    # Planning

    def _plan(self, now: datetime) -> None:
        before = self._looked_at
        if before is None or now - before > self._longest_absence:
            self._resume(now)
        elif before - now > self._longest_absence:
            self._start_over(now)
        elif time.monotonic() >= self._next_reading:
            self._read_dynamic(now)

    def _resume(self, now: datetime) -> None:
        """Begin, or go on after a time in which no scheduler was alive."""
        standing = rows.standing(self._database)
        self._dynamic = self._fetch_dynamic()
        self._agenda, self._pending, self._alive_since = Agenda(), [], now
        skipped: list[str] = []
        cut: list[str] = []
        for task in self._tasks():
            found = standing.get(task.key)
            since = now if found is None else max(found.since, found.last_run or found.since)
            with _reporting(task.key):
                resumption = missed.resume(task, since, now)
                self._agenda.plan(task, resumption.at)
                skipped += [task.key] * resumption.skipped
                cut += [task.key] * resumption.cut
        if skipped or cut:
            events.emit(
                events.RecurringRunsMissed(
                    skipped=tuple(skipped), cut=tuple(cut), kept=missed.MOST_RUNS
                )
            )

    def _start_over(self, now: datetime) -> None:
        """The clock was far ahead: go on from what it says now."""
        self._agenda, self._pending = Agenda(), []
        for task in self._tasks():
            with _reporting(task.key):
                self._agenda.plan(task, task.schedule.next(now))

    def _tasks(self) -> list[RecurringTask]:
        dynamic = (_read(row) for row in self._dynamic.values())
        return [*self._static.values(), *(task for task in dynamic if task is not None)]

    # Dynamic tasks

    def _read_dynamic(self, now: datetime) -> None:
        """Note which were made, replaced and removed since they were read last."""
        known, self._dynamic = self._dynamic, self._fetch_dynamic()
        for key in known.keys() - self._dynamic.keys():
            self._agenda.forget(key)
        for key, row in self._dynamic.items():
            before = known.get(key)
            if row != before and (task := _read(row)) is not None:
                if before is not None and before.times == row.times:
                    self._agenda.replace(task)
                else:
                    self._plan_new(task, row.since, now)

    def _plan_new(self, task: RecurringTask, since: datetime, now: datetime) -> None:
        """What became due while nobody had read it yet is late, not missed."""
        with _reporting(task.key):
            after = max(since, now - self._longest_absence)
            self._agenda.plan(task, task.schedule.next(after))

    def _fetch_dynamic(self) -> dict[str, DynamicRow]:
        """A static task of ours counts, whatever a row of its key says."""
        if not self._settings.dynamic_tasks_enabled:
            self._next_reading = float("inf")
            return {}
        found = rows.dynamic(self._database)
        self._next_reading = time.monotonic() + self._settings.polling_interval
        return {row.key: row for row in found if row.key not in self._static}


def _read(row: DynamicRow) -> RecurringTask | None:
    with _reporting(row.key):
        return row.task()
    return None


@contextmanager
def _reporting(key: str) -> Iterator[None]:
    """One task that cannot be read or planned is left out, and no other's trouble."""
    try:
        yield
    except Exception as error:
        events.emit(events.ErrorOccurred(where=f"the recurring task {key}", error=error))
