"""The event loop of a worker: its jobs, all at once, their results, timeouts and ends."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

import pytest

import queuekit
from queuekit import events, hooks
from queuekit.arguments import dump
from queuekit.errors import JobTimeout
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import StoredError, read_error
from queuekit.executions.turn import Result
from queuekit.performing import Performer
from queuekit.processes.pool import Pool

PATIENCE = 60.0

gate = asyncio.Event()
block = threading.Event()
said: list[object] = []
behind: list[asyncio.Task[None]] = []
seen: ContextVar[str] = ContextVar("seen", default="nothing")


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    global gate
    gate = asyncio.Event()
    block.clear()
    said.clear()
    yield
    block.set()


# The jobs


@queuekit.job
async def say(text: str) -> None:
    said.append((text, threading.current_thread().name))


@queuekit.job
async def wait() -> None:
    said.append(queuekit.context.job_id)
    await gate.wait()
    said.append(queuekit.context.job_id)


@queuekit.job
def wait_in_thread() -> None:
    assert block.wait(PATIENCE)


@queuekit.job
async def leave_a_mark() -> None:
    said.append(seen.get())
    seen.set("a mark")
    await asyncio.sleep(0)
    said.append(seen.get())


@queuekit.job
async def look_twice() -> None:
    said.append(seen.get())
    await asyncio.sleep(0)
    said.append(seen.get())


@queuekit.job
async def divide(by: int) -> None:
    await asyncio.sleep(0)
    1 / by


@queuekit.job
async def cancel_itself() -> None:
    raise asyncio.CancelledError


@queuekit.job
async def cancel_its_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(PATIENCE)


@queuekit.job
async def exit_in_a_task() -> None:
    async def leave() -> None:
        raise SystemExit("bye")

    task = asyncio.create_task(leave())
    await asyncio.wait([task])
    said.append("went on")


@queuekit.job
async def stop_the_loop() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)


_SHORT = 0.05


@queuekit.job(timeout=_SHORT)
async def end_at_about_its_timeout(how_long: float) -> None:
    await asyncio.sleep(how_long)


@queuekit.job(timeout=0.05)
async def sleep_long() -> None:
    await asyncio.sleep(PATIENCE)


@queuekit.job(timeout=0.05)
async def catch_it() -> None:
    try:
        await asyncio.sleep(PATIENCE)
    except asyncio.CancelledError:
        said.append("tidied up")


@queuekit.job(timeout=0.05)
async def swallow_it() -> None:
    while not gate.is_set():
        try:
            await gate.wait()
        except asyncio.CancelledError:
            said.append("swallowed")


@queuekit.job(timeout=0.05)
async def block_the_loop() -> None:
    said.append("blocking")
    assert block.wait(PATIENCE)


@queuekit.job(
    timeout=0.05, rescue_from=queuekit.Rescue(JobTimeout, handler=lambda job, error: None)
)
async def be_rescued() -> None:
    await asyncio.sleep(PATIENCE)


@queuekit.job
async def wait_and_tidy_up() -> None:
    said.append("began")
    try:
        await gate.wait()
    finally:
        said.append("tidied up")


@queuekit.job
async def leave_a_task_behind() -> None:
    behind.append(asyncio.create_task(wait_and_tidy_up()))
    await asyncio.sleep(0)


# What runs them


def job(row_id: int, name: str, *args: object) -> ClaimedJob:
    name = f"{__name__}.{name}"
    return ClaimedJob(row_id, f"id-{row_id}", 1, "default", name, dump(args, {}), 0)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


class Timed:
    """A pool as a worker has it."""

    def __init__(self, size: int = 2, async_concurrency: int = 10) -> None:
        self.begun: list[int] = []
        self.left: list[str] = []
        performer = Performer()
        self.pool = Pool(
            size,
            performer.perform,
            perform_async=performer.perform_async,
            is_async=performer.is_async,
            async_concurrency=async_concurrency,
            began=lambda job: self.begun.append(job.row_id),
            wake=lambda: None,
            leave=lambda: self.left.append(threading.current_thread().name),
        )
        self.pool.start()

    def run(self, row_id: int, name: str, *args: object) -> None:
        """Post a job, and return when it runs."""
        self.pool.post(job(row_id, name, *args))
        wait_until(lambda: row_id in self.begun)

    def results(self, count: int) -> list[Result]:
        results: list[Result] = []

        def gathered() -> bool:
            results.extend(result for _, result in self.pool.gather())
            return len(results) >= count

        wait_until(gathered)
        return sorted(results, key=lambda result: result.row_id)

    def in_loop(self, function: Callable[[], object]) -> None:
        assert self.pool._loop is not None
        self.pool._loop._call(function)

    def interrupt(self) -> int:
        found: list[int] = []

        def is_interrupted() -> bool:
            found.extend(job.row_id for job, _ in self.pool.interrupt_overdue())
            return bool(found)

        wait_until(is_interrupted)
        (row_id,) = found
        return row_id


@pytest.fixture
def timed() -> Iterator[Timed]:
    timed = Timed()
    yield timed
    block.set()
    if timed.pool._loop is not None:
        timed.in_loop(gate.set)
    timed.pool.close()
    ends = 2 + (timed.pool._loop is not None)
    wait_until(lambda: len(timed.left) == ends)
    assert timed.pool.error is None


def error_of(result: Result) -> StoredError:
    assert result.error is not None, result
    return read_error(result.error)


# Running


def test_a_worker_without_async_jobs_has_no_loop(timed: Timed) -> None:
    block.set()
    timed.run(1, "wait_in_thread")
    timed.results(1)

    assert timed.pool._loop is None


def test_async_jobs_run_in_one_thread_of_their_own(timed: Timed) -> None:
    for number in range(5):
        timed.pool.post(job(number + 1, "say", f"{number}"))

    assert [result.outcome for result in timed.results(5)] == ["finished"] * 5
    assert sorted(said) == [(f"{number}", "queuekit-loop") for number in range(5)]


def test_many_wait_at_once_and_each_knows_itself(timed: Timed) -> None:
    for number in range(1, 11):
        timed.run(number, "wait")
    wait_until(lambda: len(said) == 10)

    timed.in_loop(gate.set)

    timed.results(10)
    assert sorted(map(str, said)) == sorted([f"id-{number}" for number in range(1, 11)] * 2)


def test_they_leave_their_threads_at_once(timed: Timed) -> None:
    for number in (1, 2, 3):
        timed.run(number, "wait")

    assert (timed.pool.free, timed.pool.room) == (2, 2)
    assert timed.pool.in_flight == {1, 2, 3}
    timed.run(4, "wait_in_thread")
    assert (timed.pool.free, timed.pool.room) == (1, 1)


def test_there_is_no_room_for_more_than_the_loop_takes() -> None:
    timed = Timed(size=5, async_concurrency=2)
    assert (timed.pool.free, timed.pool.room) == (5, 2)
    timed.run(1, "wait")
    assert (timed.pool.free, timed.pool.room) == (5, 1)
    timed.run(2, "wait")
    assert (timed.pool.free, timed.pool.room) == (5, 0)

    timed.in_loop(gate.set)
    timed.results(2)
    assert (timed.pool.free, timed.pool.room) == (5, 2)
    timed.pool.close()


def test_thread_jobs_take_none_of_the_loops_room() -> None:
    timed = Timed(size=3, async_concurrency=1)
    for number in (1, 2):
        timed.run(number, "wait_in_thread")
    wait_until(lambda: timed.pool.room == 1)

    block.set()
    timed.results(2)
    timed.pool.close()


def test_each_has_a_context_of_its_own(timed: Timed) -> None:
    for number in (1, 2):
        timed.run(number, "leave_a_mark")
        timed.results(1)

    assert said == ["nothing", "a mark"] * 2


# Errors


def test_an_error_fails_the_job_and_shows_where(timed: Timed) -> None:
    timed.run(1, "divide", 0)

    error = error_of(timed.results(1)[0])
    assert error.exception_class == "ZeroDivisionError"
    assert error.traceback.splitlines()[1].endswith("in divide")


@pytest.mark.parametrize("name", ["cancel_itself", "cancel_its_task"])
def test_a_job_that_cancels_itself_fails_and_the_loop_goes_on(timed: Timed, name: str) -> None:
    timed.run(1, name)
    assert error_of(timed.results(1)[0]).exception_class == "asyncio.exceptions.CancelledError"

    timed.run(2, "say", "next")
    assert timed.results(1)[0].outcome == "finished"


@pytest.mark.parametrize("name", ["exit_in_a_task", "stop_the_loop"])
def test_no_job_ends_the_loop(timed: Timed, name: str) -> None:
    reported: list[events.Event] = []
    events.subscribe(reported.append)
    timed.run(1, name)
    assert timed.results(1)[0].outcome == "finished"
    events.unsubscribe(reported.append)

    timed.run(2, "say", "next")
    assert timed.results(1)[0].outcome == "finished"
    errors = [event.error for event in reported if isinstance(event, events.ErrorOccurred)]
    assert [type(error) for error in errors] == [SystemExit] * (name == "exit_in_a_task")


def test_what_is_wrong_with_the_loop_itself_ends_the_pool() -> None:
    async def perform(job: ClaimedJob, watch: object, until: object) -> Result:
        raise AssertionError("perform must not raise")

    woken = threading.Event()
    pool = Pool(
        1,
        Performer().perform,
        perform_async=perform,
        is_async=lambda job: True,
        began=print,
        wake=woken.set,
        leave=print,
    )
    pool.start()
    pool.post(job(1, "say", "never"))

    wait_until(lambda: pool.error)
    assert str(pool.error) == "perform must not raise"
    assert woken.is_set()
    pool.close()


# Timeouts


def test_a_job_past_its_timeout_is_cancelled_and_fails_with_JobTimeout(timed: Timed) -> None:  # noqa: N802
    timed.run(1, "sleep_long")
    assert timed.interrupt() == 1

    result = timed.results(1)[0]
    error = error_of(result)
    assert error.exception_class == "queuekit.errors.JobTimeout"
    assert error.message == "the job ran longer than its timeout"
    assert "in sleep_long" in error.traceback
    assert result.duration >= 0.05
    assert timed.pool.interrupt_overdue() == []
    assert timed.pool.next_deadline(5.0) is None


def test_policies_see_JobTimeout(timed: Timed) -> None:  # noqa: N802
    timed.run(1, "be_rescued")
    timed.interrupt()

    assert timed.results(1)[0].outcome == "finished"


def test_a_job_may_catch_its_cancellation_and_end_well(timed: Timed) -> None:
    timed.run(1, "catch_it")
    timed.interrupt()

    assert timed.results(1)[0].outcome == "finished"
    assert said == ["tidied up"]


def test_others_are_left_alone(timed: Timed) -> None:
    timed.run(1, "wait")
    timed.run(2, "sleep_long")

    assert timed.interrupt() == 2
    assert [result.row_id for result in timed.results(1)] == [2]
    assert timed.pool.in_flight == {1}


def test_a_job_that_does_not_end_is_stuck_and_holds_up_nobody(timed: Timed) -> None:
    timed.run(1, "swallow_it")
    timed.run(2, "wait")
    assert timed.pool.stuck(0.0) == []
    timed.interrupt()
    wait_until(lambda: said.count("swallowed") == 1)

    wait_until(lambda: timed.pool.stuck(0.01))
    assert [(job.row_id, timeout) for job, timeout in timed.pool.stuck(0.01)] == [(1, 0.05)]
    assert timed.pool.interrupt_overdue() == []
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert timed.pool.held_up(0.01) == frozenset()
        time.sleep(0.01)


def test_a_job_that_blocks_the_loop_holds_up_the_others_there(timed: Timed) -> None:
    timed.run(1, "wait")
    timed.run(2, "block_the_loop")
    timed.pool.post(job(3, "say", "never begins"))
    timed.run(4, "wait_in_thread")
    wait_until(lambda: "blocking" in said)
    timed.interrupt()

    wait_until(lambda: timed.pool.stuck(0.01))
    wait_until(lambda: timed.pool.held_up(0.01))
    assert timed.pool.held_up(0.01) == {1, 2, 3}
    assert 3 not in timed.begun

    block.set()
    wait_until(lambda: not timed.pool.held_up(0.01))
    # It was told while it blocked, and has ended without awaiting anything more.
    assert [result.outcome for result in timed.results(3)] == ["finished"] * 3


def test_a_timeout_at_the_very_end_hits_the_job_or_nothing() -> None:
    count = 2000
    timed = Timed(2, async_concurrency=count)
    chance = random.Random(4711)
    for number in range(0, count, 2):
        timed.pool.post(job(number, "end_at_about_its_timeout", chance.gauss(_SHORT, 0.005)))
        timed.pool.post(job(number + 1, "say", "untouched"))

    results: dict[int, Result] = {}
    deadline = time.monotonic() + PATIENCE
    while len(results) < count:
        assert time.monotonic() < deadline
        assert timed.pool.error is None
        timed.pool.interrupt_overdue()
        results.update({result.row_id: result for _, result in timed.pool.gather()})
    timed.pool.close()
    wait_until(lambda: len(timed.left) == 3)

    assert timed.pool.error is None
    assert {results[number].outcome for number in range(1, count, 2)} == {"finished"}
    failed = [result for result in results.values() if result.outcome == "failed"]
    assert {error_of(result).exception_class for result in failed} == {"queuekit.errors.JobTimeout"}
    assert len(failed) > count / 20, "too few timeouts for this to say anything"


# Closing


def test_closing_cancels_what_runs_and_gathers_nothing_of_it(timed: Timed) -> None:
    timed.run(1, "wait_and_tidy_up")
    wait_until(lambda: said == ["began"])

    timed.pool.close()

    wait_until(lambda: "queuekit-loop" in timed.left)
    assert said == ["began", "tidied up"]
    assert timed.pool.gather() == []
    assert timed.pool.in_flight == {1}


def test_closing_cancels_what_jobs_have_left_running(timed: Timed) -> None:
    timed.run(1, "leave_a_task_behind")
    timed.results(1)

    timed.pool.close()

    wait_until(lambda: "queuekit-loop" in timed.left)
    assert said == ["began", "tidied up"]


# Awaiting a job here and now


@queuekit.job(discard_on=LookupError, retry_on=queuekit.Retry(asyncio.CancelledError))
async def double(number: int) -> int:
    said.append(queuekit.context.executions)
    await asyncio.sleep(0)
    if number < 0:
        raise LookupError(number)
    if number == 0:
        await asyncio.sleep(PATIENCE)
    return 2 * number


class Doubling(queuekit.Job):
    async def perform(self, number: int) -> int:
        return await double(number)


@Doubling.around_perform
def _around(job: queuekit.CurrentJob) -> Iterator[None]:
    said.append("before")
    yield
    said.append("after")


def test_perform_now_gives_something_to_await() -> None:
    async def perform() -> list[int | None]:
        return [await double(1), await double.perform_now(2), await double.perform_now(-1)]

    with pytest.raises(queuekit.NoCurrentJobError):
        asyncio.run(perform())

    async def perform_now() -> list[int | None]:
        return [await double.perform_now(2), await double.perform_now(-1)]

    assert asyncio.run(perform_now()) == [4, None]


def test_callbacks_stand_around_the_await() -> None:
    async def perform() -> list[int]:
        return await asyncio.gather(*(Doubling.perform_now(number) for number in (1, 2)))

    assert asyncio.run(perform()) == [2, 4]
    assert said == ["before", 1, "before", 1, "after", "after"]


def test_hooks_and_the_travelling_context_stand_around_each_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def hook(run: hooks.Run) -> Iterator[None]:
        said.append(f"{run.job_id} begins")
        yield
        said.append(f"{run.job_id} ends")

    monkeypatch.setattr(hooks, "_runs", [hook])
    queuekit.propagate("seen", seen)
    claimed = [job(number, "look_twice") for number in (1, 2)]
    claimed = [replace(one, context=dump((), {"seen": one.job_id})) for one in claimed]

    async def perform() -> list[Result]:
        performer = Performer()
        return await asyncio.gather(*(performer.perform_async(one) for one in claimed))

    results = asyncio.run(perform())
    queuekit.stop_propagating("seen")

    assert [result.outcome for result in results] == ["finished", "finished"]
    begin = ["id-1 begins", "id-1", "id-2 begins", "id-2"]
    assert said == [*begin, "id-1", "id-1 ends", "id-2", "id-2 ends"]


def test_whoever_cancels_the_await_has_no_policy_against_it() -> None:
    async def perform() -> None:
        await asyncio.wait_for(double.perform_now(0), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(perform())


# What is async and does not look like it


def undecorated() -> Callable[[], object]:
    async def inner() -> None: ...

    return inner


@queuekit.job
def returns_a_coroutine() -> object:
    return undecorated()()


@queuekit.job
def stops() -> None:
    next(iter(()))


async def generator() -> AsyncIterator[int]:
    yield 1


def test_a_plain_job_that_returns_a_coroutine_fails() -> None:
    result = Performer().perform(job(1, "returns_a_coroutine"))

    assert result is not None
    error = error_of(result)
    assert error.exception_class == "TypeError"
    assert "returned a coroutine, which nobody awaits" in error.message


def test_a_stop_iteration_is_an_error_as_any_other() -> None:
    result = Performer().perform(job(1, "stops"))

    assert result is not None
    assert error_of(result).exception_class == "StopIteration"
    with pytest.raises(StopIteration):
        stops.perform_now()


def test_an_async_generator_is_no_job() -> None:
    with pytest.raises(queuekit.JobDeclarationError, match="it must not yield"):
        queuekit.job(generator)
