"""The threads that run user code. They touch no connection of the queue: claimed jobs reach them
through one queue in memory, and their results leave through another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import Result


class Pool:
    """A fixed number of threads.

    1. Runs each posted job, in the order they were posted, on whichever thread is free.
    2. Keeps the results until they are gathered, and calls `wake` when one comes.
    3. Knows how many more jobs it could run at once.

    `perform` must not raise. `leave` runs in each thread when it ends.
    """

    def __init__(
        self,
        size: int,
        perform: Callable[[ClaimedJob], Result],
        wake: Callable[[], object],
        leave: Callable[[], object],
    ) -> None:
        self.size = size
        self._perform = perform
        self._wake = wake
        self._leave = leave
        self._posted: SimpleQueue[ClaimedJob | None] = SimpleQueue()
        self._results: deque[Result] = deque()
        self._in_flight: dict[int, ClaimedJob] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"queuekit-{number}", daemon=True)
            for number in range(1, size + 1)
        ]

    def start(self) -> None:
        """Start the threads. They keep this moment's signal mask and hand it on to every program
        that a job starts, so no signal may be held back any more."""
        for thread in self._threads:
            thread.start()

    @property
    def free(self) -> int:
        """How many threads have nothing to do, as far as is known from the gathered results."""
        return self.size - len(self._in_flight)

    @property
    def in_flight(self) -> frozenset[int]:
        """The row ids of the jobs posted whose results were not gathered yet."""
        return frozenset(self._in_flight)

    def post(self, job: ClaimedJob) -> None:
        self._in_flight[job.row_id] = job
        self._posted.put(job)

    def gather(self) -> list[tuple[ClaimedJob, Result]]:
        """The jobs that have ended since the last call, with their results."""
        gathered = []
        while self._results:
            result = self._results.popleft()
            gathered.append((self._in_flight.pop(result.row_id), result))
        return gathered

    def close(self) -> None:
        """Let the threads end, each after the job it runs. Does not wait for them."""
        for _ in self._threads:
            self._posted.put(None)

    def _run(self) -> None:
        try:
            while (job := self._posted.get()) is not None:
                self._results.append(self._perform(job))
                self._wake()
        finally:
            self._leave()
