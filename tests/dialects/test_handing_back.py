"""What was claimed ahead and is to go back: when the database does not take it, when the worker is
being closed, and what a job's own limit makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import queuekit
from queuekit import DatabaseError, application
from queuekit.executions import claimed
from queuekit.processes import registration
from queuekit.processes.worker import Worker
from tests.dialects import gated_jobs
from tests.dialects.gated_jobs import briefly, gently, say, wait
from tests.dialects.support import ask, attempts, counts, wait_until
from tests.dialects.test_claiming_ahead import Make, one_that_waits_and, poll_until, worker_with

__all__ = ["worker_with"]


@contextmanager
def nothing_becomes_ready() -> Iterator[None]:
    """The database takes everything but what is to be ready."""
    ask("alter table queuekit_ready_executions rename to queuekit_elsewhere")
    try:
        yield
    finally:
        ask("alter table queuekit_elsewhere rename to queuekit_ready_executions")


def poll_in_vain(worker: Worker) -> None:
    with pytest.raises(DatabaseError):
        worker.poll()


def wait_until_late(worker: Worker) -> None:
    wait_until(lambda: (worker._pool.waits_until or float("inf")) < time.monotonic())


def test_what_could_not_be_handed_back_is_not_begun_but_handed_back_later(
    worker_with: Make,
) -> None:
    """It may have gone back all the same, and be on its way to another worker."""
    first, *_ = one_that_waits_and(9)
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    assert counts() == {"claimed": 10}
    wait_until_late(worker)
    with nothing_becomes_ready():
        poll_in_vain(worker)
        gated_jobs.gate.set()
        wait_until(lambda: worker._pool._results)
        for _ in range(3):
            poll_in_vain(worker)
        assert gated_jobs.begun == ["first"]
        assert worker._scoreboard.begun() == [first.row_id], "a death would not be theirs"

    poll_until(worker, finished=10)
    assert gated_jobs.begun == ["first", *(f"job {place}" for place in range(9))]


def test_what_has_gone_back_though_nobody_said_so_is_another_workers(worker_with: Make) -> None:
    """The answer to the commit was lost: whoever asks again finds nothing of his own."""
    first, *others = one_that_waits_and(9)
    worker, other = worker_with(prefetch_limit=10), worker_with(prefetch_limit=10)
    worker.poll()
    wait_until_late(worker)
    with nothing_becomes_ready():
        poll_in_vain(worker)
    row_ids = [receipt.row_id for receipt in others]
    claimed.release(worker._database, worker._process_id, row_ids)
    poll_until(other, claimed=1, finished=9)

    gated_jobs.gate.set()
    poll_until(worker, finished=10)
    assert sorted(map(str, gated_jobs.begun)) == sorted(
        ["first", *(f"job {place}" for place in range(9))]
    )
    assert all(attempts(one.job_id) == [(1, "finished")] for one in [first, *others])


def test_a_worker_that_stops_is_not_done_before_all_of_it_is_back(worker_with: Make) -> None:
    one_that_waits_and(9)
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    gated_jobs.gate.set()
    with nothing_becomes_ready():
        worker.stop()
        wait_until(lambda: not worker._pool.waiting)
        wait_until(lambda: worker._pool._results)
        try:
            worker.poll()
        except DatabaseError:
            assert not worker.is_done
    wait_until(lambda: worker.poll() >= 0 and worker.is_done)
    assert set(counts()) <= {"finished", "ready"}
    assert sum(counts().values()) == 10


def test_max_jobs_are_run_though_handing_back_failed(worker_with: Make) -> None:
    one_that_waits_and(20)
    worker = worker_with(prefetch_limit=10, max_jobs=5)
    worker.poll()
    wait_until_late(worker)
    with nothing_becomes_ready():
        poll_in_vain(worker)
        poll_in_vain(worker)
    poll_until(worker, claimed=1, ready=20)
    assert worker.leaves_because is None
    gated_jobs.gate.set()
    wait_until(lambda: worker.poll() >= 0 and worker.is_done)
    assert counts() == {"finished": 5, "ready": 16}


@pytest.mark.parametrize("job", [say, gently])
def test_what_waits_in_a_worker_that_is_closed_goes_back_while_its_job_runs_on(
    worker_with: Make, job: queuekit.DecoratedJob
) -> None:
    """A thread cannot be killed: in the mode async its job may run for hours."""
    wait.enqueue("first")
    queuekit.enqueue_all(job.bind(f"job {place}") for place in range(5))
    worker = worker_with(prefetch_limit=10)
    worker.poll()
    assert counts() == {"claimed": 6}
    wait_until(lambda: gated_jobs.begun)

    worker.abandon()
    worker.stop()

    seconds = worker.poll()
    assert counts() == {"claimed": 1, "ready": 5}
    assert seconds > 0.05, "there is nothing to look for every few milliseconds"
    assert worker.runs_jobs
    assert not worker.is_done
    gated_jobs.gate.set()
    wait_until(lambda: worker.poll() >= 0 and worker.is_done)
    assert counts() == {"finished": 1, "ready": 5}


def test_a_job_that_has_ended_is_settled_though_a_long_one_took_the_last_place(
    worker_with: Make,
) -> None:
    """Its result woke nobody: when it came, there was more to do."""
    say.enqueue("short")
    wait.enqueue("long")
    worker = worker_with(prefetch_limit=10, polling_interval=60)
    worker.poll()
    wait_until(lambda: gated_jobs.begun == ["short", "long"])
    assert worker._seconds_to_sleep() < 0.1
    poll_until(worker, finished=1, claimed=1)


def test_what_waits_does_not_begin_when_the_worker_may_be_taken_for_dead(worker_with: Make) -> None:
    """It was stopped, or suspended: others may have its jobs by now."""
    one_that_waits_and(5)
    worker = worker_with()
    worker._scoreboard.beat(time.monotonic())
    worker.poll()
    wait_until(lambda: gated_jobs.begun)
    worker._scoreboard.beat(time.monotonic() - 3600)
    gated_jobs.gate.set()
    wait_until(lambda: worker._pool._results)
    time.sleep(0.1)
    assert gated_jobs.begun == ["first"]

    worker._scoreboard.beat(time.monotonic())
    poll_until(worker, finished=6)


def test_a_job_whose_slot_expired_while_it_waited_is_not_discarded_for_that(
    worker_with: Make,
) -> None:
    """A slot's time begins with the claim. Another job has taken the slot meanwhile, and may itself
    have waited here."""
    wait.enqueue("first")
    one = briefly.enqueue("one")
    worker = worker_with()
    worker.poll()
    assert counts() == {"claimed": 2}
    other = enqueue_until_accepted("other")
    assert briefly.enqueue("refused").status == "discarded"

    poll_until(worker, claimed=1, ready=1, blocked=1, finished=counts()["finished"])
    poll_until(worker_with(), claimed=1, finished=counts()["finished"] + 2)
    assert attempts(one.job_id) == attempts(other.job_id) == [(1, "finished")]


def test_a_job_whose_slot_expired_while_it_waited_survives_its_worker(worker_with: Make) -> None:
    wait.enqueue("first")
    one = briefly.enqueue("one")
    worker = worker_with()
    worker.poll()
    enqueue_until_accepted("other")

    error = queuekit.ProcessExitError("it died")
    configuration = application.configuration()
    begun = worker._scoreboard.begun()
    registration.bury(worker._database, configuration, worker._process_id, error, begun=begun)
    assert attempts(one.job_id) == [(1, "blocked")]


def enqueue_until_accepted(name: str) -> queuekit.Receipt:
    receipts = [briefly.enqueue(name)]
    while receipts[-1].status == "discarded":
        receipts.append(briefly.enqueue(name))
    return receipts[-1]
