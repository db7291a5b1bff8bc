"""How far a job has come: the steps of its continuation, and its progress.

Both go by the id that all attempts of a job share, so that the next attempt finds them. They are
written while the job runs, by its own thread, and fenced: only the process that holds the claim
writes. They are forgotten some time after the last row of their job.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queuekit.database import Database

_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A step that has finished, or has moved its cursor. The cursor is in the stored form of
    arguments, None when the step never set one."""

    name: str
    cursor: str | None
    is_finished: bool


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """What a job has said last of its progress. `total` is None when it did not say."""

    done: float
    total: float | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Under which a running job writes: its row, its id, and the process that has claimed it."""

    row_id: int
    job_id: str
    process_id: int


def steps_of(database: Database, job_id: str) -> list[StoredStep]:
    """The steps of a job that were recorded, in the order in which they came."""
    rows = database.query("steps.of_job", uuid=job_id)
    return [StoredStep(name, cursor, bool(finished)) for name, cursor, finished in rows]


def progress_of(database: Database, job_id: str) -> StoredProgress | None:
    """The progress of a job, None when it never said any."""
    rows = database.query("steps.progress_of_job", uuid=job_id)
    if not rows:
        return None
    done, total, updated = rows[0]
    return StoredProgress(done, total, database.moment_from_database(updated))


def record(database: Database, claim: Claim, position: int, step: StoredStep) -> bool:
    """Write a step down. Returns whether the claim stands: without it nothing is written."""
    rows = database.query(
        "steps.record",
        **_fence(claim),
        name=step.name,
        position=position,
        cursor_json=step.cursor,
        is_finished=step.is_finished,
    )
    return bool(rows)


def record_progress(database: Database, claim: Claim, done: float, total: float | None) -> bool:
    """Write a progress down. Returns whether the claim stands: without it nothing is written."""
    return bool(
        database.query("steps.record_progress", **_fence(claim), done=done, total=total),
    )


def forget_page(database: Database, after: str | None, limit: int) -> str | None:
    """Forget the steps and the progress of jobs that have no row any more, among the next `limit`
    ids that have any. Returns where to go on, None at the end.

    Nothing is locked while looking, so that a big table costs time and no one's turn.
    """
    page = database.query("steps.page", after_uuid=after or _BEFORE_ALL, limit=limit)
    gone = [job_id for job_id, has_job in page if not has_job]
    if gone:
        forget(database, gone)
    return page[-1][0] if len(page) == limit else None


def forget(database: Database, job_ids: Sequence[str]) -> None:
    """Forget the steps and the progress of these jobs, if they have no row any more."""
    database.query("steps.forget", uuids=json.dumps(list(job_ids)))


def _fence(claim: Claim) -> dict[str, Any]:
    return {"job_id": claim.row_id, "process_id": claim.process_id, "uuid": claim.job_id}
