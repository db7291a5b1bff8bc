"""Running jobs: enqueued first, then drained by `bin/jobs start` with a configuration as `install`
writes it, but for 2 processes of 5 threads.

Beside it the turn's statements alone, through queuekit's own database layer: one connection that
settles and claims 10 jobs a turn, with nothing around it that would run them. That is not a bound,
since two processes work at once, but it moves with the machine in the same way.

Jobs with a concurrency limit are drained in the same way, and beside them as many without one.
"""

from __future__ import annotations

import subprocess
import time

import queuekit
from benchmarks import jobs
from benchmarks.databases import Target
from benchmarks.report import Sample
from benchmarks.running import BenchmarkError, bin_jobs
from queuekit import application
from queuekit.database import Database, open_database
from queuekit.executions import turn
from queuekit.job import FunctionJob
from queuekit.processes.registration import Registration

CONFIGURATION = """\
dispatchers:
  - polling_interval: 1
    batch_size: 500
workers:
  - queues: "*"
    threads: 5
    processes: 2
    polling_interval: 0.1
"""

_TURN = 10

#: Seconds without a single job done after which a run is given up.
_PATIENCE = 60.0


def drained(target: Target, count: int) -> Sample:
    """Beside the turn's statements alone."""
    return Sample(_rate(target, jobs.empty, count), _turns_alone(target, count))


def limited(target: Target, count: int) -> Sample:
    """Jobs under a concurrency limit, nearly all of them blocked, beside jobs without one."""
    return Sample(_rate(target, jobs.limited, count), _rate(target, jobs.empty, count))


def _rate(target: Target, job: FunctionJob[[int], None], count: int) -> float:
    """Jobs per second from the first batch finished to the last, by the database's own clock."""
    with target.fresh() as url:
        _fill(url, job, count)
        with bin_jobs(url, CONFIGURATION) as supervisor:
            _wait_until_drained(url, count, supervisor)
        with target.bare(url) as bare:
            finished, seconds = bare.drained()
    return finished / seconds


def _fill(url: str, job: FunctionJob[[int], None], count: int) -> None:
    queuekit.configure(database_url=url)
    queuekit.enqueue_all(job.bind(number) for number in range(count))
    application.database().disconnect()


def _wait_until_drained(url: str, count: int, supervisor: subprocess.Popen[bytes]) -> None:
    database = open_database(url)
    try:
        done, deadline = 0, time.monotonic() + _PATIENCE
        while done < count:
            time.sleep(0.2)
            before, done = done, _finished(database)
            if done > before:
                deadline = time.monotonic() + _PATIENCE
            if supervisor.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{done:,} of {count:,} jobs were drained, and no more")
    finally:
        database.disconnect()


def _finished(database: Database) -> int:
    """How many jobs have finished."""
    states = {row[0]: int(row[2]) for row in database.query("jobs.counts")}
    if states["failed"]:
        raise BenchmarkError(f"{states['failed']:,} jobs failed")
    return states["finished"]


def _turns_alone(target: Target, count: int) -> float:
    with target.fresh() as url:
        _fill(url, jobs.empty, count)
        database = open_database(url)
        process_id = Registration(database, "Worker", {}).id
        results: list[turn.Result] = []
        settled = 0
        began = time.perf_counter()
        while settled < count:
            taken = turn.take(
                database, process_id, results, queue=None, limit=_TURN, preserve_finished=True
            )
            settled += len(taken.settled)
            results = [turn.Result(job.row_id, turn.FINISHED) for job in taken.claimed]
        seconds = time.perf_counter() - began
        database.disconnect()
    return count / seconds
