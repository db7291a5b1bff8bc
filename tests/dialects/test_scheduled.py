"""Scheduled jobs become ready when they are due, the longest due first, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database
from queuekit.executions.scheduled import dispatch, seconds_until_next
from tests.dialects.sample_jobs import mail, note
from tests.dialects.support import ask, claim, counts, in_threads, register, states, wait_until


def due(*waits: float) -> list[queuekit.Receipt]:
    """Jobs scheduled for as many seconds ago: their times are turned back."""
    receipts = queuekit.enqueue_all(note.using(wait=3600).bind(wait) for wait in waits)
    for receipt, wait in zip(receipts, waits, strict=True):
        at = application.database().to_database(datetime.now(UTC) - timedelta(seconds=wait))
        ask(
            "update queuekit_scheduled_executions set scheduled_at = :at where job_id = :job_id",
            at=at,
            job_id=receipt.row_id,
        )
    return receipts


def test_a_job_is_dispatched_when_its_time_has_come_and_not_before(database: Database) -> None:
    receipt = mail.using(wait=0.3).enqueue(42)
    assert dispatch(database, 10) == 0
    assert states() == {"scheduled": [receipt.row_id]}

    wait_until(lambda: dispatch(database, 10) == 1)

    assert states() == {"ready": [receipt.row_id]}
    assert receipt.scheduled_at is not None
    assert datetime.now(UTC) >= receipt.scheduled_at
    (job,) = claim(register(), queue="mailers")
    assert (job.job_id, job.priority) == (receipt.job_id, 5)


def test_the_longest_due_are_dispatched_first(database: Database) -> None:
    one, two, three = due(10, 30, 20)

    assert dispatch(database, 2) == 2

    assert states() == {"scheduled": [one.row_id], "ready": [two.row_id, three.row_id]}


def test_no_more_are_dispatched_than_the_limit(database: Database) -> None:
    due(*range(1, 11))
    note.using(wait=3600).enqueue()

    assert [dispatch(database, 4) for _ in range(4)] == [4, 4, 2, 0]
    assert counts() == {"scheduled": 1, "ready": 10}


def test_a_job_keeps_its_queue_and_priority_on_the_way(database: Database) -> None:
    note.using(queue="Größe 🚀", priority=-7, wait=0.001).enqueue()

    wait_until(lambda: dispatch(database, 10) == 1)

    assert ask("select queue_name, priority from queuekit_ready_executions") == [("Größe 🚀", -7)]


def test_the_next_one_is_known_beforehand(database: Database) -> None:
    assert seconds_until_next(database) is None
    note.enqueue()
    assert seconds_until_next(database) is None

    note.using(wait=600).enqueue()
    note.using(wait=60).enqueue()
    seconds = seconds_until_next(database)
    assert seconds == pytest.approx(60, abs=20)
    assert isinstance(seconds, float)

    due(5)
    assert seconds_until_next(database) == pytest.approx(-5, abs=2)


def test_concurrent_dispatchers_move_each_job_once(database: Database) -> None:
    receipts = due(*[1.0] * 300)

    def work(index: int) -> int:
        moved = 0
        while counts().get("scheduled"):
            moved += dispatch(database, 10)
        return moved

    assert sum(in_threads(work, 4)) == 300
    assert states() == {"ready": [receipt.row_id for receipt in receipts]}
