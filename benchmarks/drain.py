"""Running jobs: enqueued first, then drained by `bin/jobs start` with a configuration as `install`
writes it, but for the numbers of processes and threads.

Beside it the bare turns alone: one connection that finishes and claims 10 jobs a turn, with nothing
around it that would run them. That is not a bound, since several processes work at once and their
turns may be larger, but it moves with the machine in the same way.

Jobs with a concurrency limit are drained in the same way, and beside them as many without one.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

import queuekit
from benchmarks import jobs
from benchmarks.bare import Bare
from benchmarks.databases import Target
from benchmarks.enqueue import enqueueing_to
from benchmarks.report import Sample
from benchmarks.running import BenchmarkError, bin_jobs, configuration
from queuekit.job import FunctionJob

EmptyJob = FunctionJob[[int], None]

#: Jobs a second that no machine of today will drain. What is enqueued for some seconds of draining
#: are as many, or fewer where jobs take time: those that fit into the threads.
_FASTEST = {"sqlite": 15_000, "postgresql": 15_000, "mariadb": 5_000, "mysql": 5_000}

#: A run that is not done after so many times the seconds it was made for ends with what it has.
_SLOWNESS = 4

_TURN = 10

#: Seconds without a single job done after which a run is given up.
_PATIENCE = 60.0


def drained(
    processes: int,
    threads: int,
    job: EmptyJob = jobs.empty,
    takes: float = 0.0,
    *,
    ahead: bool = True,
) -> Callable[[Target, float], Sequence[Sample]]:
    """So many processes and threads, with jobs of which each takes some seconds of its thread."""
    text = configuration(processes, threads, ahead=ahead)

    def run(target: Target, seconds: float) -> Sequence[Sample]:
        count = int(_FASTEST[target.product] * seconds)
        if takes:
            count = min(count, int(processes * threads / takes * seconds))
        rate = rate_of(target, job, count, text, seconds)
        return [Sample(rate, _bare_turns(target, seconds / _SLOWNESS))]

    return run


def limited(target: Target, seconds: float) -> list[Sample]:
    """Jobs under a concurrency limit, nearly all of them blocked, beside jobs without one."""
    count = int(_FASTEST[target.product] * seconds)
    rate, bare = (
        rate_of(target, job, count, configuration(), seconds) for job in (jobs.limited, jobs.empty)
    )
    return [Sample(rate, bare)]


def rate_of(target: Target, job: EmptyJob, count: int, configuration: str, seconds: float) -> float:
    """Jobs per second, of an empty database's that is filled with so many of them."""
    with target.fresh() as url, target.bare(url) as bare:
        with enqueueing_to(url):
            queuekit.enqueue_all(job.bind(number) for number in range(count))
        return rate_of_workers(url, bare, count, configuration, seconds)


def rate_of_workers(
    url: str, bare: Bare, count: int, configuration: str, seconds: float, after: int = 0
) -> float:
    """Jobs per second from the first batch finished to the last, by the database's own clock, of
    the jobs with an id after that one."""
    with bin_jobs(url, configuration) as supervisor:
        _wait_until_drained(bare, count, supervisor, seconds * _SLOWNESS, after)
    if failed := bare.failed():
        raise BenchmarkError(f"{failed:,} jobs failed")
    finished, passed = bare.drained(after)
    if not passed:
        raise BenchmarkError(f"{count:,} jobs finished at once: too few to tell a rate")
    return finished / passed


def _wait_until_drained(
    bare: Bare, count: int, supervisor: subprocess.Popen[bytes], seconds: float, after: int
) -> None:
    """Until so many are done, or many have been for so many seconds."""
    done, began = 0, 0.0
    deadline = time.monotonic() + _PATIENCE
    while done < count and not (began and time.monotonic() > began + seconds):
        time.sleep(0.1)
        before, done = done, bare.finished(after)
        if done > before:
            deadline = time.monotonic() + _PATIENCE
            began = began or time.monotonic()
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError(f"{done:,} of {count:,} jobs were drained, and no more")


def _bare_turns(target: Target, seconds: float) -> float:
    """Jobs per second of the bare turns."""
    with target.fresh() as url, target.bare(url) as bare:
        with enqueueing_to(url):
            count = int(_FASTEST[target.product] * seconds * _SLOWNESS)
            queuekit.enqueue_all(jobs.empty.bind(number) for number in range(count))
        settled, claimed = 0, bare.turn([], _TURN)
        began = time.perf_counter()
        while claimed and time.perf_counter() < began + seconds:
            settled += len(claimed)
            claimed = bare.turn(claimed, _TURN)
        return settled / (time.perf_counter() - began)
