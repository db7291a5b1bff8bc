"""One thread's place in the pool: the job on it, and its timeout.

A job past its timeout gets JobTimeout raised in its thread, wherever that stands in Python code.
The interpreter delivers it at the next bytecode: code that waits in C, in a socket or a sleep, is
not reached until it returns. Such a job is stuck; only the end of the process ends it.

It is not raised in the midst of logging or an import. Both take locks that all threads share, and
an error between the taking and the `try` would leave one taken for ever, with every thread waiting
that logs. (logging would also swallow it.) The job is told as soon as it is out of there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from queuekit.declaration import Declaration
from queuekit.errors import JobTimeout
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, Result
from queuekit.processes import interruption

#: Seconds until a job that could not be interrupted is looked at again.
_LOOK = 0.01

#: A result; None for an `async def` job, which is for the loop.
Perform = Callable[[ClaimedJob, Callable[[Declaration], object]], Result | None]


class Bench:
    """The job on it, since when, and until when it may be there.

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
