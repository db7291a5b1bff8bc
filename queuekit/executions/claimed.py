"""Claimed: taken by one registered process, which alone may end it.

Ending goes through `turn`, or through the job itself, in its own transaction (`complete`). The rest
is for when a process cannot: it leaves, it died, or the answer to its last commit was lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from queuekit.database import Connection, Database
from queuekit.database.callers import CallersConnection
from queuekit.database.hints import READY
from queuekit.errors import DeserializationError
from queuekit.executions import semaphores
from queuekit.executions.steps import Claim


@dataclass(slots=True)
class ClaimedJob:
    """One attempt of a job, as a worker gets it: its row, times in the database's own form.

    Nothing changes it. It is not frozen, since that makes it three times as dear, for each job.
    """

    row_id: int
    job_id: str
    attempt: int
    queue: str
    class_name: str
    arguments: str = field(repr=False)
    priority: int
    executions: int = 0
    exception_executions: str | None = None
    context: str | None = None
    scheduled_at: Any = None
    enqueued_at: Any = None
    concurrency_key: str | None = None
    throttle_key: str | None = None

    def counted_errors(self) -> dict[str, int]:
        """How often each declaration of a policy has counted an error of this job.

        Raises DeserializationError.
        """
        if self.exception_executions is None:
            return {}
        try:
            counts = json.loads(self.exception_executions)
        except (ValueError, RecursionError) as error:
            raise DeserializationError(
                f"the stored counts of errors are not JSON: {error}"
            ) from error
        if not isinstance(counts, dict) or any(type(count) is not int for count in counts.values()):
            raise DeserializationError(
                "the stored counts of errors are not an object of whole numbers"
            )
        return counts


def held_by(database: Database, process_id: int) -> list[ClaimedJob]:
    """What the database says this process has claimed, in the order it would be run."""
    return [ClaimedJob(*row) for row in database.query("claimed.held", process_id=process_id)]


def release(database: Database, process_id: int, row_ids: Sequence[int]) -> None:
    """Put claims back to ready that this process will not begin. What is not its own stays."""
    parameters = {"process_id": process_id, "job_ids": json.dumps(list(row_ids))}

    def work(connection: Connection) -> None:
        limited: dict[int, str] = dict(
            connection.run(database.named("claimed.release"), parameters)
        )
        database.wake(READY)
        if limited:
            keys = dict.fromkeys(limited.values())
            semaphores.hand_over(database, connection, keys, placed=limited, accepted=limited)

    database.transact(work)


def orphaned_processes(database: Database) -> list[int]:
    """The ids of processes that have claims and are not registered any more."""
    return [row[0] for row in database.query("claimed.orphaned")]


def complete(connection: CallersConnection, claim: Claim, preserve_finished: bool) -> bool:
    """Finish a job in the caller's transaction. Returns whether its claim stood."""
    rows = connection.query(
        "claimed.complete",
        job_id=claim.row_id,
        process_id=claim.process_id,
        preserve_finished=preserve_finished,
    )
    return bool(rows)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of jobs that said they had completed themselves, by row id: those whose claim
    stands, and of these the ones that no open transaction is still about to end."""

    stand: frozenset[int]
    free: frozenset[int]


def completions(database: Database, process_id: int, row_ids: Iterable[int]) -> Standing:
    """Ask without waiting for any transaction."""
    rows = database.query(
        "claimed.completions", process_id=process_id, job_ids=json.dumps(list(row_ids))
    )
    return Standing(
        frozenset(row_id for row_id, _ in rows),
        frozenset(row_id for row_id, what in rows if what == "free"),
    )
