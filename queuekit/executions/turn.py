"""A worker's turn: settle the results that have gathered and claim the next jobs, in one go.

It is one transaction. Batches form by themselves: while one turn commits, results gather for the
next. A turn is fenced by the process's own row, which a pruned process has no more: it then
settles nothing and claims nothing, and `registered` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queuekit.arguments import encode
from queuekit.database import Database
from queuekit.executions.claimed import ClaimedJob

FINISHED = "finished"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended: its outcome and, when it failed, the error in its stored form. The
    duration is in seconds."""

    row_id: int
    outcome: str
    error: str | None = None
    duration: float = 0.0


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
) -> Turn:
    """Settle `results` and claim at most `limit` jobs of `queue`, of any queue when it is None.

    Claimed jobs come in the order in which they should run: lower priority first, then as enqueued.
    From any queue nothing is claimed while one is paused: `paused` then names them.

    Never sent twice by itself: when DatabaseUnavailableError is raised, `claimed.held_by` tells
    whether it was committed.
    """
    parameters = {
        "process_id": process_id,
        "results": _stored(results),
        "limit": limit,
        "preserve_finished": preserve_finished,
    }
    if queue is None:
        rows = database.query("turn.any_queue", resend=False, **parameters)
    else:
        rows = database.query("turn.one_queue", resend=False, queue_name=queue, **parameters)
    claimed = [ClaimedJob(*row[1:]) for row in rows if row[0] == "claimed"]
    claimed.sort(key=lambda job: (job.priority, job.row_id))
    return Turn(
        registered=any(row[0] == "process" for row in rows),
        settled=frozenset(row[1] for row in rows if row[0] == "settled"),
        claimed=tuple(claimed),
        paused=frozenset(row[4] for row in rows if row[0] == "paused"),
    )


def _stored(results: Sequence[Result]) -> str:
    return encode(
        [
            {"job_id": result.row_id, "outcome": result.outcome}
            if result.error is None
            else {"job_id": result.row_id, "outcome": result.outcome, "error": result.error}
            for result in results
        ]
    )
