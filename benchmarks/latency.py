"""How long a job waits: from the call of `enqueue` to its first line, or from when it is due.

Jobs come one by one and at random moments, to 2 processes of 5 threads, which have been up for a
while. What counts is on the clock of this machine, the time that `enqueue` itself takes included.

Beside it the same by the bare statements: a job is inserted and claimed on one connection, with
nobody to be woken in between. It is what a wait could be at best.
"""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import queuekit
from benchmarks import jobs, stamps
from benchmarks.databases import Target
from benchmarks.enqueue import ascending_ids, enqueueing_to
from benchmarks.report import Sample
from benchmarks.running import BenchmarkError, bin_jobs, configuration, wait_until_registered
from benchmarks.stamps import Stamps

_PERCENTILES = (50, 99)

#: Seconds between two jobs, on average: so that a worker is idle, and so that it has been for long.
_SOON = 0.3
_LATE = 6.0

#: Scheduled jobs are due after these seconds, and then so far apart.
_AHEAD = 2.0
_APART = 0.03

#: Jobs of 10 ms that keep half of the 10 threads busy: so many at once, so many seconds apart.
_CROWD = 20
_CROWD_APART = 0.04

_WARM_UP = 20
_BARE_JOBS = 200

#: Seconds after which what has not begun will not any more.
_PATIENCE = 60.0


def idle(target: Target, seconds: float) -> list[Sample]:
    """Of workers that have nothing else to do, and had something a moment ago."""
    return _measured(target, lambda: _send(seconds, _SOON))


def rested(target: Target, seconds: float) -> list[Sample]:
    """Of workers that have had nothing to do for seconds."""
    return _measured(target, lambda: _send(seconds, _LATE))


def busy(target: Target, seconds: float) -> list[Sample]:
    """Of workers half of whose threads have something to do."""

    def send() -> int:
        with _crowd():
            return _send(seconds, _SOON)

    return _measured(target, send)


def punctuality(target: Target, seconds: float) -> list[Sample]:
    """How late a scheduled job is."""

    def send() -> int:
        count = max(int(seconds / _APART), 1)
        for number in range(count):
            wait = _AHEAD + number * _APART
            jobs.stamped.using(wait=wait).enqueue(time.monotonic() + wait)
        return count

    return _measured(target, send)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent are not above (nearest rank)."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


def _measured(target: Target, send: Callable[[], int]) -> list[Sample]:
    """The percentiles of the jobs that are sent, in milliseconds."""
    with target.fresh() as url, enqueueing_to(url):
        bare = _bare(target, url)
        with _workers(url) as (written, supervisor):
            count = _WARM_UP + send()
            _wait_for(count, written, supervisor)
            waits = [stamp.milliseconds for stamp in written.read()[_WARM_UP:]]
    return [
        Sample(percentile(waits, percent), percentile(bare, percent), f"p{percent}")
        for percent in _PERCENTILES
    ]


@contextmanager
def _workers(url: str) -> Iterator[tuple[Stamps, subprocess.Popen[bytes]]]:
    """Workers that have run jobs before."""
    with (
        stamps.new_file() as written,
        bin_jobs(url, configuration(), written.environment) as supervisor,
    ):
        wait_until_registered(url, 4, supervisor)
        for _ in range(_WARM_UP):
            jobs.stamped.enqueue(time.monotonic())
        _wait_for(_WARM_UP, written, supervisor)
        yield written, supervisor


def _send(seconds: float, apart: float) -> int:
    """Jobs at random moments; how many there were."""
    count = max(int(seconds / apart), 1)
    for _ in range(count):
        time.sleep(apart * random.uniform(0.8, 1.2))
        jobs.stamped.enqueue(time.monotonic())
    return count


@contextmanager
def _crowd() -> Iterator[None]:
    """Other jobs, for as long as the block lasts."""
    over = threading.Event()

    def crowd() -> None:
        while not over.wait(_CROWD_APART):
            queuekit.enqueue_all(jobs.waiting_10_ms.bind(number) for number in range(_CROWD))

    thread = threading.Thread(target=crowd)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait_for(count: int, written: Stamps, supervisor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while len(written) < count:
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError(f"{len(written):,} of {count:,} jobs began, and no more")
        time.sleep(0.05)


def _bare(target: Target, url: str) -> list[float]:
    """Milliseconds of inserting and claiming a job. The next turn finishes it."""
    waits: list[float] = []
    claimed: list[int] = []
    with target.bare(url) as bare:
        for uuid in itertools.islice(ascending_ids(), _WARM_UP + _BARE_JOBS):
            began = time.perf_counter()
            bare.insert(uuid)
            claimed = bare.turn(claimed, 1)
            waits.append((time.perf_counter() - began) * 1000)
        bare.turn(claimed, 1)
    return waits[_WARM_UP:]
