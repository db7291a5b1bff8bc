"""A job that is interrupted while it uses the queue: the thread's next job finds it usable."""

from __future__ import annotations

import time

import queuekit
from queuekit import application
from queuekit.arguments import dump
from queuekit.database import Database
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.executions.turn import Result
from queuekit.performing import Performer
from queuekit.processes.pool import Pool
from tests.dialects.sample_jobs import note
from tests.dialects.support import counts, wait_until


@queuekit.job(timeout=0.02)
def enqueue_for_ever() -> None:
    while True:
        queuekit.enqueue_all(note.bind(number) for number in range(3))


@queuekit.job
def enqueue_one() -> None:
    note.using(queue="other").enqueue()


def end(pool: Pool, name: str) -> Result:
    """How a job ends on this pool."""
    pool.post(ClaimedJob(1, "some-id", 1, "default", f"{__name__}.{name}", dump([], {}), 0))
    results: list[Result] = []

    def has_ended() -> bool:
        pool.interrupt_overdue()
        results.extend(result for _, result in pool.gather())
        return bool(results)

    wait_until(has_ended, interval=0.001)
    return results[0]


def test_jobs_can_enqueue_after_one_that_was_interrupted_while_it_did(database: Database) -> None:
    pool = Pool(
        1,
        lambda job, watch: Performer().perform(job, watch=watch),
        began=lambda job: None,
        wake=lambda: None,
        leave=lambda: application.database().disconnect(),
    )
    pool.start()
    for _ in range(20):
        interrupted = end(pool, "enqueue_for_ever")
        assert interrupted.error is not None
        assert read_error(interrupted.error).exception_class == "queuekit.errors.JobTimeout"

        began = time.monotonic()
        assert end(pool, "enqueue_one").outcome == "finished"
        note.using(queue="others").enqueue()  # by another thread: no lock was left behind
        assert time.monotonic() - began < 5
    pool.close()

    assert pool.error is None
    assert (counts()["ready"] - 40) % 3 == 0
