"""Who holds the slots of concurrency limits, and who waits for them. This module is
`queuekit.slots`:

    for key in queuekit.slots.list(blocked=True):
        print(key.key, key.slots, key.held, key.blocked)
    queuekit.slots.release(job_id)       # let somebody else in, whatever becomes of this one

A key is there while a job holds a slot of it or is blocked behind it; there is nothing to create.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from queuekit import application, events
from queuekit.database import Connection, Database, Row
from queuekit.errors import JobNotFoundError
from queuekit.executions import semaphores
from queuekit.ids import canonical

_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a concurrency limit: how many slots it has, how many of them are held, how many jobs
    have been claimed for longer than their limit's duration, and count no more, and how many are
    blocked. `slots` is None of a key that no job uses."""

    key: str
    slots: int | None
    held: int
    expired: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot and the job that holds it: `state` is ready, claimed, or ended, which is so for a
    moment only; `since` when it is that. A slot expires so long after the claim, `expires_at` is
    None before it. The process is the one that has claimed the job; its pid and host are None when
    it is registered no more. Of a job that is deleted already only the row id is known."""

    key: str
    row_id: int
    job_id: str | None
    class_name: str | None
    queue: str | None
    state: str
    since: datetime | None
    process_id: int | None
    pid: int | None
    hostname: str | None
    expires_at: datetime | None
    is_expired: bool


@dataclass(frozen=True, slots=True)
class BlockedJob:
    """A job that waits for a slot, since when."""

    row_id: int
    job_id: str | None
    class_name: str | None
    queue: str
    priority: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` did: of which key it was a slot, what the job that held it is doing (ready,
    claimed or ended), and the jobs that were blocked and are ready now."""

    key: str
    state: str
    ready: tuple[str, ...]


def list(*, blocked: bool = False, after: str = "", limit: int = 100) -> builtins.list[Key]:
    """The keys that jobs use, in their order, at most `limit`; with `blocked` those behind which
    jobs are blocked. `after` is the last key of the page before."""
    database = application.database()
    query = "semaphores.waiting" if blocked else "semaphores.in_use"
    found: builtins.list[Key] = []
    while len(found) < limit:
        size = min(_PAGE_SIZE, limit - len(found))
        page = [row[0] for row in database.query(query, after_key=after, limit=size)]
        if not page:
            break
        found += _counted(database, page)
        after = page[-1]
    return found


def show(key: str) -> Key:
    """One key."""
    counted = _counted(application.database(), [key])
    return counted[0] if counted else Key(key, None, 0, 0, 0)


def holders(keys: Iterable[str], *, limit: int = 100) -> builtins.list[Slot]:
    """The slots of these keys that are held, in the order of the keys, at most `limit` in all."""
    database = application.database()
    rows = database.query("semaphores.holders", keys=json.dumps([*keys]), limit=limit)
    return [_slot(row, database) for row in rows]


def blocked(key: str, *, limit: int = 100) -> builtins.list[BlockedJob]:
    """The jobs that are blocked behind a key, at most `limit`, in the order in which they come in:
    lower priority first, then as they were enqueued."""
    database = application.database()
    rows = database.query("semaphores.blocked", concurrency_key=key, limit=limit)
    return [_blocked_job(row, database) for row in rows]


def release(job_id: str) -> Released:
    """Free the slot of a job by hand, and let the next in, whatever becomes of the job.

    It goes on: when it runs, or is ready, one more of the key may run at once until it has ended.

    Raises JobNotFoundError when it holds no slot.
    """
    known_id = canonical(job_id)
    released = _release(known_id) if known_id else None
    if released is None:
        raise JobNotFoundError(f"no job with the id {job_id} holds a slot of a concurrency limit")
    events.emit(
        events.SlotReleased(
            job_id=str(known_id), concurrency_key=released.key, ready=len(released.ready)
        )
    )
    return released


def _release(job_id: str) -> Released | None:
    database = application.database()
    answers: builtins.list[Released] = []

    def work(connection: Connection) -> Released | None:
        held, promoted = semaphores.take_away(database, connection, job_id)
        if held:
            _, key, state = held[-1]
            ids = {"job_ids": json.dumps(promoted)}
            rows = connection.run(database.named("jobs.ids"), ids) if promoted else []
            answers.append(Released(key, state, tuple(str(row[1]) for row in rows)))
        # Sent again because the answer to the commit was lost, it finds that the slot is free.
        return answers[-1] if answers else None

    return database.transact(work)


def _counted(database: Database, keys: builtins.list[str]) -> builtins.list[Key]:
    rows = database.query("semaphores.counts", keys=json.dumps(keys))
    return [Key(row[0], *map(int, row[1:])) for row in rows]


def _slot(row: Row, database: Database) -> Slot:
    key, row_id, job_id, class_name, queue, state, since, process_id, pid, hostname, *expiry = row
    expires_at, is_expired = expiry
    return Slot(
        key=key,
        row_id=row_id,
        job_id=None if job_id is None else str(job_id),
        class_name=class_name,
        queue=queue,
        state=state,
        since=database.from_database(since),
        process_id=process_id,
        pid=pid,
        hostname=hostname,
        expires_at=database.from_database(expires_at),
        is_expired=bool(is_expired),
    )


def _blocked_job(row: Row, database: Database) -> BlockedJob:
    row_id, job_id, class_name, queue, priority, since = row
    return BlockedJob(
        row_id=row_id,
        job_id=None if job_id is None else str(job_id),
        class_name=class_name,
        queue=queue,
        priority=priority,
        since=database.moment_from_database(since),
    )
