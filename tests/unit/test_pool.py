"""The pool: jobs on threads, their results, and their timeouts."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import queuekit
from queuekit.arguments import dump
from queuekit.declaration import Declaration
from queuekit.errors import JobTimeout
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.executions.turn import FINISHED, Result
from queuekit.performing import Performer
from queuekit.processes.pool import Pool
from queuekit.processes.wakeup import Wakeup

PATIENCE = 60.0


def job(row_id: int, name: str = "jobs.note", *args: object) -> ClaimedJob:
    return ClaimedJob(row_id, f"id-{row_id}", 1, "default", name, dump(args, {}), 0)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def gather(pool: Pool, count: int) -> list[Result]:
    results: list[Result] = []

    def gathered() -> bool:
        results.extend(result for _, result in pool.gather())
        return len(results) >= count

    wait_until(gathered)
    return results


# Jobs and their results


class Jobs:
    """What the pool's threads run: each waits until its gate opens."""

    def __init__(self) -> None:
        self.gates = {number: threading.Event() for number in range(10)}
        self.begun: list[int] = []
        self.wakeup = Wakeup()
        self.left = threading.Semaphore(0)

    def perform(self, job: ClaimedJob, watch: Callable[[Declaration], object]) -> Result:
        assert self.begun[-1] == job.row_id
        assert self.gates[job.row_id].wait(PATIENCE)
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
    pool = Pool(
        size,
        jobs.perform,
        began=lambda job: jobs.begun.append(job.row_id),
        wake=jobs.wakeup.set,
        leave=jobs.left.release,
    )
    pool.start()
    return pool


def row_ids(results: list[Result]) -> list[int]:
    return [result.row_id for result in results]


def test_a_pool_knows_what_it_could_still_run(jobs: Jobs) -> None:
    pool = pool_of(2, jobs)
    assert (pool.size, pool.free, pool.in_flight) == (2, 2, frozenset())

    pool.post(job(1))
    wait_until(lambda: jobs.begun == [1])
    pool.post(job(2))
    assert (pool.free, pool.in_flight) == (0, frozenset({1, 2}))

    jobs.end(2)
    assert row_ids(gather(pool, 1)) == [2]
    assert (pool.free, pool.in_flight) == (1, frozenset({1}))

    jobs.end(1)
    assert row_ids(gather(pool, 1)) == [1]
    assert (pool.free, pool.gather()) == (2, [])
    pool.close()


def test_jobs_begin_in_the_order_they_were_posted(jobs: Jobs) -> None:
    pool = pool_of(1, jobs)
    for number in (3, 1, 2):
        pool.post(job(number))
    assert pool.free == -2

    jobs.end(1, 2, 3)
    assert row_ids(gather(pool, 3)) == [3, 1, 2]
    assert jobs.begun == [3, 1, 2]
    pool.close()


def test_a_result_wakes_whoever_waits(jobs: Jobs) -> None:
    pool = pool_of(1, jobs)
    pool.post(job(1))
    jobs.end(1)

    assert jobs.wakeup.wait(PATIENCE)
    assert [(done.row_id, result.row_id) for done, result in pool.gather()] == [(1, 1)]
    pool.close()


def test_closed_threads_end_after_their_jobs(jobs: Jobs) -> None:
    pool = pool_of(3, jobs)
    pool.post(job(1))
    wait_until(lambda: jobs.begun == [1])

    pool.close()
    jobs.end(1)

    for _ in range(3):
        assert jobs.left.acquire(timeout=PATIENCE)
    assert row_ids(gather(pool, 1)) == [1]
    assert pool.error is None


def test_what_has_not_begun_when_it_is_closed_never_does(jobs: Jobs) -> None:
    pool = pool_of(1, jobs)
    for number in (1, 2, 3):
        pool.post(job(number))
    wait_until(lambda: jobs.begun == [1])

    pool.close()
    jobs.end(1, 2, 3)

    assert jobs.left.acquire(timeout=PATIENCE)
    assert row_ids(gather(pool, 1)) == [1]
    assert jobs.begun == [1]
    assert pool.in_flight == {2, 3}


def test_a_thread_that_dies_leaves_its_error_and_wakes(jobs: Jobs) -> None:
    def perform(job: ClaimedJob, watch: Callable[[Declaration], object]) -> Result:
        raise SystemExit("perform must not raise")

    pool = Pool(1, perform, began=print, wake=jobs.wakeup.set, leave=print)
    pool.start()
    pool.post(job(1))

    assert jobs.wakeup.wait(PATIENCE)
    assert str(pool.error) == "perform must not raise"
    assert pool.gather() == []


def test_a_thread_that_cannot_leave_is_noticed_too(jobs: Jobs) -> None:
    def leave() -> None:
        raise OSError("no way out")

    pool = Pool(1, jobs.perform, began=print, wake=jobs.wakeup.set, leave=leave)
    pool.start()
    pool.close()

    assert jobs.wakeup.wait(PATIENCE)
    assert str(pool.error) == "no way out"


# Timeouts

gates = {"open": threading.Event()}
caught: list[str] = []


@queuekit.job(timeout=0.05)
def spin() -> None:
    while not gates["open"].is_set():
        pass


@queuekit.job(timeout=0.05)
def catch_it() -> None:
    try:
        while True:
            pass
    except JobTimeout as error:
        caught.append(str(error))


@queuekit.job(timeout=0.05)
def swallow_it() -> None:
    while not gates["open"].is_set():
        try:
            while not gates["open"].is_set():
                pass
        except JobTimeout as error:
            caught.append(str(error))


@queuekit.job(timeout=0.05)
def wait_in_c() -> None:
    gates["open"].wait(PATIENCE)


@queuekit.job
def take_long() -> None:
    gates["open"].wait(PATIENCE)


@queuekit.job(timeout=3600)
def take_long_with_leave() -> None:
    gates["open"].wait(PATIENCE)


@pytest.fixture(autouse=True)
def _gate() -> Iterator[None]:
    gates["open"] = threading.Event()
    caught.clear()
    yield
    gates["open"].set()


class Timed:
    """A pool that runs real jobs."""

    def __init__(self, size: int = 1) -> None:
        self.left = threading.Semaphore(0)
        self.begun: list[int] = []
        self.pool = Pool(
            size,
            lambda job, watch: Performer().perform(job, watch=watch),
            began=lambda job: self.begun.append(job.row_id),
            wake=lambda: None,
            leave=self.left.release,
        )
        self.pool.start()

    def post(self, row_id: int, name: str) -> None:
        """Post a job, and return when it runs."""
        self.pool.post(job(row_id, f"{__name__}.{name}"))
        wait_until(lambda: row_id in self.begun)

    def interrupt(self) -> tuple[int, float]:
        """Wait until a job is interrupted: its row id and its timeout."""
        found: list[tuple[ClaimedJob, float]] = []

        def is_interrupted() -> bool:
            found.extend(self.pool.interrupt_overdue())
            return bool(found)

        wait_until(is_interrupted)
        ((job, timeout),) = found
        return job.row_id, timeout


@pytest.fixture
def timed() -> Iterator[Timed]:
    timed = Timed()
    yield timed
    gates["open"].set()
    timed.pool.close()
    wait_until(lambda: not any(thread.is_alive() for thread in timed.pool._threads))
    assert timed.pool.error is None


def outcome(result: Result) -> str:
    """`finished`, or the class of the error."""
    if result.error is None:
        return result.outcome
    return read_error(result.error).exception_class.rpartition(".")[2]


def test_a_job_past_its_timeout_gets_JobTimeout_where_it_stands(timed: Timed) -> None:  # noqa: N802
    timed.post(1, "spin")
    assert timed.interrupt() == (1, 0.05)

    (result,) = gather(timed.pool, 1)
    assert outcome(result) == "JobTimeout"
    assert result.error is not None
    error = read_error(result.error)
    assert error.message == "the job ran longer than its timeout"
    assert "in spin" in error.traceback
    assert result.duration >= 0.05


def test_a_job_is_not_interrupted_before_its_time_and_without_a_timeout_never() -> None:
    timed = Timed(2)
    timed.post(1, "take_long")
    timed.post(2, "take_long_with_leave")

    assert timed.pool.interrupt_overdue() == []
    assert timed.pool.stuck(0.0) == []
    deadline = timed.pool.next_deadline(5.0)
    assert deadline is not None
    assert 3500 < deadline - time.monotonic() <= 3600

    gates["open"].set()
    assert {outcome(result) for result in gather(timed.pool, 2)} == {"finished"}
    assert timed.pool.next_deadline(5.0) is None
    timed.pool.close()


def test_a_job_may_catch_it_and_end_well(timed: Timed) -> None:
    timed.post(1, "catch_it")
    timed.interrupt()

    assert [outcome(result) for result in gather(timed.pool, 1)] == ["finished"]
    assert caught == ["the job ran longer than its timeout"]


@pytest.mark.parametrize("name", ["swallow_it", "wait_in_c"])
def test_a_job_is_interrupted_once_and_then_stuck(timed: Timed, name: str) -> None:
    timed.post(1, name)
    assert timed.interrupt() == (1, 0.05)

    assert timed.pool.stuck(3600) == []
    deadline = timed.pool.next_deadline(3600)
    assert deadline is not None
    assert deadline - time.monotonic() > 3500
    wait_until(lambda: timed.pool.stuck(0.01))
    assert [(job.row_id, timeout) for job, timeout in timed.pool.stuck(0.01)] == [(1, 0.05)]
    assert timed.pool.interrupt_overdue() == []
    assert timed.pool.next_deadline(0.01) is None, "nothing is to be done any more"
    assert timed.pool.in_flight == {1}

    gates["open"].set()
    gather(timed.pool, 1)
    assert len(caught) == (name == "swallow_it")
    assert timed.pool.stuck(0.0) == []


def test_what_waits_in_c_ends_with_the_timeout_when_it_returns(timed: Timed) -> None:
    timed.post(1, "wait_in_c")
    timed.interrupt()
    gates["open"].set()

    assert [outcome(result) for result in gather(timed.pool, 1)] == ["JobTimeout"]


def test_the_thread_of_an_interrupted_job_runs_the_next_with_a_time_of_its_own(
    timed: Timed,
) -> None:
    for row_id in range(1, 4):
        timed.post(row_id, "spin")
        assert timed.interrupt()[0] == row_id
        assert [outcome(result) for result in gather(timed.pool, 1)] == ["JobTimeout"]

    timed.post(4, "take_long")
    assert timed.pool.interrupt_overdue() == []
    gates["open"].set()
    assert [outcome(result) for result in gather(timed.pool, 1)] == ["finished"]


def test_what_an_interrupted_job_left_in_its_thread_is_let_go(timed: Timed) -> None:
    timed.post(1, "spin")
    timed.interrupt()
    gather(timed.pool, 1)

    # Its connection, which may be in the middle of anything.
    assert timed.left.acquire(timeout=PATIENCE)

    timed.post(2, "take_long")
    gates["open"].set()
    gather(timed.pool, 1)
    assert not timed.left.acquire(blocking=False)


def test_other_threads_are_left_alone() -> None:
    timed = Timed(2)
    timed.post(1, "take_long")
    timed.post(2, "spin")

    assert timed.interrupt() == (2, 0.05)
    assert row_ids(gather(timed.pool, 1)) == [2]
    assert timed.pool.in_flight == {1}

    gates["open"].set()
    assert [outcome(result) for result in gather(timed.pool, 1)] == ["finished"]
    timed.pool.close()


# Timeouts that come while a job logs

application_log = logging.getLogger("tests.application")


@queuekit.job(timeout=0.02)
def work_and_log() -> None:
    while True:
        sum(range(5000))
        application_log.warning("a step")


def test_a_timeout_takes_no_lock_along_that_all_threads_log_with(tmp_path: Path) -> None:
    """Raised in the midst of logging it would leave the handler locked for ever, or be lost."""
    count = 20
    handler = logging.FileHandler(tmp_path / "log")
    application_log.addHandler(handler)
    timed = Timed(4)
    try:
        for row_id in range(count):
            timed.pool.post(job(row_id, f"{__name__}.work_and_log"))
        results: list[Result] = []

        def have_ended() -> bool:
            timed.pool.interrupt_overdue()
            results.extend(result for _, result in timed.pool.gather())
            return len(results) == count

        wait_until(have_ended)
        assert [outcome(result) for result in results] == ["JobTimeout"] * count
        assert handler.lock is not None
        assert handler.lock.acquire(timeout=PATIENCE)
        handler.lock.release()
    finally:
        timed.pool.close()
        application_log.removeHandler(handler)
        handler.close()


# Timeouts that fire around the end of a job

_SHORT = 0.002


@queuekit.job(timeout=_SHORT)
def end_at_about_its_timeout(how_long: float) -> None:
    until = time.perf_counter() + how_long
    while time.perf_counter() < until:
        pass


@queuekit.job
def must_not_be_interrupted() -> None:
    for _ in range(50):
        pass


@pytest.fixture
def _threads_that_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00002)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_that_switch_often")
def test_a_timeout_at_the_very_end_hits_the_job_or_nothing() -> None:
    count = 3000
    timed = Timed(2)
    chance = random.Random(4711)
    for number in range(0, count, 2):
        short = job(number, f"{__name__}.end_at_about_its_timeout", chance.gauss(_SHORT, 0.0002))
        timed.pool.post(short)
        timed.pool.post(job(number + 1, f"{__name__}.must_not_be_interrupted"))

    results: dict[int, str] = {}
    interrupted: Counter[int] = Counter()
    deadline = time.monotonic() + PATIENCE
    while len(results) < count:
        assert time.monotonic() < deadline
        assert timed.pool.error is None
        interrupted.update(job.row_id for job, _ in timed.pool.interrupt_overdue())
        for done, result in timed.pool.gather():
            assert done.row_id == result.row_id not in results
            results[done.row_id] = outcome(result)
    timed.pool.close()

    wait_until(lambda: not any(thread.is_alive() for thread in timed.pool._threads))
    assert timed.pool.error is None
    assert {results[number] for number in range(1, count, 2)} == {"finished"}
    assert set(results.values()) == {"finished", "JobTimeout"}
    assert set(interrupted.values()) == {1}
    timed_out = {number for number, end in results.items() if end == "JobTimeout"}
    assert timed_out <= interrupted.keys()
    assert len(timed_out) > count / 20, "too few timeouts for this to say anything"
