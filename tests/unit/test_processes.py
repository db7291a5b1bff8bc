"""The parts of the processes that need neither a process nor a database."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from queuekit.config import Configuration, DispatcherSettings, WorkerSettings
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import FINISHED, Result
from queuekit.processes.children import Children
from queuekit.processes.pool import Pool
from queuekit.processes.signals import STOPPING, held_back
from queuekit.processes.throttle import YOUNG, Throttle
from queuekit.processes.wakeup import Wakeup

# Throttle


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([YOUNG], [0]),
        ([3600, 3600], [0, 0]),
        ([0, 0, 0, 0], [0, 0.5, 1, 2]),
        ([0] * 10, [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]),
        ([0, 0, 0, YOUNG, 0, 0], [0, 0.5, 1, 0, 0, 0.5]),
        ([YOUNG - 0.01] * 2, [0, 0.5]),
    ],
)
def test_who_dies_young_again_and_again_is_replaced_more_and_more_slowly(
    lives: list[float], pauses: list[float]
) -> None:
    throttle = Throttle()

    assert [throttle.pause_after(lived) for lived in lives] == pauses


# Children


def children() -> Children:
    workers = (WorkerSettings(processes=2), WorkerSettings(queues=("mail",)))
    return Children(Configuration(workers=workers, dispatchers=(DispatcherSettings(),)))


def test_there_is_a_place_for_each_configured_process() -> None:
    places = list(children().vacant(now=0))

    assert [type(place.settings).__name__ for place in places] == [
        "DispatcherSettings",
        *["WorkerSettings"] * 3,
    ]


def test_a_place_is_vacant_until_somebody_is_forked_and_after_that_one_dies() -> None:
    table = children()
    for pid, place in enumerate(table.vacant(now=0), start=100):
        table.forked(place, pid, now=0)
    assert table.pids() == [100, 101, 102, 103]
    assert len(table) == 4
    assert list(table.vacant(now=9)) == []
    assert table.next_vacancy() is None

    assert table.died(101, now=100)
    assert table.pids() == [100, 102, 103]
    (place,) = table.vacant(now=100)
    table.forked(place, 200, now=100)

    assert table.died(200, now=100.1)
    (place,) = table.vacant(now=100.1)
    table.forked(place, 300, now=100.1)
    assert table.died(300, now=100.2)
    assert list(table.vacant(now=100.6)) == []
    assert table.next_vacancy() == pytest.approx(100.7)
    assert len(list(table.vacant(now=100.8))) == 1


def test_a_stranger_is_nobodys_child() -> None:
    table = children()

    assert not table.died(4711, now=0)
    assert len(table) == 0


# Pool


def job(row_id: int) -> ClaimedJob:
    return ClaimedJob(row_id, f"id-{row_id}", 1, "default", "jobs.note", "{}", 0)


class Jobs:
    """What the pool's threads run: each waits until its gate opens."""

    def __init__(self) -> None:
        self.gates = {number: threading.Event() for number in range(10)}
        self.begun: list[int] = []
        self.wakeup = Wakeup()
        self.left = threading.Semaphore(0)

    def perform(self, job: ClaimedJob) -> Result:
        self.begun.append(job.row_id)
        assert self.gates[job.row_id].wait(60)
        return Result(job.row_id, FINISHED)

    def end(self, *numbers: int) -> None:
        for number in numbers:
            self.gates[number].set()


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs()
    yield jobs
    jobs.end(*jobs.gates)


def pool_of(size: int, jobs: Jobs) -> Pool:
    pool = Pool(size, jobs.perform, wake=jobs.wakeup.set, leave=jobs.left.release)
    pool.start()
    return pool


def gather(pool: Pool, count: int) -> list[int]:
    results: list[int] = []
    deadline = time.monotonic() + 60
    while len(results) < count:
        assert time.monotonic() < deadline
        results += [result.row_id for _, result in pool.gather()]
        time.sleep(0.001)
    return results


def test_a_pool_knows_what_it_could_still_run(jobs: Jobs) -> None:
    pool = pool_of(2, jobs)
    assert (pool.size, pool.free, pool.in_flight) == (2, 2, frozenset())

    pool.post(job(1))
    pool.post(job(2))
    assert (pool.free, pool.in_flight) == (0, frozenset({1, 2}))

    jobs.end(2)
    assert gather(pool, 1) == [2]
    assert (pool.free, pool.in_flight) == (1, frozenset({1}))

    jobs.end(1)
    assert gather(pool, 1) == [1]
    assert (pool.free, pool.gather()) == (2, [])
    pool.close()


def test_jobs_begin_in_the_order_they_were_posted(jobs: Jobs) -> None:
    pool = pool_of(1, jobs)
    for number in (3, 1, 2):
        pool.post(job(number))
    assert pool.free == -2

    jobs.end(1, 2, 3)
    assert gather(pool, 3) == [3, 1, 2]
    assert jobs.begun == [3, 1, 2]
    pool.close()


def test_a_result_wakes_whoever_waits(jobs: Jobs) -> None:
    pool = pool_of(1, jobs)
    pool.post(job(1))
    jobs.end(1)

    began = time.monotonic()
    jobs.wakeup.wait(60)

    assert time.monotonic() - began < 30
    assert [result.row_id for _, result in pool.gather()] == [1]
    pool.close()


def test_closed_threads_end_after_their_jobs(jobs: Jobs) -> None:
    pool = pool_of(3, jobs)
    pool.post(job(1))

    pool.close()
    jobs.end(1)

    for _ in range(3):
        assert jobs.left.acquire(timeout=60)
    assert gather(pool, 1) == [1]


# Wakeup


def test_a_wait_ends_when_it_is_set_or_its_time_is_over() -> None:
    wakeup = Wakeup()
    began = time.monotonic()
    wakeup.wait(0.05)
    assert time.monotonic() - began >= 0.05

    wakeup.set()
    wakeup.set()
    began = time.monotonic()
    wakeup.wait(60)
    assert time.monotonic() - began < 30

    began = time.monotonic()
    wakeup.wait(0.05)  # what was set before is forgotten
    assert time.monotonic() - began >= 0.05
    wakeup.wait(-1)


def test_another_thread_ends_a_wait() -> None:
    wakeup = Wakeup()
    timer = threading.Timer(0.05, wakeup.set)
    timer.start()

    began = time.monotonic()
    wakeup.wait(60)

    assert time.monotonic() - began < 30
    timer.join()


# Signals

SIGNALS = """
import os, signal, time
from queuekit.processes.signals import GRACEFUL, STOPPING, SignalBox
from queuekit.processes.wakeup import Wakeup

wakeup = Wakeup()
box = SignalBox(wake=wakeup.set)
box.listen(STOPPING)
for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM):
    os.kill(os.getpid(), number)
began = time.monotonic()
wakeup.wait(60)
assert time.monotonic() - began < 30
print([number.name for number in box.take()], box.take())
"""


def test_signals_are_recorded_in_the_order_they_came_and_wake() -> None:
    printed = subprocess.check_output([sys.executable, "-c", SIGNALS], text=True, timeout=90)

    assert printed == "['SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGTERM'] []\n"


def test_signals_can_be_held_back_for_a_moment() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with held_back(STOPPING):
        assert set(STOPPING) <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
