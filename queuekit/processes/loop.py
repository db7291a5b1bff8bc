"""The event loop that runs a worker's `async def` jobs: many at a time, in one thread.

Jobs are tasks in it, each with a context of its own. What they start and do not await is theirs
alone, and nobody waits for it.

A job past its timeout is cancelled, and its CancelledError becomes JobTimeout, as asyncio.timeout
has it. The clock is the worker's main thread's: a job that blocks the loop keeps the loop from
looking at it. Such a job is stuck, as one is that does not end when cancelled; the end of the
process ends it, and puts back what else it held up.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from queuekit import events, logs
from queuekit.declaration import Declaration
from queuekit.errors import JobTimeout
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import Result
from queuekit.performing import Until, Watch

#: A loop that comes round within so many seconds is busy, not blocked.
_PATIENCE = 1.0

PerformAsync = Callable[[ClaimedJob, Watch, Until], Coroutine[Any, Any, Result]]


class Loop:
    """What a bench is for a job in a thread, for all jobs of one event loop. It begins when made.

    1. Runs each posted job as a task, and hands its result to `ended`, in the loop's thread.
    2. Interrupts the jobs that are past their timeouts.
    3. Knows the stuck ones, and what they hold up when the loop itself does not come round.
    4. `close` cancels what still runs: nobody waits for it any more.

    `perform` must not raise; `began` is called with each job before it. `leave` runs in the thread
    when it ends; `died` is called with what ended it, where that was an error.
    """

    def __init__(
        self,
        perform: PerformAsync,
        *,
        began: Callable[[ClaimedJob], object],
        ended: Callable[[Result], object],
        leave: Callable[[], object],
        died: Callable[[BaseException], object],
    ) -> None:
        self._perform = perform
        self._began = began
        self._ended = ended
        self._leave = leave
        self._died = died
        self._lock = threading.Lock()
        self._seats: dict[int, _Seat] = {}
        self._closing = False
        self._asked_at: float | None = None
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="queuekit-loop", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread has not ended. Once closed, that is while a job in it still runs."""
        return self._thread.is_alive()

    def post(self, job: ClaimedJob) -> None:
        """Have a job run. From any thread; once closed, nothing begins any more."""
        with self._lock:
            if not self._closing:
                seat = self._seats[job.row_id] = _Seat(job)
                self._call(self._begin, seat)

    def interrupt_overdue(self) -> list[tuple[ClaimedJob, float]]:
        """Cancel the jobs that are past their timeouts; each once. Returns them with their
        timeouts, in seconds."""
        now = time.monotonic()
        overdue = [seat for seat in self._seated() if seat.is_overdue(now)]
        for seat in overdue:
            seat.interrupted_at = now
            self._call(seat.cancel)
        return [(seat.job, seat.timeout) for seat in overdue]

    def stuck(self, grace: float) -> list[tuple[ClaimedJob, float]]:
        """The jobs that were interrupted more than `grace` seconds ago and still run."""
        now = time.monotonic()
        return [(seat.job, seat.timeout) for seat in self._seated() if seat.is_stuck(now, grace)]

    def next_deadline(self, grace: float) -> float | None:
        """When to look at the timeouts next, by time.monotonic()."""
        deadlines = (seat.next_deadline(grace) for seat in self._seated())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def held_up(self, grace: float) -> frozenset[int]:
        """The row ids of all jobs here when one of them is stuck and the loop has not come round
        for `grace` seconds. To be asked again and again: it asks the loop, and waits."""
        now = time.monotonic()
        if not any(seat.is_stuck(now, grace) for seat in self._seated()):
            return frozenset()
        if self._asked_at is None:
            self._asked_at = now
            self._call(self._come_round)
        elif now - self._asked_at >= max(grace, _PATIENCE):
            with self._lock:
                return frozenset(self._seats)
        return frozenset()

    def close(self) -> None:
        with self._lock:
            if not self._closing:
                self._closing = True
                self._call(self._release_all)

    # From other threads

    def _seated(self) -> list[_Seat]:
        with self._lock:
            return list(self._seats.values())

    def _call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have it called in the loop, in a context that carries nothing of the calling thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments, context=contextvars.Context())

    # In the loop's thread

    def _run(self) -> None:
        logs.set_thread_kind("Worker")
        try:
            asyncio.set_event_loop(self._loop)
            while not (self._closing and not self._seats):
                self._run_until_stopped()
            self._loop.run_until_complete(self._end_tasks())
            self._leave()
            self._loop.close()
        except BaseException as error:
            self._died(error)

    def _run_until_stopped(self) -> None:
        """A task that a job has started may raise SystemExit or KeyboardInterrupt, which asyncio
        lets through: the loop is not theirs to end."""
        try:
            self._loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            events.emit(events.ErrorOccurred(where="a task that a job has started", error=error))

    async def _end_tasks(self) -> None:
        """What jobs have started and left running gets a moment to tidy up."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    def _begin(self, seat: _Seat) -> None:
        seat.task = self._loop.create_task(self._attend(seat), name=seat.job.job_id)

    async def _attend(self, seat: _Seat) -> None:
        try:
            result = None if self._closing else await self._run_job(seat)
            self._free(seat)
            if result is not None and not seat.is_released:
                self._ended(result)
        except BaseException as error:
            self._died(error)

    async def _run_job(self, seat: _Seat) -> Result:
        self._began(seat.job)
        result = await self._perform(seat.job, seat.watch, seat.until)
        if os.getpid() != self._pid:
            os._exit(0)  # the job has forked, and its child came back: that is no worker
        return result

    def _free(self, seat: _Seat) -> None:
        with self._lock:
            del self._seats[seat.job.row_id]
            if self._closing and not self._seats:
                self._stop()

    def _release_all(self) -> None:
        for seat in self._seated():
            seat.release()
        with self._lock:
            if not self._seats:
                self._stop()

    def _stop(self) -> None:
        """When everything that is on its way has been called."""
        self._loop.call_soon(self._loop.stop)

    def _come_round(self) -> None:
        self._asked_at = None


class _Seat:
    """One job in the loop: its task, its timeout, and whether it was interrupted."""

    def __init__(self, job: ClaimedJob) -> None:
        self.job = job
        self.task: asyncio.Task[None] | None = None
        self.timeout = 0.0
        self.deadline: float | None = None
        self.interrupted_at: float | None = None
        self.is_released = False
        self._is_cancelled = False
        self._is_awaited = False

    def watch(self, declaration: Declaration) -> None:
        if declaration.timeout is not None:
            self.timeout = declaration.timeout
            self.deadline = time.monotonic() + declaration.timeout

    async def until(self, awaitable: Awaitable[Any]) -> Any:
        """Await the job's own code. When it ends by our cancelling it, that is JobTimeout, raised
        where the job stood."""
        self._is_awaited = True
        try:
            return await awaitable
        except asyncio.CancelledError as error:
            if not self._is_cancelled:
                raise
            raise JobTimeout().with_traceback(error.__traceback__) from None
        finally:
            self._is_awaited = False
            if self._is_cancelled and self.task is not None:
                self.task.uncancel()

    def cancel(self) -> None:
        """In the loop's thread. A job whose own code has ended meanwhile is left alone."""
        if self.task is not None and self._is_awaited:
            self._is_cancelled = True
            self.task.cancel()

    def release(self) -> None:
        """In the loop's thread. The job is given up: whatever comes of it counts no more."""
        if self.task is not None and self._is_awaited:
            self.is_released = True
            self.task.cancel()

    def is_overdue(self, now: float) -> bool:
        return self.interrupted_at is None and self.deadline is not None and now >= self.deadline

    def is_stuck(self, now: float, grace: float) -> bool:
        return self.interrupted_at is not None and now >= self.interrupted_at + grace

    def next_deadline(self, grace: float) -> float | None:
        since = self.interrupted_at
        return self.deadline if since is None else since + grace
