"""The bare statements do the work that they are the yardstick of; no job is in two states."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.bare import Bare
from benchmarks.databases import BARE
from benchmarks.enqueue import ascending_ids
from queuekit.database import open_database
from queuekit.database.url import parse


@pytest.fixture
def bare(database_url: str, product: str) -> Iterator[Bare]:
    bare = BARE[product](parse(database_url))
    yield bare
    bare.close()


def states(url: str) -> dict[str, int]:
    database = open_database(url)
    try:
        assert database.query("jobs.misplaced", limit=1) == []
        return {row[0]: int(row[2]) for row in database.query("jobs.counts") if row[2]}
    finally:
        database.disconnect()


def test_inserted_jobs_are_ready(bare: Bare, database_url: str) -> None:
    ids = ascending_ids()
    bare.insert(next(ids))
    bare.insert_many([next(ids) for _ in range(10)])

    assert states(database_url) == {"ready": 11}
    assert bare.newest() >= 11


def test_a_turn_finishes_and_claims(bare: Bare, database_url: str) -> None:
    ids = ascending_ids()
    bare.insert_many([next(ids) for _ in range(10)])

    first = bare.turn([], 4)
    second = bare.turn(first, 4)

    assert len(first) == len(second) == 4
    assert not set(first) & set(second)
    assert states(database_url) == {"ready": 2, "claimed": 4, "finished": 4}
    assert len(bare.turn(second, 4)) == 2


def test_only_later_jobs_are_counted(bare: Bare, database_url: str) -> None:
    ids = ascending_ids()
    bare.insert_many([next(ids) for _ in range(10)])
    bare.turn(bare.turn([], 10), 0)
    after = bare.newest()
    bare.insert_many([next(ids) for _ in range(3)])
    claimed = bare.turn([], 2)
    bare.turn(claimed, 0)
    bare.turn(bare.turn([], 1), 0)

    assert states(database_url) == {"finished": 13}
    assert (bare.finished(0), bare.finished(after), bare.failed()) == (13, 3, 0)
    jobs, seconds = bare.drained(after)
    assert jobs in (0, 1)  # those of the first batch are none; 0 if both were in one moment
    assert seconds >= 0


def test_it_says_what_the_figures_depend_on(bare: Bare, product: str) -> None:
    assert bare.settings().lower().startswith(product)
