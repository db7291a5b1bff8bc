"""A worker's turn: settle the results that have gathered and claim the next jobs, in one go.

It is one transaction. Batches form by themselves: while one turn commits, results gather for the
next. A turn is fenced by the process's own row, which a pruned process has no more: it then
settles nothing and claims nothing, and `registered` says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queuekit.arguments import encode
from queuekit.database import Connection, Database, Row
from queuekit.database.hints import READY, SCHEDULED
from queuekit.executions import semaphores
from queuekit.executions.claimed import ClaimedJob

#: A place in the order of claiming: a priority and a row id.
Position = tuple[int, int]

#: The position before all others: no priority is as low.
START: Position = (-(2**31) - 1, 0)

FINISHED = "finished"
RETRIED = "retried"
DISCARDED = "discarded"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The row that a retried job gets: how long it waits, in seconds, the counters that it carries
    on, and where it is not the old row's, its queue and priority."""

    wait: float
    executions: int
    exception_executions: str | None = None
    queue: str | None = None
    priority: int | None = None


@dataclass(slots=True)
class Result:
    """How an attempt ended: its outcome and, when there is one, the error in its stored form. The
    duration is in seconds. With the outcome `retried` comes the next attempt. When the job
    `has_completed` itself, that counts, if it was committed; else the outcome does. The key is that
    of the concurrency limit that the job ran under. Nothing changes it: see ClaimedJob."""

    row_id: int
    outcome: str
    error: str | None = None
    duration: float = 0.0
    next_attempt: NextAttempt | None = None
    has_completed: bool = False
    concurrency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did, and what it learnt of the pauses on the way."""

    registered: bool
    settled: frozenset[int]
    claimed: tuple[ClaimedJob, ...]
    paused: frozenset[str]


def take(
    database: Database,
    process_id: int,
    results: Sequence[Result],
    *,
    queue: str | None,
    limit: int,
    preserve_finished: bool,
    after: Position = START,
) -> Turn:
    """Settle `results` and claim at most `limit` jobs of `queue`, of any queue when it is None,
    which come after a position.

    Claimed jobs come in the order in which they should run: lower priority first, then as enqueued.
    From any queue nothing is claimed while one is paused: `paused` then names them.

    Never sent twice by itself: when DatabaseUnavailableError is raised, `claimed.held_by` tells
    whether it was committed.
    """
    name = "turn.any_queue"
    parameters: dict[str, Any] = {
        "process_id": process_id,
        "results": _stored(results),
        "limit": limit,
        "preserve_finished": preserve_finished,
        "has_failed": any(result.outcome == FAILED for result in results),
        "after_priority": after[0],
        "after_job_id": after[1],
    }
    if queue is not None:
        name = "turn.one_queue"
        parameters["queue_name"] = queue
    if any(result.next_attempt or result.concurrency_key for result in results):
        rows = _take_in_steps(database, process_id, results, name, parameters)
    else:
        rows = database.query(name, resend=False, **parameters)
    claimed = [ClaimedJob(*row[1:]) for row in rows if row[0] == "claimed"]
    claimed.sort(key=lambda job: (job.priority, job.row_id))
    return Turn(
        registered=any(row[0] == "process" for row in rows),
        settled=frozenset(row[1] for row in rows if row[0] == "settled"),
        claimed=tuple(claimed),
        paused=frozenset(row[4] for row in rows if row[0] == "paused"),
    )


def _take_in_steps(
    database: Database,
    process_id: int,
    results: Sequence[Result],
    name: str,
    parameters: Mapping[str, Any],
) -> list[Row]:
    """A turn with retries or concurrency keys is several queries in one transaction: most turns
    have none."""

    def work(connection: Connection) -> list[Row]:
        # What is promoted can be claimed in this turn, so slots change hands before.
        placed = _retry(database, connection, process_id, results)
        freed = _freed(database, connection, process_id, results)
        if freed or placed:
            keys = dict.fromkeys([*freed.values(), *placed.values()])
            semaphores.hand_over(database, connection, keys, freed=freed, placed=placed)
        return connection.run(database.named(name), parameters)

    return database.transact(work, resend=False)


def _freed(
    database: Database, connection: Connection, process_id: int, results: Sequence[Result]
) -> dict[int, str]:
    """The jobs whose slots are free when they are settled, and their keys. Those of another process
    now, or of one that was pruned, are not."""
    limited = {
        result.row_id: result.concurrency_key
        for result in results
        if result.concurrency_key is not None
    }
    if not limited:
        return {}
    standing = {"process_id": process_id, "job_ids": json.dumps([*limited])}
    rows = connection.run(database.named("turn.standing"), standing)
    return {row[0]: limited[row[0]] for row in rows}


def _retry(
    database: Database, connection: Connection, process_id: int, results: Sequence[Result]
) -> dict[int, str]:
    """Write the next attempts. Returns those that are to be placed, and their keys."""
    if all(result.next_attempt is None for result in results):
        return {}
    retries = {"process_id": process_id, "retries": _stored_retries(results)}
    attempts = (result.next_attempt for result in results)
    database.wake(*(SCHEDULED if again.wait > 0 else READY for again in attempts if again))
    return dict(connection.run(database.named("turn.retry"), retries))


def _stored(results: Sequence[Result]) -> str:
    return encode(
        [
            {"job_id": result.row_id, "outcome": result.outcome}
            if result.error is None
            else {"job_id": result.row_id, "outcome": result.outcome, "error": result.error}
            for result in results
        ]
    )


def _stored_retries(results: Sequence[Result]) -> str:
    return encode(
        [
            _without_nulls(
                job_id=result.row_id,
                wait=result.next_attempt.wait,
                executions=result.next_attempt.executions,
                exception_executions=result.next_attempt.exception_executions,
                queue_name=result.next_attempt.queue,
                priority=result.next_attempt.priority,
            )
            for result in results
            if result.next_attempt is not None
        ]
    )


def _without_nulls(**values: Any) -> dict[str, Any]:
    """MariaDB's JSON_TABLE makes the text 'null' of a JSON null."""
    return {name: value for name, value in values.items() if value is not None}
