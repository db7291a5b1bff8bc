"""huey, on SQLite, as it comes: nothing is synced to the disk."""

from __future__ import annotations

import os

from huey import SqliteHuey

from benchmarks import stamps

huey = SqliteHuey(
    filename=os.environ["BENCHMARK_URL"].removeprefix("sqlite:///"), results=False, fsync=False
)


@huey.task()
def mark(sent_at: float) -> None:
    stamps.mark(sent_at)


def prepare() -> None:
    """The tables are made when the file is opened."""


def enqueue(sent_at: float) -> None:
    mark(sent_at)
