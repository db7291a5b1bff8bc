"""The threads that run user code. They touch no connection of the queue: claimed jobs reach them
through one queue in memory, and their results leave through another.

An `async def` job goes to the event loop. Where its module has yet to be imported to tell, that is
done on a thread, which then hands it over and is free again: the main thread waits for no import.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from queuekit import logs
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import Result
from queuekit.processes.bench import Bench, Perform
from queuekit.processes.lease import Lease
from queuekit.processes.prefetch import MOST_SECONDS, Prefetch
from queuekit.processes.waiting import WaitingJobs

if TYPE_CHECKING:
    from queuekit.processes.loop import Loop, PerformAsync

#: Seconds between two looks whether others know this process to be alive again.
_LOOK = 0.05


class Pool:
    """A fixed number of threads, and an event loop with room for `async_concurrency` jobs.

    1. Runs each posted job, in the order they were posted, on whichever thread is free; those that
       are `async def` all at once, in the loop.
    2. Keeps the results until they are gathered, and calls `wake` when one comes; but not while it
       is well stocked: then a turn for a few results would come sooner than it is needed.
    3. Knows how many more jobs it could run at once, and how many more it will soon have use for:
       at the most `prefetch_limit` with those that run.
    4. Gives back jobs that have waited for a thread for too long.
    5. Interrupts jobs that are past their timeouts.
    6. Begins none while the `lease` has run out.

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
        prefetch_limit: int = 0,
        lease: Lease | None = None,
    ) -> None:
        self.size = size
        self.error: BaseException | None = None
        self._wake = wake
        self._leave = leave
        self._waiting = WaitingJobs()
        self._prefetch = Prefetch(size, prefetch_limit)
        self._results: deque[Result] = deque()
        self._has_woken = False
        self._low = 0
        self._in_flight: dict[int, ClaimedJob] = {}
        self._pid = 0
        self._lease = lease or Lease(0.0)
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
        self._benches = [Bench(perform, began, self._note_thread_job) for _ in range(size)]
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
    def room_ahead(self) -> int:
        """How many more jobs could begin now or within a turn."""
        return min(self.free + self._prefetch.ahead, self._room_in_loop)

    def note_turn(self, seconds: float) -> None:
        """A turn has taken so long: what to have waiting is measured by it."""
        self._prefetch.note_turn(seconds)

    @property
    def is_stocked(self) -> bool:
        """Whether so many jobs wait that no result wakes: to be looked at again soon."""
        return len(self._waiting) > self._low

    @property
    def looks_itself(self) -> bool:
        """Whether there may be results that nobody was woken for: also those that came while it was
        stocked. In this order: what comes after the first answer wakes."""
        return self.is_stocked or bool(self._results)

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._waiting)

    @property
    def waits_until(self) -> float | None:
        """Until when the first of those that wait for a thread may do so, by time.monotonic()."""
        since = self._waiting.since
        return None if since is None else since + MOST_SECONDS

    @property
    def _room_in_loop(self) -> int:
        return self._async_concurrency - len(self._in_loop) - len(self._of_unknown_kind)

    @property
    def in_flight(self) -> frozenset[int]:
        """The row ids of the jobs posted whose results were not gathered yet."""
        return frozenset(self._in_flight)

    def post(self, *jobs: ClaimedJob) -> None:
        for_threads = []
        for job in jobs:
            self._in_flight[job.row_id] = job
            is_async = self._is_async(job)
            if is_async:
                self._hand_over(job)
            else:
                if is_async is None:
                    self._of_unknown_kind.add(job.row_id)
                for_threads.append(job)
        if for_threads:
            self._low = self._prefetch.low
            self._waiting.put(for_threads)

    def take_back(self) -> list[ClaimedJob]:
        """Take back all that there is no thread for: they have not begun, and will not. A free
        thread may not have come to fetch its job yet."""
        waiting = self._waiting.take_back()
        begins = 0 if self._waiting.is_closed else max(self.free + len(waiting), 0)
        self._waiting.put(waiting[:begins])
        jobs = waiting[begins:]
        for job in jobs:
            del self._in_flight[job.row_id]
            self._of_unknown_kind.discard(job.row_id)
        return jobs

    def take_back_late(self) -> list[ClaimedJob]:
        """The same, when the first of them has been waiting for too long: what came after it would
        wait for longer."""
        until = self.waits_until
        if until is None or time.monotonic() < until:
            return []
        self.note_late()
        return self.take_back()

    def note_late(self) -> None:
        """Jobs have waited for threads for too long: those that run are long."""
        self._prefetch.note_jobs(self.size, self.size * MOST_SECONDS)

    def gather(self) -> list[tuple[ClaimedJob, Result]]:
        """The jobs that have ended since the last call, with their results."""
        self._has_woken = False  # before looking: see _end
        gathered = []
        in_threads, seconds = 0, 0.0
        while self._results:
            result = self._results.popleft()
            if result.row_id in self._in_loop:
                self._in_loop.discard(result.row_id)
            else:
                in_threads += 1
                seconds += result.duration
            gathered.append((self._in_flight.pop(result.row_id), result))
        if in_threads:
            self._prefetch.note_jobs(in_threads, seconds)
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
        """Let the threads end, each after the job it runs; no other begins: those that wait are to
        be taken back. What is in the loop is cancelled. Does not wait. From any thread."""
        self._waiting.close(len(self._threads))
        with self._loop_lock:
            self._is_closed = True
            if self._loop is not None:
                self._loop.close()

    def _run(self, bench: Bench) -> None:
        logs.set_thread_kind("Worker")
        try:
            while (job := self._waiting.get()) is not None:
                if self._lease.is_valid or self._has_leave_again():
                    self._run_on(bench, job)
            self._leave()
        except BaseException as error:
            self._die(error)

    def _has_leave_again(self) -> bool:
        """Wait until the lease is renewed. False when the pool was closed before."""
        while not self._is_closed:
            if self._lease.is_valid:
                return True
            time.sleep(_LOOK)
        return False

    def _run_on(self, bench: Bench, job: ClaimedJob) -> None:
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
        """Wake the main thread once for all that end until it looks. It forgets that it was woken
        before it looks, and this is asked after the result is there: so none is overlooked. While
        it is not woken for the stock's sake, it looks by itself."""
        self._of_unknown_kind.discard(result.row_id)
        self._results.append(result)
        if not self._has_woken and len(self._waiting) <= self._low:
            self._has_woken = True
            self._wake()

    def _die(self, error: BaseException) -> None:
        self.error = error
        self._wake()
