"""What becomes of runs whose time came while no scheduler was alive: each task's policy, and only
arithmetic of time.

Runs are at whole seconds. Nothing here enumerates what was missed: a second is 31 million times in
a year. It walks backwards, a bounded number of steps.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from queuekit.recurring.task import RecurringTask

#: How many runs of one task are made up for at the most: the last ones.
MOST_RUNS = 1_000

_SECOND = timedelta(seconds=1)


class Resumption(NamedTuple):
    """The run with which a task goes on. `skipped`: its policy has passed over others before it;
    `cut`: there were more than are made up for."""

    at: datetime
    skipped: bool = False
    cut: bool = False


def resume(task: RecurringTask, since: datetime, now: datetime) -> Resumption:
    """Where a task goes on that has missed whatever is due after `since` and until `now`."""
    this_second = now.replace(microsecond=0)
    upcoming = task.schedule.next(this_second)
    since = _bounded(task, since, now)
    if since >= this_second:
        return Resumption(upcoming)
    last = task.schedule.previous(this_second + _SECOND)
    if last <= since:
        return Resumption(upcoming)
    elif task.missed == "skip":
        return Resumption(upcoming, skipped=True)
    elif task.missed == "once":
        return Resumption(last)
    else:
        return _first_of_all(task, since, last)


def _bounded(task: RecurringTask, since: datetime, now: datetime) -> datetime:
    """Not further back than `missed_within`: also when that is longer than there are dates."""
    if task.missed_within is None or (now - since).total_seconds() <= task.missed_within:
        return since
    return now - timedelta(seconds=task.missed_within)


def _first_of_all(task: RecurringTask, since: datetime, last: datetime) -> Resumption:
    first = last
    for _ in range(MOST_RUNS - 1):
        before = task.schedule.previous(first)
        if before <= since:
            return Resumption(first)
        first = before
    return Resumption(first, cut=task.schedule.previous(first) > since)
