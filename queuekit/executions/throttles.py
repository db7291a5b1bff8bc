"""Throttles: at most so many starts of a key within any span of time, and who starts when.

Jobs ask when they have been claimed, all of a turn at once. Those that may start now do; the others
go from claimed to scheduled, each for a moment of its own, in the order in which they asked. So a
backlog is spread over the time to come in one go, and nobody asks in vain again and again. A job
that is so nearly due that scheduling it would take longer keeps its claim, and waits in its worker.

What was given stands in rows: a start that happened counts for `per`, one that is reserved keeps
its moment from those who ask later. A job that comes at its moment starts, unless others were late
and started just before it. It then gets another moment, by the starts and by those who have been
moved like it, since all who come after them are going to be moved as well.

Times are the database's, read under the lock of the key:

    lock      the process's own row, as a turn does; then the keys, in their order
    decide    by the latest starts of each key, no more than `to` of them
    write     the rows; claimed to scheduled; last, `semaphores.hand_over` for the slots of these

Who holds a semaphore's key waits for no throttle's key, and a caller's transaction takes neither.

From the moment that is written down to the first line of the job it takes a while, and not always
the same: a margin keeps that out of what anybody measures. Reservations are apart by another one,
so that small delays do not add up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from queuekit.database import Connection, Database, Row
from queuekit.database.hints import SCHEDULED
from queuekit.executions import semaphores
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.lock_rows import forget_unused

RESERVED, MOVED, STARTED = range(3)

#: How long a job may keep its claim, and a thread, before it starts: so long, about, it takes to
#: come back from scheduled.
PATIENCE = timedelta(seconds=0.25)

#: Of `per`, and at least and at most.
_MARGIN = 1 / 20
_MARGINS = timedelta(milliseconds=1), timedelta(milliseconds=50)

#: No moment after this is given: a long enough backlog of a long enough `per` would go beyond what
#: can be stored.
_LAST_MOMENT = datetime(9000, 1, 1, tzinfo=UTC)

_PAGE_SIZE = 500


class Starts(NamedTuple):
    """Which jobs may start, by row id, and in how many seconds; and how many were scheduled. Those
    that the process does not have claimed any more are in neither."""

    seconds: Mapping[int, float]
    throttled: int


_NONE = Starts({}, 0)


def margin(per: float) -> timedelta:
    """How much longer than `per` a start counts."""
    least, most = _MARGINS
    return min(max(timedelta(seconds=per) * _MARGIN, least), most)


def start(database: Database, process_id: int, jobs: Sequence[ClaimedJob]) -> Starts:
    """Let these claimed jobs start as their throttles allow; schedule the others."""
    asking = {job.row_id: job for job in jobs}
    ids = json.dumps([*asking])

    def work(connection: Connection) -> Starts:
        def run(name: str, **parameters: object) -> list[Row]:
            return connection.run(database.named(name), parameters)

        def ledger(key: str, stage: int, to: int, number: int) -> _Ledger:
            last = min(number, to)
            window = {"least_stage": stage, "most": to, "skip": to - last, "limit": last}
            rows = run("throttles.latest", throttle_key=key, job_ids=ids, **window)
            return _Ledger((database.moment_from_database(row[0]) for row in rows), last)

        by_key = _by_key(jobs)
        if not run("processes.hold", process_id=process_id):
            return _NONE
        _lock(database, connection, by_key)
        rows = run("throttles.asked", job_ids=ids, process_id=process_id)
        if not rows:
            return _NONE
        now = database.moment_from_database(rows[0][-1])
        held = {row[0]: _Asking(*row[:-1]) for row in rows}
        given = [
            one
            for key, row_ids in by_key.items()
            if (here := [held[row_id] for row_id in row_ids if row_id in held])
            for one in _give(partial(ledger, key), key, here, now)
        ]
        starts = _stored(database, given)
        run("throttles.record", starts=starts)
        throttled = [asking[one.row_id] for one in given if one.stage != STARTED]
        if throttled:
            run("throttles.postpone", starts=starts, process_id=process_id)
            database.wake(SCHEDULED)
            _free_slots(database, connection, throttled)
        began = (one for one in given if one.stage == STARTED)
        seconds = {one.row_id: (one.moment - now).total_seconds() for one in began}
        return Starts(seconds, len(throttled))

    return database.transact(work)


def _by_key(jobs: Iterable[ClaimedJob]) -> dict[str, list[int]]:
    """The row ids of the jobs of each key, in the order of the keys."""
    found: dict[str, list[int]] = {}
    for job in jobs:
        if job.throttle_key is not None:
            found.setdefault(job.throttle_key, []).append(job.row_id)
    return dict(sorted(found.items()))


def sweep(database: Database) -> None:
    """Forget the rows that are of no use any more, and the lock rows without any."""
    after = 0
    while page := database.query("throttles.page", after=after, limit=_PAGE_SIZE):
        useless = [row_id for row_id, is_useless in page if is_useless]
        if useless:
            # They stay useless: a job that has ended never waits again, its next attempt does.
            database.query("throttles.forget_starts", job_ids=json.dumps(useless))
        after = page[-1][0]
    forget_unused(database, "throttles.unused", "throttles.forget", partial(_lock, database))


def _lock(database: Database, connection: Connection, keys: Iterable[str]) -> None:
    connection.run(database.named("throttles.lock"), {"keys": json.dumps(sorted(keys))})


# Who starts when


class _Asking(NamedTuple):
    """A claimed job: how many of its key may start in how many seconds, by its own word, and its
    stage. That is None when it has never been given a moment."""

    row_id: int
    job_id: str
    to: int
    per: float
    stage: int | None


class _Given(NamedTuple):
    row_id: int
    key: str
    stage: int
    moment: datetime
    expires_at: datetime


class _Ledger:
    """The `to` latest starts of a key, as far as they decide when some more jobs may start: that is
    the last of them. The first stay among them, whatever moments these jobs get."""

    def __init__(self, moments: Iterable[datetime], number: int) -> None:
        self._moments = list(moments)
        self._number = number

    def free(self, now: datetime, span: timedelta) -> datetime:
        """When the next may start, so that a start is over after `span`."""
        if len(self._moments) < self._number:
            return now
        last = sorted(self._moments)[-self._number]
        return max(now, min(last + span, _LAST_MOMENT))

    def add(self, moment: datetime) -> None:
        self._moments.append(moment)


def _give(
    ledger_of: Callable[[int, int, int], _Ledger], key: str, jobs: Sequence[_Asking], now: datetime
) -> Iterable[_Given]:
    """A moment for each of these jobs of a key, in their order. Of what they say of the throttle,
    the word of the one enqueued last counts."""
    newest = max(jobs, key=lambda job: job.job_id)
    to, per, over = newest.to, timedelta(seconds=newest.per), margin(newest.per)
    stages = {stage for job in jobs for stage in _stages_for(job)}
    ledgers = {stage: ledger_of(stage, to, len(jobs)) for stage in stages}
    for job in jobs:
        decisive, stage = _stages_for(job)
        moment = ledgers[decisive].free(now, per + over)
        if moment <= now + PATIENCE:
            stage = STARTED
        else:
            moment = ledgers[stage].free(now, per + 2 * over)
        for least, ledger in ledgers.items():
            if stage >= least:
                ledger.add(moment)
        yield _Given(job.row_id, key, stage, moment, moment + per + over)


def _stages_for(job: _Asking) -> tuple[int, int]:
    """By which stages, from which up, it is decided whether the job starts; and the stage that it
    gets when it does not, by which and those above its moment is."""
    return (RESERVED, RESERVED) if job.stage is None else (STARTED, MOVED)


def _stored(database: Database, given: Iterable[_Given]) -> str:
    return json.dumps(
        [
            {
                "job_id": one.row_id,
                "throttle_key": one.key,
                "stage": one.stage,
                "starts_at": database.to_database(one.moment),
                "expires_at": database.to_database(one.expires_at),
            }
            for one in given
        ]
    )


def _free_slots(
    database: Database, connection: Connection, throttled: Sequence[ClaimedJob]
) -> None:
    freed: dict[int, Any] = {
        job.row_id: job.concurrency_key for job in throttled if job.concurrency_key is not None
    }
    if freed:
        keys = dict.fromkeys(freed.values())
        semaphores.hand_over(database, connection, keys, freed=freed)
