"""Claimed: taken by one registered process, which alone may end it.

Ending goes through `turn`. What is here is for when a process cannot: it leaves, it died, or the
answer to its last commit was lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from queuekit.database import Database


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """One attempt of a job, as a worker gets it."""

    row_id: int
    job_id: str
    attempt: int
    queue: str
    class_name: str
    arguments: str
    priority: int


def held_by(database: Database, process_id: int) -> list[ClaimedJob]:
    """What the database says this process has claimed, in the order it would be run."""
    return [ClaimedJob(*row) for row in database.query("claimed.held", process_id=process_id)]


def release(database: Database, process_id: int, row_ids: Sequence[int]) -> None:
    """Put claims back to ready that this process will not begin. What is not its own stays."""
    database.query("claimed.release", process_id=process_id, job_ids=json.dumps(list(row_ids)))


def orphaned_processes(database: Database) -> list[int]:
    """The ids of processes that have claims and are not registered any more."""
    return [row[0] for row in database.query("claimed.orphaned")]
