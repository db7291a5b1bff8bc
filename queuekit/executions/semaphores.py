"""Concurrency limits: who holds a slot of a key, who waits for one, and how it changes hands.

A limited job is ready or claimed with a slot, or blocked without one. A transaction that makes one
ready, or ends one, does a `hand_over`:

    lock      the keys, all in one statement and in their order
    free      the slots of the jobs that end
    place     the jobs that are to be ready: into a free slot, else blocked or discarded
    promote   the blocked jobs that come next, as many as there are slots

Whatever it took before, its process's row, keys of throttles, claims, ready rows: nobody waits for
it while holding a key. What a turn does afterwards, to its own claims and new ones, waits for
nothing. So nobody deadlocks, but for a rare exception: MySQL keeps the index entries of ready rows
locked that it skipped, and whoever has them deletes them. The server notices, and one of the two is
run again. The slots are counted after the lock is there, in a statement of its own.

`sweep` is the backstop, for slots that expired and for what a worker without limits left behind.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from queuekit import application
from queuekit.database import Connection, Database, Row, hints
from queuekit.executions.lock_rows import forget_unused

READY = "ready"
BLOCKED = "blocked"
DISCARDED = "discarded"

#: What `semaphores.promote` promotes of one key at the most.
_PROMOTED_AT_ONCE = 500

_PAGE_SIZE = 500


class Slots(NamedTuple):
    """How many slots a key has, by the word of the job with this id. Ids are in the order of time,
    and the job enqueued last counts: its code is the newest."""

    number: int
    job_id: str


def hand_over(
    database: Database,
    connection: Connection,
    keys: Mapping[str, Slots | None],
    *,
    freed: Collection[int] = (),
    placed: Collection[int] = (),
    accepted: Collection[int] = (),
) -> dict[int, str]:
    """Free the slots of some jobs, place others, and promote who comes next, under these keys.

    A key comes with what a job says of its slots where that may be news, else with None. Those of
    `placed` that were `accepted` before, and go back, are never discarded. Returns where each of
    `placed` is now: ready, blocked or discarded.
    """

    def run(name: str, **parameters: object) -> list[Row]:
        return connection.run(database.named(name), parameters)

    run("semaphores.lock", semaphores=_semaphores(keys))
    states: dict[int, str] = {}
    if freed:
        run("semaphores.free", job_ids=json.dumps([*freed]))
    if accepted:
        rows = run("semaphores.line_up", job_ids=json.dumps([*accepted]))
        states.update((row[0], BLOCKED) for row in rows)
    if placed := [row_id for row_id in placed if row_id not in states]:
        preserve = application.configuration().preserve_finished_jobs
        rows = run("semaphores.place", job_ids=json.dumps([*placed]), preserve_finished=preserve)
        states.update((row[0], row[1]) for row in rows)
    if READY in states.values():
        database.wake(hints.READY)
    if freed or BLOCKED in states.values():
        for job_id in _promote(database, connection, keys):
            if job_id in states:
                states[job_id] = READY
    return states


def newest(said: Iterable[tuple[str, Slots]]) -> dict[str, Slots]:
    """Of what several jobs say of their keys, what the one enqueued last does."""
    keys: dict[str, Slots] = {}
    for key, slots in said:
        if key not in keys or keys[key].job_id < slots.job_id:
            keys[key] = slots
    return keys


def release(database: Database, slots: Mapping[int, str]) -> None:
    """Free the slots of these jobs, given with their keys, in a transaction of its own. Whoever has
    none any more is passed over."""
    if slots:
        keys = dict.fromkeys(slots.values())
        database.transact(lambda connection: hand_over(database, connection, keys, freed=slots))


def take_away(
    database: Database, connection: Connection, job_id: str
) -> tuple[list[Row], list[int]]:
    """Free the slots of a job by hand, whatever becomes of it. Returns those slots, each with the
    state of its row, and who was promoted.

    It waits for a claim of the job that is being committed: such a one waits for no key any more.
    """
    query = database.named("semaphores.of_job")
    before = connection.run(query, {"uuid": job_id})
    if not before:
        return [], []
    lock(database, connection, {row[1] for row in before})
    # Whoever had the key before may have ended the job, or have written its next attempt.
    keys = {row[1] for row in before}
    held = [row for row in connection.run(query, {"uuid": job_id}) if row[1] in keys]
    job_ids = json.dumps([row[0] for row in held])
    connection.run(database.named("semaphores.free"), {"job_ids": job_ids})
    return held, _promote(database, connection, keys)


def discard(
    database: Database, connection: Connection, blocked: Mapping[int, str], preserve: bool
) -> list[int]:
    """Discard blocked jobs, given with their keys. Returns those that were blocked still."""
    lock(database, connection, blocked.values())
    parameters = {"job_ids": json.dumps([*blocked]), "preserve_finished": preserve}
    return [row[0] for row in connection.run(database.named("semaphores.discard"), parameters)]


def lock(database: Database, connection: Connection, keys: Iterable[str]) -> None:
    """Lock these keys until the end of the transaction. Their numbers of slots stay as they are."""
    semaphores = _semaphores(dict.fromkeys(keys))
    connection.run(database.named("semaphores.lock"), {"semaphores": semaphores})


def of_jobs(database: Database, connection: Connection, row_ids: Iterable[int]) -> dict[int, str]:
    """The keys of the slots that these jobs hold."""
    query = database.named("semaphores.of_jobs")
    return _slots(connection.run(query, {"job_ids": json.dumps([*row_ids])}))


def of_process(database: Database, connection: Connection, process_id: int) -> dict[int, str]:
    """The keys of the slots of jobs that this process claimed: the jobs may have ended since."""
    query = database.named("semaphores.of_process")
    return _slots(connection.run(query, {"process_id": process_id}))


def sweep(database: Database) -> int:
    """Free what nobody else frees, promote what has waited for slots that expired, and forget the
    lock rows that are of no use. Returns how many jobs were promoted."""
    _free_astray(database)
    promoted = sum(_promote_page(database, keys) for keys in _waiting(database))
    forget_unused(database, "semaphores.unused", "semaphores.forget", partial(lock, database))
    return promoted


def _free_astray(database: Database) -> None:
    while slots := _slots(database.query("semaphores.astray", limit=_PAGE_SIZE)):
        # What is astray stays so, and others may free it meanwhile: there is nothing to ask again.
        release(database, slots)


def _waiting(database: Database) -> Iterator[list[str]]:
    """Keys that jobs wait for, page by page."""
    after = ""
    while page := database.query("semaphores.waiting", after_key=after, limit=_PAGE_SIZE):
        yield [row[0] for row in page]
        after = page[-1][0]


def _promote_page(database: Database, keys: Sequence[str]) -> int:
    def work(connection: Connection) -> int:
        lock(database, connection, keys)
        return len(_promote(database, connection, keys))

    return database.transact(work)


def _promote(database: Database, connection: Connection, keys: Collection[str]) -> list[int]:
    query, parameters = database.named("semaphores.promote"), {"keys": json.dumps(sorted(keys))}
    promoted: list[int] = []
    while True:
        rows = connection.run(query, parameters)
        promoted += [row[0] for row in rows]
        if len(rows) < _PROMOTED_AT_ONCE:
            break
    if promoted:
        database.wake(hints.READY)
    return promoted


def _semaphores(keys: Mapping[str, Slots | None]) -> str:
    return json.dumps(
        [
            {"key": key}
            if slots is None
            else {"key": key, "to": slots.number, "said_by": slots.job_id}
            for key, slots in sorted(keys.items())
        ]
    )


def _slots(rows: Iterable[Row]) -> dict[int, str]:
    return {row[0]: row[1] for row in rows}
