"""What is claimed in a worker's name without its having heard of it: an answer was lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuekit import application
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.executions import claimed, throttles
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker
from tests.dialects.sample_jobs import note
from tests.dialects.support import attempts, claim, counts, register, states, take, wait_until
from tests.dialects.throttled_jobs import ten_a_second, twice_a_minute


@pytest.fixture
def process_id(database: Database) -> int:
    return register()


@pytest.fixture
def threads() -> int:
    return 2


@pytest.fixture
def worker(database: Database, process_id: int, threads: int) -> Iterator[Worker]:
    """A worker that compares what it has with what is claimed at each poll."""
    configuration = Configuration(
        database_url=application.configuration().database_url, process_heartbeat_interval=1e-9
    )
    worker = Worker(
        WorkerSettings(threads=threads), configuration, database, Wakeup(), Scoreboard(4)
    )
    worker.start(process_id)
    yield worker
    worker.abandon()


def test_a_worker_runs_what_was_claimed_unheard(worker: Worker, process_id: int) -> None:
    receipt = note.enqueue()
    claim(process_id)

    worker.poll()

    wait_until(lambda: worker.poll() and counts() == {"finished": 1})
    assert attempts(receipt.job_id) == [(1, "finished")]


def test_a_worker_that_stops_begins_none_of_it_but_puts_it_back(
    worker: Worker, process_id: int
) -> None:
    """At once, not when it leaves: it may have to finish a job that takes an hour."""
    receipt = note.enqueue()
    claim(process_id)

    worker.stop()
    worker.poll()

    assert worker.is_done
    assert attempts(receipt.job_id) == [(1, "ready")]


@pytest.mark.parametrize("has_started", [False, True])
def test_a_throttle_is_asked_first_and_asked_again(
    database: Database, worker: Worker, process_id: int, has_started: bool
) -> None:
    receipts = [twice_a_minute.enqueue("a", number) for number in range(3)]
    jobs = claim(process_id)
    if has_started:
        throttles.start(database, process_id, jobs)

    wait_until(lambda: worker.poll() and counts() == {"finished": 2, "scheduled": 1})

    assert [attempts(receipt.job_id) for receipt in receipts] == [
        [(1, "finished")],
        [(1, "finished")],
        [(1, "scheduled")],
    ]


@pytest.mark.parametrize("threads", [3])
def test_a_worker_knows_of_jobs_that_are_to_start_in_a_moment(
    worker: Worker, process_id: int
) -> None:
    for number in range(3):
        ten_a_second.enqueue(number)
    claim(process_id)

    worker.poll()
    worker.stop()
    worker.poll()

    assert not worker.is_done
    wait_until(lambda: worker.poll() and counts() == {"finished": 3})
    assert worker.is_done


def test_what_is_put_back_is_no_more_than_was_asked_for(database: Database) -> None:
    one, kept, others = note.enqueue(1), note.enqueue(2), note.enqueue(3)
    worker, other = register(), register()
    claim(worker, 2)
    claim(other)

    claimed.release(database, worker, [one.row_id, others.row_id, 999_999])

    assert states() == {"ready": [one.row_id], "claimed": [kept.row_id, others.row_id]}
    (again,) = claim(other)
    assert (again.row_id, again.attempt) == (one.row_id, 1)
    claimed.release(database, worker, [one.row_id])
    claimed.release(database, worker, [])
    assert counts() == {"claimed": 3}
    assert take(worker).registered
