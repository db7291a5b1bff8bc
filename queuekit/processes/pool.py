"""The threads that run user code. They touch no connection of the queue: claimed jobs reach them
through one queue in memory, and their results leave through another.

An `async def` job goes to the event loop. Where its module has yet to be imported to tell, that is
done on a thread, which then hands it over and is free again: the main thread waits for no import.

A job past its timeout gets JobTimeout raised in its thread, wherever that stands in Python code.
The interpreter delivers it at the next bytecode: code that waits in C, in a socket or a sleep, is
not reached until it returns. Such a job is stuck; only the end of the process ends it.

It is not raised in the midst of logging or an import. Both take locks that all threads share, and
an error between the taking and the `try` would leave one taken for ever, with every thread waiting
that logs. (logging would also swallow it.) The job is told as soon as it is out of there.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from queuekit import logs
from queuekit.declaration import Declaration
from queuekit.errors import JobTimeout
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, Result
from queuekit.processes import interruption

if TYPE_CHECKING:
    from queuekit.processes.loop import Loop, PerformAsync

#: Seconds until a job that could not be interrupted is looked at again.
_LOOK = 0.01

#: A result; None for an `async def` job, which is for the loop.
Perform = Callable[[ClaimedJob, Callable[[Declaration], object]], Result | None]


class Pool:
    """A fixed number of threads, and an event loop with room for `async_concurrency` jobs.

    1. Runs each posted job, in the order they were posted, on whichever thread is free; those that
       are `async def` all at once, in the loop.
    2. Keeps the results until they are gathered, and calls `wake` when one comes.
    3. Knows how many more jobs it could run at once.
    4. Interrupts jobs that are past their timeouts.

    `perform` and `perform_async` must not raise; `began` is called with each job before any of the
    user's code runs for it. `is_async` tells what it can without running any, else None. `leave`
    runs in each thread when it ends, and after a job that was interrupted: that may have been in
    the midst of using the thread's connection, which could then hold a lock that nobody frees. A
    thread that ends by an error leaves it in `error`, and wakes.
    """

    def __init__(
        self,
        size: int,
        perform: Perform,
        *,
        began: Callable[[ClaimedJob], object],
        wake: Callable[[], object],
        leave: Callable[[], object],
        perform_async: PerformAsync | None = None,
        is_async: Callable[[ClaimedJob], bool | None] = lambda job: False,
        async_concurrency: int = 1,
    ) -> None:
        self.size = size
        self.error: BaseException | None = None
        self._wake = wake
        self._leave = leave
        self._posted: SimpleQueue[ClaimedJob | None] = SimpleQueue()
        self._results: deque[Result] = deque()
        self._in_flight: dict[int, ClaimedJob] = {}
        self._pid = 0
        self._began = began
        self._perform_async = perform_async
        self._is_async = is_async
        self._async_concurrency = async_concurrency
        # Of those in flight: those whose modules are being imported, and those in the loop.
        self._of_unknown_kind: set[int] = set()
        self._in_loop: set[int] = set()
        self._loop: Loop | None = None
        self._loop_lock = threading.Lock()
        self._is_closed = False
        self._benches = [_Bench(perform, began, self._note_thread_job) for _ in range(size)]
        self._threads = [
            threading.Thread(
                target=self._run, args=(bench,), name=f"queuekit-{number}", daemon=True
            )
            for number, bench in enumerate(self._benches, start=1)
        ]

    def start(self) -> None:
        """Start the threads. They keep this moment's signal mask and hand it on to every program
        that a job starts, so no signal may be held back any more."""
        self._pid = os.getpid()
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether any thread has not ended. Once closed, those are the ones that run a job."""
        if self._loop is not None and self._loop.is_alive:
            return True
        return any(thread.is_alive() for thread in self._threads)

    @property
    def free(self) -> int:
        """How many threads have nothing to do, as far as is known from the gathered results."""
        return self.size - len(self._in_flight) + len(self._in_loop)

    @property
    def room(self) -> int:
        """How many more jobs could begin now, of whatever kind they are."""
        return min(self.free, self._room_in_loop)

    @property
    def _room_in_loop(self) -> int:
        return self._async_concurrency - len(self._in_loop) - len(self._of_unknown_kind)

    @property
    def in_flight(self) -> frozenset[int]:
        """The row ids of the jobs posted whose results were not gathered yet."""
        return frozenset(self._in_flight)

    def post(self, job: ClaimedJob) -> None:
        self._in_flight[job.row_id] = job
        is_async = self._is_async(job)
        if is_async:
            self._hand_over(job)
        else:
            if is_async is None:
                self._of_unknown_kind.add(job.row_id)
            self._posted.put(job)

    def gather(self) -> list[tuple[ClaimedJob, Result]]:
        """The jobs that have ended since the last call, with their results."""
        gathered = []
        while self._results:
            result = self._results.popleft()
            self._in_loop.discard(result.row_id)
            gathered.append((self._in_flight.pop(result.row_id), result))
        return gathered

    def interrupt_overdue(self) -> list[tuple[ClaimedJob, float]]:
        """Raise JobTimeout in the jobs that are past their timeouts; each once. Returns them with
        their timeouts, in seconds."""
        found = [found for bench in self._benches if (found := bench.interrupt()) is not None]
        return found + (self._loop.interrupt_overdue() if self._loop else [])

    def stuck(self, grace: float) -> list[tuple[ClaimedJob, float]]:
        """The jobs that were interrupted more than `grace` seconds ago and still run."""
        found = [found for bench in self._benches if (found := bench.stuck(grace)) is not None]
        return found + (self._loop.stuck(grace) if self._loop else [])

    def held_up(self, grace: float) -> frozenset[int]:
        """The row ids of the jobs that a stuck one keeps from ending, with its own: see Loop."""
        return self._loop.held_up(grace) if self._loop else frozenset()

    def next_deadline(self, grace: float) -> float | None:
        """When to look at the timeouts next, by time.monotonic()."""
        deadlines = [bench.next_deadline(grace) for bench in self._benches]
        if self._loop is not None:
            deadlines.append(self._loop.next_deadline(grace))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def close(self) -> None:
        """Let the threads end, each after the job it runs; no other begins. What is in the loop is
        cancelled. Does not wait."""
        with suppress(Empty):
            while True:
                self._posted.get_nowait()
        for _ in self._threads:
            self._posted.put(None)
        with self._loop_lock:
            self._is_closed = True
            if self._loop is not None:
                self._loop.close()

    def _run(self, bench: _Bench) -> None:
        logs.set_thread_kind("Worker")
        try:
            while (job := self._posted.get()) is not None:
                self._run_on(bench, job)
            self._leave()
        except BaseException as error:
            self._die(error)

    def _run_on(self, bench: _Bench, job: ClaimedJob) -> None:
        result = bench.run(job)
        if os.getpid() != self._pid:
            os._exit(0)  # the job has forked, and its child came back: that is no worker
        if bench.was_interrupted:
            self._leave()
        if result is None:
            self._hand_over(job)
        else:
            self._end(result)

    def _hand_over(self, job: ClaimedJob) -> None:
        self._in_loop.add(job.row_id)
        self._of_unknown_kind.discard(job.row_id)
        with self._loop_lock:
            if self._loop is None and not self._is_closed:
                self._loop = self._make_loop()
            if self._loop is not None:
                self._loop.post(job)
        self._wake()

    def _make_loop(self) -> Loop:
        from queuekit.processes.loop import Loop  # a worker without async jobs needs no asyncio

        assert self._perform_async is not None, "this pool was made for jobs in threads only"
        return Loop(
            self._perform_async,
            began=self._began,
            ended=self._end,
            leave=self._leave,
            died=self._die,
        )

    def _note_thread_job(self, job: ClaimedJob) -> None:
        if job.row_id in self._of_unknown_kind:
            self._of_unknown_kind.discard(job.row_id)
            self._wake()

    def _end(self, result: Result) -> None:
        self._of_unknown_kind.discard(result.row_id)
        self._results.append(result)
        self._wake()

    def _die(self, error: BaseException) -> None:
        self.error = error
        self._wake()


class _Bench:
    """One thread's place: the job on it, since when, and until when it may be there.

    The lock makes the end of a job and its interruption exclude each other: nothing is raised in a
    thread that has gone on to something else.
    """

    def __init__(
        self,
        perform: Perform,
        began: Callable[[ClaimedJob], object],
        found: Callable[[ClaimedJob], object],
    ) -> None:
        self._perform = perform
        self._began = began
        self._found = found
        self._lock = threading.Lock()
        self._thread = 0
        self._job: ClaimedJob | None = None
        self._timeout = 0.0
        self._deadline: float | None = None
        self._interrupted_at: float | None = None
        self._is_told = False
        self._is_stuck = False
        self.was_interrupted = False

    def run(self, job: ClaimedJob) -> Result | None:
        """Run a job in the current thread. Nothing reaches the caller, JobTimeout neither. None for
        a job that turns out to be for the loop."""
        self._thread = threading.get_ident()
        self.was_interrupted = False
        self._began(job)
        self._job = job
        try:
            result = self._perform(job, self._watch)
        except JobTimeout as error:  # it came after the job's last line, before ours
            result = Result(
                job.row_id, FAILED, describe_error(error), concurrency_key=job.concurrency_key
            )
        while True:
            try:
                self._clear()
                return result
            except JobTimeout:
                continue

    def interrupt(self) -> tuple[ClaimedJob, float] | None:
        with self._lock:
            job = self._job
            if job is None or self._deadline is None or self._is_told:
                return None
            now = time.monotonic()
            if now < self._deadline:
                return None
            self._is_told = interruption.interrupt(self._thread, JobTimeout)
            if self._interrupted_at is not None:
                return None
            self._interrupted_at = now
            return job, self._timeout

    def stuck(self, grace: float) -> tuple[ClaimedJob, float] | None:
        job, since = self._job, self._interrupted_at
        if job is None or since is None or time.monotonic() < since + grace:
            return None
        self._is_stuck = True
        return job, self._timeout

    def next_deadline(self, grace: float) -> float | None:
        since = self._interrupted_at
        if since is None:
            return self._deadline
        if self._is_stuck:
            return None  # that is known, and looking again changes nothing
        return since + grace if self._is_told else time.monotonic() + _LOOK

    def _watch(self, declaration: Declaration) -> None:
        assert self._job is not None
        self._found(self._job)
        if declaration.timeout is not None:
            self._timeout = declaration.timeout
            self._deadline = time.monotonic() + declaration.timeout

    def _clear(self) -> None:
        with self._lock:
            if self._interrupted_at is not None:
                self.was_interrupted = True
                interruption.take_back(self._thread)  # what was not delivered yet
            self._job = self._deadline = self._interrupted_at = None
            self._is_told = self._is_stuck = False
