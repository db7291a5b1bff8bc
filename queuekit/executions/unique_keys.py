"""Unique keys: which job has a key, and whether it still counts for those who enqueue the same.

Nothing is written when a job is claimed or ends: whether the holder of a key still counts is found
out by whoever enqueues the next. In one transaction, whose statements are as many for one job as
for a thousand:

    take    lock     the keys, all in one statement and in their order; who has them now
            holders  of keys that others have: where their jobs are
    ...     the jobs whose keys nobody has who counts are written
    keep    these keys are theirs

Two at once meet at the key's lock, which the primary key sees to. The holders are looked at after
it is there, in statements of their own, which see what was committed while waiting for it.

A holder that waits is kept from being claimed until the transaction has ended: its row is locked,
and claims pass it by. Without that it could begin and end before the caller has committed what it
was to see, and nobody would come after it. For the same reason a claim that is under way is waited
for: either it is undone or the holder has begun, and another job is enqueued. What is blocked or
claimed is not locked, since a worker's turn must never wait for a caller's transaction.

`forget_page` is for keys whose holders have ended for good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from queuekit.database import Database, Row

#: Runs a named query in a transaction.
Run = Callable[..., list[Row]]

#: Keys travel in parameters of so many, each of which takes up to 1.5 kB there.
_KEYS_AT_ONCE = 2000

#: How often holders are looked for that began to wait again between the lock and the look.
_LOOKS = 3


class Wanted(NamedTuple):
    """What a job that is to be written wants of its key. `is_scheduled` is whether its receipt
    says for when, `waits` whether it is put among the scheduled jobs in any case."""

    job_id: str
    queue: str
    counts_running: bool
    window: float | None
    is_scheduled: bool
    waits: bool


class Holder(NamedTuple):
    """The job that has a key: its id, the row of its newest attempt, None when it is gone, and its
    receipt's queue and time, this in the database's own form."""

    job_id: str
    row_id: int | None
    queue: str
    scheduled_at: Any


class _Held(NamedTuple):
    """A key as `lock` finds it. Without a first row it is new, or its job was discarded at once."""

    job_id: str
    first_row_id: int | None
    queue: str
    scheduled_at: Any
    is_scheduled: bool
    is_in_window: bool


def take(run: Run, wanted: Mapping[str, Wanted]) -> dict[str, Holder]:
    """Lock these keys until the end of the transaction. Returns who has which of them, and counts;
    the others are for `keep`.

    A key may be found with the very job that wants it: that was written before.
    """
    given = [
        {"key": key, "uuid": want.job_id, "queue_name": want.queue}
        for key, want in sorted(wanted.items())
    ]
    held = _held(row for part in _parts(given) for row in run("unique_keys.lock", unique_keys=part))
    others = {
        key: found
        for key, found in held.items()
        if found.first_row_id is not None or found.job_id != wanted[key].job_id
    }
    places = _places(run, others)
    return {
        key: _holder(found, places)
        for key, found in others.items()
        if found.is_in_window
        or (found.job_id == wanted[key].job_id)
        or places.get(found.job_id, _GONE).counts(wanted[key].counts_running)
    }


def keep(run: Run, wanted: Mapping[str, Wanted]) -> None:
    """Give these keys to the jobs that want them, which have been written in this transaction."""
    given = [
        {
            "key": key,
            "uuid": want.job_id,
            "seconds": want.window,
            "is_timed": want.is_scheduled,
            "is_scheduled": want.is_scheduled or want.waits,
        }
        for key, want in sorted(wanted.items())
    ]
    for part in _parts(given):
        run("unique_keys.keep", unique_keys=part)


def holders(run: Run, keys: Iterable[str]) -> dict[str, Holder]:
    """Who has these keys, whether or not they count: asked when the answer to a commit was lost."""
    given = [{"key": key} for key in sorted(keys)]
    held = _held(row for part in _parts(given) for row in run("unique_keys.held", unique_keys=part))
    places = _places(run, held)
    return {key: _holder(found, places) for key, found in held.items()}


def forget_page(database: Database, after: str | None, limit: int) -> str | None:
    """Forget those of the next `limit` keys whose window is over and whose holder has ended, other
    than by failing: it may be retried. Returns where to go on, None at the end.

    Nothing is locked while looking, and what others have locked is left for the next time.
    """
    page = database.query("unique_keys.page", after_key=after or "", limit=limit)
    ended = [{"key": key, "uuid": str(job_id)} for key, job_id, has_ended in page if has_ended]
    if ended:
        database.query("unique_keys.forget", unique_keys=json.dumps(ended))
    return page[-1][0] if len(page) == limit else None


class _Place(NamedTuple):
    """Where a holder is: the newest of its rows, and those that wait, are blocked or claimed."""

    newest: int | None
    waiting: int | None
    blocked: int | None
    claimed: int | None

    def with_lock(self, row_id: int | None) -> _Place:
        """What is known beside the row that is locked. One that only seems to wait, since the
        caller's transaction sees what was true when it began, has been claimed meanwhile."""
        return self._replace(waiting=row_id, claimed=self.claimed or self.waiting)

    def counts(self, running: bool) -> bool:
        return (
            self.waiting is not None
            or self.blocked is not None
            or (running and self.claimed is not None)
        )


_GONE = _Place(None, None, None, None)


def _places(run: Run, held: Mapping[str, _Held]) -> dict[str, _Place]:
    """Where these jobs are, by their ids. Those that wait are locked."""
    given = [
        {
            "key": key,
            "uuid": found.job_id,
            "job_id": found.first_row_id,
            "is_scheduled": found.is_scheduled,
        }
        for key, found in sorted(held.items())
    ]
    return {job_id: place for part in _parts(given) for job_id, place in _look(run, part).items()}


def _look(run: Run, given: str) -> dict[str, _Place]:
    for _ in range(_LOOKS):
        locked: dict[str, int] = {}
        places: dict[str, _Place] = {}
        for kind, job_id, *row_ids in run("unique_keys.holders", holders=given):
            if kind == "locked":
                locked[str(job_id)] = row_ids[0]
            else:
                places[str(job_id)] = _Place(*row_ids)
        if all(place.waiting in (None, locked.get(job_id)) for job_id, place in places.items()):
            break
    return {job_id: place.with_lock(locked.get(job_id)) for job_id, place in places.items()}


def _held(rows: Iterable[Row]) -> dict[str, _Held]:
    """Names travel in hexadecimal: a caller's connection may not take every script."""
    return {
        _text(key): _Held(
            str(job_id), first_row_id, _text(queue), time, bool(is_scheduled), bool(in_window)
        )
        for key, job_id, first_row_id, queue, time, is_scheduled, in_window in rows
    }


def _holder(found: _Held, places: Mapping[str, _Place]) -> Holder:
    place = places.get(found.job_id, _GONE)
    return Holder(found.job_id, place.newest, found.queue, found.scheduled_at)


def _text(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal).decode()


def _parts(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for start in range(0, len(given), _KEYS_AT_ONCE):
        yield json.dumps(given[start : start + _KEYS_AT_ONCE])
