"""Finished jobs are kept until they are cleared, oldest first and in batches."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

import queuekit
from queuekit import application
from queuekit.executions.finished import clear_in_batches, count
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    configure,
    counts,
    failed_note,
    finish_everything,
    in_threads,
    states,
)


def finished_ones(*ages: float) -> list[queuekit.Receipt]:
    """Jobs that finished as many seconds ago."""
    receipts = queuekit.enqueue_all(note.bind(age) for age in ages)
    finish_everything()
    for receipt, age in zip(receipts, ages, strict=True):
        ask(
            "update queuekit_finished_executions set finished_at = :at where job_id = :job_id",
            at=application.database().to_database(datetime.now(UTC) - timedelta(seconds=age)),
            job_id=receipt.row_id,
        )
    return receipts


def test_only_what_finished_long_enough_ago_is_cleared() -> None:
    old, older, young = finished_ones(100, 1000, 10)
    assert (count(older_than=60), count(older_than=500), count(older_than=0)) == (2, 1, 3)

    assert clear_in_batches(older_than=500) == 1
    assert states() == {"finished": [old.row_id, young.row_id]}
    assert clear_in_batches(older_than=60) == 1

    assert states() == {"finished": [young.row_id]}
    assert ask("select id from queuekit_jobs") == [(young.row_id,)]
    assert older.row_id not in (old.row_id, young.row_id)


def test_fractions_of_a_second_count() -> None:
    finished_ones(0.5, 2.5)

    assert clear_in_batches(older_than=1.5) == 1


def test_the_configured_age_is_the_default() -> None:
    configure(clear_finished_jobs_after=50.0)
    finished_ones(40, 60)

    assert clear_in_batches() == 1


def test_batches_are_as_large_as_told_and_reported() -> None:
    finished_ones(*[100] * 10)
    progress: list[int] = []

    assert clear_in_batches(older_than=1, batch_size=4, progress=progress.append) == 10

    assert progress == [4, 4, 2]
    assert ask("select count(*) from queuekit_jobs") == [(0,)]


def test_the_database_gets_a_rest_between_batches() -> None:
    finished_ones(*[100] * 4)
    began = time.monotonic()

    assert clear_in_batches(older_than=1, batch_size=2, sleep_between_batches=0.05) == 4

    assert time.monotonic() - began >= 0.1


def test_by_default_it_rests_after_each_batch_but_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    finished_ones(*[100] * 4)
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)

    assert clear_in_batches(older_than=1, batch_size=2) == 4

    assert len(rests) == 2
    assert min(rests) > 0


def test_what_has_not_finished_is_never_cleared() -> None:
    failure = failed_note()
    ready = note.enqueue()
    waiting = note.using(wait=60).enqueue()

    assert clear_in_batches(older_than=0) == 0

    assert states() == {
        "failed": [failure.row_id],
        "ready": [ready.row_id],
        "scheduled": [waiting.row_id],
    }


def test_retried_and_discarded_attempts_are_cleared_too() -> None:
    receipt, other = failed_note(), failed_note()
    queuekit.failed.retry(receipt.job_id)
    queuekit.failed.discard(other.job_id)

    assert clear_in_batches(older_than=0) == 2
    assert counts() == {"ready": 1}


def test_several_may_clear_at_once() -> None:
    finished_ones(*[100] * 200)

    cleared = in_threads(lambda index: clear_in_batches(older_than=1, batch_size=9), 3)

    assert sum(cleared) == 200
    assert ask("select count(*) from queuekit_jobs") == [(0,)]
