"""The query that every test here ends with finds what is wrong, and only that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuekit.database import Database
from tests.dialects.sample_jobs import note
from tests.dialects.support import STATES, ask, misplaced


@pytest.fixture(autouse=True)
def repaired(database: Database, every_job_is_in_one_place: None) -> Iterator[None]:
    """What a test here has broken is gone before the invariant is looked at."""
    yield
    for state in STATES:
        ask(f"delete from queuekit_{state}_executions")
    ask("delete from queuekit_jobs")


def test_a_job_in_no_place_is_found() -> None:
    receipt = note.enqueue()
    ask("delete from queuekit_ready_executions")

    assert misplaced() == [(receipt.row_id, "job", "")]


def test_a_job_in_two_places_is_found() -> None:
    receipt = note.enqueue()
    ask(
        "insert into queuekit_failed_executions (job_id, error, failed_at) "
        "select id, '{}', created_at from queuekit_jobs"
    )

    assert misplaced() == [(receipt.row_id, "job", "failed, ready")]


def test_an_execution_without_a_job_is_found() -> None:
    receipt = note.enqueue()
    ask("delete from queuekit_jobs")

    assert misplaced() == [(receipt.row_id, "no job", "ready")]


def test_what_is_in_order_is_not_found() -> None:
    note.enqueue()
    note.using(wait=60).enqueue()

    assert misplaced() == []
