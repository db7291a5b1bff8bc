"""How far a worker claims ahead: as far as its threads get within a turn, and never by promise."""

from __future__ import annotations

import pytest

from queuekit.processes.prefetch import Prefetch

MILLISECOND = 0.001


def measured(
    threads: int = 5, limit: int = 100, *, job: float = MILLISECOND, turn: float = 4 * MILLISECOND
) -> Prefetch:
    prefetch = Prefetch(threads, limit)
    prefetch.note_turn(turn)
    prefetch.note_jobs(1, job)
    return prefetch


def test_nothing_is_claimed_ahead_before_anything_is_known() -> None:
    prefetch = Prefetch(5, 100)
    assert prefetch.ahead == 0
    prefetch.note_turn(1.0)
    assert prefetch.ahead == 0


def test_what_waits_is_what_the_threads_use_within_two_turns() -> None:
    """When half of it is left a turn begins, so that the threads have enough until that ends."""
    for threads, ahead in ((5, 40), (1, 8)):
        prefetch = measured(threads, job=MILLISECOND, turn=4 * MILLISECOND)
        assert (prefetch.ahead, prefetch.low) == (ahead, ahead // 2)


def test_where_the_limit_is_less_than_that_a_turn_begins_late_and_is_big() -> None:
    small, between = measured(5, 55, job=MILLISECOND / 10), measured(5, 35, job=MILLISECOND)
    assert (small.ahead, small.low) == (50, 6)
    assert (between.ahead, between.low) == (30, 10)


@pytest.mark.parametrize("job", [4 * MILLISECOND, 5 * MILLISECOND, 60.0])
def test_jobs_that_are_as_long_as_a_turn_are_not_claimed_ahead(job: float) -> None:
    assert measured(job=job).ahead == 0


@pytest.mark.parametrize(
    ("threads", "limit", "ahead"), [(5, 100, 95), (5, 6, 1), (5, 5, 0), (5, 1, 0), (5, 0, 0)]
)
def test_the_limit_counts_what_runs_too(threads: int, limit: int, ahead: int) -> None:
    assert measured(threads, limit, job=MILLISECOND / 1000).ahead == ahead
    assert measured(threads, limit, job=0.0).ahead == ahead


def test_a_long_job_among_short_ones_counts_for_as_long_as_it_took() -> None:
    prefetch = measured(job=MILLISECOND)
    prefetch.note_jobs(1, 1.0)
    assert prefetch.ahead == 0
    prefetch.note_jobs(50, 50 * MILLISECOND)
    assert prefetch.ahead == 0
    prefetch.note_jobs(300, 300 * MILLISECOND)
    assert prefetch.ahead > 0


def test_jobs_noted_together_count_as_much_as_one_by_one() -> None:
    together, apart = measured(), measured()
    together.note_jobs(50, 50 * 2 * MILLISECOND)
    for _ in range(50):
        apart.note_jobs(1, 2 * MILLISECOND)
    assert together.ahead == apart.ahead


def test_a_turn_that_waited_for_the_database_is_no_measure() -> None:
    """What is claimed ahead is to be run well within the second after which it is handed back."""
    assert measured(1, 10_000, job=MILLISECOND, turn=60.0).ahead <= 200
