"""Claiming ahead of the threads: how much, in which order, and what is handed back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

import queuekit
from queuekit import application
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.processes import prefetch
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker
from tests.dialects import gated_jobs
from tests.dialects.gated_jobs import alone, gently, say, wait
from tests.dialects.support import ask, attempts, counts, register, states, wait_until
from tests.dialects.test_limits import slots

Make = Callable[..., Worker]


@pytest.fixture
def worker_with(database: Database) -> Iterator[Make]:
    """Make a worker that has found its jobs to be shorter than its turns."""
    gated_jobs.begun.clear()
    gated_jobs.gate.clear()
    made = []

    def make(threads: int = 1, prefetch_limit: int = 10, **settings: int) -> Worker:
        configuration = Configuration(database_url=application.configuration().database_url)
        chosen = WorkerSettings(threads=threads, prefetch_limit=prefetch_limit, **settings)
        scoreboard = Scoreboard(chosen.claims)
        worker = Worker(chosen, configuration, database, Wakeup(), scoreboard)
        worker.start(register())
        worker._pool.note_turn(0.01)
        worker._pool._prefetch.note_jobs(1000, 0.01)
        made.append(worker)
        return worker

    yield make
    gated_jobs.gate.set()
    for worker in made:
        worker.abandon()
    wait_until(lambda: not any(worker.runs_jobs for worker in made))


def poll_until(worker: Worker, **wanted: int) -> None:
    wait_until(lambda: worker.poll() >= 0 and counts() == wanted)


def one_that_waits_and(number: int) -> list[queuekit.Receipt]:
    """A job that runs until the gate opens, and others behind it."""
    names = [f"job {place}" for place in range(number)]
    return queuekit.enqueue_all([wait.bind("first"), *(say.bind(name) for name in names)])


def test_what_runs_and_what_waits_are_no_more_than_the_limit(worker_with: Make) -> None:
    one_that_waits_and(20)
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    assert counts() == {"claimed": 10, "ready": 11}
    worker.poll()
    assert counts() == {"claimed": 10, "ready": 11}

    gated_jobs.gate.set()
    poll_until(worker, finished=21)
    assert gated_jobs.begun == ["first", *(f"job {place}" for place in range(20))]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_limit_of_no_more_than_the_threads_claims_nothing_ahead(
    worker_with: Make, limit: int
) -> None:
    queuekit.enqueue_all(wait.bind(str(number)) for number in range(5))
    worker = worker_with(threads=2, prefetch_limit=limit)
    worker.poll()
    worker.poll()
    assert counts() == {"claimed": 2, "ready": 3}


def test_long_jobs_are_not_claimed_ahead(worker_with: Make) -> None:
    worker = worker_with(prefetch_limit=10)
    worker._pool._prefetch.note_jobs(1000, 1000 * 1.0)
    one_that_waits_and(20)
    worker.poll()
    worker.poll()
    assert counts() == {"claimed": 1, "ready": 20}


def test_what_has_waited_for_a_second_goes_back_uncharged_and_runs_elsewhere(
    worker_with: Make,
) -> None:
    first, *others = one_that_waits_and(20)
    worker = worker_with(prefetch_limit=10)
    began = time.monotonic()
    poll_until(worker, claimed=1, ready=20)
    assert time.monotonic() - began >= prefetch.MOST_SECONDS
    worker.poll()
    assert states()["claimed"] == [first.row_id], "it has learnt that jobs are long"

    poll_until(worker_with(), claimed=1, finished=20)
    assert all(attempts(other.job_id) == [(1, "finished")] for other in others)
    gated_jobs.gate.set()
    poll_until(worker, finished=21)


def test_it_wakes_in_time_to_hand_back(worker_with: Make) -> None:
    one_that_waits_and(20)
    worker = worker_with(polling_interval=60)
    worker.poll()
    assert worker.poll() <= prefetch.MOST_SECONDS


def test_a_worker_that_stops_hands_back_at_once(worker_with: Make) -> None:
    first, *_ = one_that_waits_and(20)
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    wait_until(lambda: gated_jobs.begun)
    worker.stop()
    worker.poll()
    assert states() == {"claimed": [first.row_id], "ready": states()["ready"]}
    assert len(states()["ready"]) == 20

    gated_jobs.gate.set()
    wait_until(lambda: worker.poll() >= 0 and worker.is_done)
    assert counts() == {"finished": 1, "ready": 20}
    assert gated_jobs.begun == ["first"]


def test_max_jobs_are_run_though_some_were_handed_back(worker_with: Make) -> None:
    one_that_waits_and(20)
    worker = worker_with(prefetch_limit=10, max_jobs=5)
    worker.poll()
    assert counts() == {"claimed": 5, "ready": 16}
    poll_until(worker, claimed=1, ready=20)
    assert worker.leaves_because is None
    gated_jobs.gate.set()
    wait_until(lambda: worker.poll() >= 0 and worker.is_done)
    assert counts() == {"finished": 5, "ready": 16}


def test_what_is_urgent_comes_before_what_is_ready_not_before_what_is_claimed(
    worker_with: Make,
) -> None:
    one_that_waits_and(12)
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    say.using(priority=-1).enqueue("urgent")
    gated_jobs.gate.set()
    poll_until(worker, finished=14)
    names = [f"job {place}" for place in range(12)]
    assert gated_jobs.begun == ["first", *names[:9], "urgent", *names[9:]]


def test_a_limited_job_that_is_handed_back_keeps_its_slot(worker_with: Make) -> None:
    wait.enqueue("first")
    one = alone.enqueue("one")
    two = alone.enqueue("two")
    worker = worker_with()
    worker.poll()
    assert counts() == {"claimed": 2, "blocked": 1}
    poll_until(worker, claimed=1, ready=1, blocked=1)
    assert [row_id for _, row_id in slots()] == [one.row_id]
    assert ask("select expires_at from queuekit_semaphore_slots") == [(None,)]

    poll_until(worker_with(), claimed=1, finished=2)
    assert attempts(two.job_id) == [(1, "finished")]


def test_a_throttled_job_asks_for_its_start_when_there_is_a_thread(worker_with: Make) -> None:
    """A start that is written down long before it happens would be no measure."""
    wait.enqueue("first")
    throttled = queuekit.enqueue_all(gently.bind(f"job {place}") for place in range(5))
    worker = worker_with()
    worker.poll()
    assert counts() == {"claimed": 6}
    assert ask("select job_id from queuekit_throttle_starts") == []
    say.enqueue("last")
    worker.poll()
    assert counts() == {"claimed": 6, "ready": 1}, "nothing is claimed past them"

    gated_jobs.gate.set()
    poll_until(worker, finished=7)
    assert gated_jobs.begun == ["first", *(f"job {place}" for place in range(5)), "last"]
    assert [attempts(one.job_id) for one in throttled] == [[(1, "finished")]] * 5


def test_throttled_jobs_that_have_waited_go_back_without_a_start(worker_with: Make) -> None:
    wait.enqueue("first")
    queuekit.enqueue_all(gently.bind(f"job {place}") for place in range(5))
    worker = worker_with()
    worker.poll()
    assert counts() == {"claimed": 6}
    poll_until(worker, claimed=1, ready=5)
    assert ask("select job_id from queuekit_throttle_starts") == []


def test_what_has_not_begun_is_not_charged_for_the_death_of_its_worker(worker_with: Make) -> None:
    """The scoreboard knows; what becomes of them by it is told by the stories."""
    first, *_ = one_that_waits_and(8)
    worker = worker_with()
    worker.poll()
    wait_until(lambda: gated_jobs.begun)
    assert counts() == {"claimed": 9}
    assert worker._scoreboard.begun() == [first.row_id]
    assert worker._scoreboard.knows_all
