"""The pool, with more jobs than threads: what waits, when it wakes, and what it gives back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from queuekit.declaration import Declaration
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import FINISHED, Result
from queuekit.processes.lease import Lease
from queuekit.processes.pool import Pool
from queuekit.processes.prefetch import MOST_SECONDS
from queuekit.processes.wakeup import Wakeup

PATIENCE = 60.0


class Threads:
    """A pool whose jobs end one by one, as the test lets them."""

    def __init__(self, size: int, limit: int) -> None:
        self.lease = Lease(60.0)
        self.begun: list[int] = []
        self.may_end = threading.Semaphore(0)
        self.ended = 0
        self.wakeup = Wakeup()
        self.pool = Pool(
            size,
            self._perform,
            began=lambda job: self.begun.append(job.row_id),
            wake=self.wakeup.set,
            leave=lambda: None,
            async_concurrency=100,
            prefetch_limit=limit,
            lease=self.lease,
        )

    def _perform(self, job: ClaimedJob, watch: Callable[[Declaration], object]) -> Result:
        assert self.may_end.acquire(timeout=PATIENCE)
        return Result(job.row_id, FINISHED, duration=0.0001)

    def post(self, *numbers: int) -> None:
        jobs = [ClaimedJob(n, f"id-{n}", 1, "default", "jobs.note", "", 0) for n in numbers]
        self.pool.post(*jobs)

    def end(self, count: int) -> None:
        """Let so many end; return when their results are there."""
        self.ended += count
        self.may_end.release(count)
        wait_until(lambda: len(self.pool._results) == self.ended)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


@pytest.fixture
def make() -> Iterator[Callable[..., Threads]]:
    made = []

    def make(size: int, limit: int, *, starts: bool = True) -> Threads:
        made.append(threads := Threads(size, limit))
        if starts:
            threads.pool.start()
        return threads

    yield make
    for threads in made:
        threads.pool.close()
        threads.may_end.release(1000)
    wait_until(lambda: not any(threads.pool.is_alive for threads in made))


def test_there_is_room_ahead_when_jobs_are_shorter_than_turns(
    make: Callable[..., Threads],
) -> None:
    pool = make(2, 20).pool
    assert (pool.room, pool.room_ahead) == (2, 2)
    pool.note_turn(0.01)
    pool._prefetch.note_jobs(1, 0.0001)
    assert (pool.room, pool.room_ahead) == (2, 20)


def test_results_wake_when_the_pool_runs_short_and_not_before(
    make: Callable[..., Threads],
) -> None:
    threads = make(1, 17)
    threads.pool.note_turn(0.01)
    threads.pool._prefetch.note_jobs(1, 0.0001)
    threads.post(*range(17))
    wait_until(lambda: threads.pool.waiting == 16)

    threads.end(13)
    assert threads.pool.is_stocked
    assert not threads.wakeup.wait(0.01)
    threads.end(1)
    wait_until(lambda: threads.pool.waiting == 2)
    threads.end(1)
    assert not threads.pool.is_stocked
    assert threads.wakeup.wait(PATIENCE)

    threads.end(1)
    assert not threads.wakeup.wait(0.01), "it was woken, and has not looked yet"
    assert len(threads.pool.gather()) == 16
    threads.ended = 0
    threads.end(1)
    assert threads.wakeup.wait(PATIENCE)


def test_a_result_wakes_at_once_where_nothing_is_claimed_ahead(
    make: Callable[..., Threads],
) -> None:
    threads = make(1, 0)
    threads.post(1)
    threads.end(1)
    assert threads.wakeup.wait(PATIENCE)


def test_what_there_is_a_thread_for_is_not_taken_back(make: Callable[..., Threads]) -> None:
    threads = make(2, 20, starts=False)
    threads.post(1, 2, 3, 4)
    assert [job.row_id for job in threads.pool.take_back()] == [3, 4]
    assert threads.pool.in_flight == {1, 2}
    assert threads.pool.take_back() == []

    threads.pool.start()
    threads.end(2)
    assert len(threads.pool.gather()) == 2


def test_what_has_waited_for_too_long_is_given_back_and_jobs_count_as_long(
    make: Callable[..., Threads],
) -> None:
    threads = make(1, 20)
    threads.pool.note_turn(0.01)
    threads.pool._prefetch.note_jobs(1, 0.0001)
    threads.post(*range(5))
    wait_until(lambda: threads.pool.waiting == 4)
    assert threads.pool.take_back_late() == []
    assert threads.pool.waits_until is not None
    assert threads.pool.waits_until <= time.monotonic() + MOST_SECONDS

    given_back: list[ClaimedJob] = []

    def give_back() -> bool:
        given_back.extend(threads.pool.take_back_late())
        return bool(given_back)

    wait_until(give_back)
    assert [job.row_id for job in given_back] == [1, 2, 3, 4]
    assert (threads.pool.waiting, threads.pool.waits_until) == (0, None)
    assert (threads.pool.room, threads.pool.room_ahead) == (0, 0)
    threads.end(1)


def test_a_result_that_woke_nobody_is_looked_for_though_nothing_waits_any_more(
    make: Callable[..., Threads],
) -> None:
    """It came while the pool was stocked; then a long job took the last that there was."""
    threads = make(1, 20)
    threads.post(1, 2)
    wait_until(lambda: threads.pool.waiting == 1)
    threads.end(1)
    wait_until(lambda: threads.pool.waiting == 0)
    assert not threads.wakeup.wait(0.01)

    assert threads.pool.looks_itself
    assert [job.row_id for job, _ in threads.pool.gather()] == [1]
    assert not threads.pool.looks_itself
    threads.ended = 0
    threads.end(1)
    assert threads.wakeup.wait(PATIENCE)


def test_what_waits_when_it_is_closed_is_given_back_and_keeps_nobody_awake(
    make: Callable[..., Threads],
) -> None:
    threads = make(1, 20)
    threads.post(*range(5))
    wait_until(lambda: threads.begun == [0])
    threads.pool.close()
    assert [job.row_id for job in threads.pool.take_back()] == [1, 2, 3, 4]
    assert threads.pool.in_flight == {0}
    assert not threads.pool.looks_itself
    threads.post(5)
    assert [job.row_id for job in threads.pool.take_back()] == [5]

    threads.end(1)
    assert threads.wakeup.wait(PATIENCE)
    assert [job.row_id for job, _ in threads.pool.gather()] == [0]


def test_nothing_begins_while_others_may_take_this_process_for_dead(
    make: Callable[..., Threads],
) -> None:
    threads = make(1, 20)
    threads.post(1, 2)
    wait_until(lambda: threads.begun == [1])
    threads.lease.renew(time.monotonic() - 61)
    threads.end(1)
    wait_until(lambda: threads.pool.waiting == 0)
    time.sleep(0.1)
    assert threads.begun == [1]

    threads.lease.renew(time.monotonic())
    wait_until(lambda: threads.begun == [1, 2])
    threads.end(1)


def test_what_may_not_begin_does_not_when_the_pool_is_closed(make: Callable[..., Threads]) -> None:
    threads = make(1, 20)
    threads.lease.renew(time.monotonic() - 61)
    threads.post(1, 2)
    wait_until(lambda: threads.pool.waiting == 1)
    threads.pool.close()
    wait_until(lambda: not threads.pool.is_alive)
    assert threads.begun == []
    assert threads.pool.in_flight == {1, 2}
