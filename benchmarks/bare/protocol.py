"""What the bare statements are on each database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from queuekit.database import DatabaseURL

JOB = ("default", "benchmarks.jobs.empty", '{"args":[1],"kwargs":{}}', 0)


class Bare(Protocol):
    """A driver's connection to a prepared database."""

    def __init__(self, url: DatabaseURL) -> None: ...

    #: How one job, how many and a turn are sent, for the report.
    how_one: str
    how_many: str
    how_turn: str

    def settings(self) -> str:
        """What the figures depend on, as the database itself reports it."""

    def insert(self, uuid: str) -> None:
        """One job, ready, in a transaction of its own."""

    def insert_many(self, uuids: Sequence[str]) -> None:
        """Many jobs, ready, in one transaction."""

    def turn(self, finished: Sequence[int], limit: int) -> list[int]:
        """Finish these jobs, claim at most so many others and read what they are to run, in one
        transaction: the ids of what was claimed."""

    def newest(self) -> int:
        """The highest id of a job."""

    def finished(self, after: int) -> int:
        """How many jobs with a higher id have finished."""

    def failed(self) -> int:
        """How many jobs have failed."""

    def drained(self, after: int) -> tuple[int, float]:
        """How many jobs with a higher id finished after the first batch, and within how many
        seconds."""

    def close(self) -> None: ...
