"""What it costs that there is much: jobs that wait in many queues, and jobs that have finished.

Beside each stands the same without it, in the place of the bare statements, so that the ratio is
what the rows cost. A table of so many rows takes its time to be filled; the draining itself is as
short as any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import queuekit
from benchmarks import filling, jobs
from benchmarks.databases import Target
from benchmarks.drain import rate_of, rate_of_workers
from benchmarks.enqueue import enqueueing_to
from benchmarks.report import Sample
from benchmarks.running import configuration
from queuekit.binding import BoundJob
from queuekit.database import open_database

QUEUES = 50
PAUSED = 2
_NAME = "backlog_{:02}"

#: Drained of them, on any database.
_JOBS = 5_000
_SECONDS = 2.0

_PORTION = 5_000


def deep(target: Target, rows: float) -> list[Sample]:
    """So many ready jobs in 50 queues, two of them paused, for workers that name them by a
    wildcard; beside it the same with no more than are drained."""
    deep, shallow = (_rate_of_queues(target, count) for count in (int(rows), _JOBS))
    return [Sample(deep, shallow)]


def history(target: Target, rows: float) -> list[Sample]:
    """Beside so many finished jobs, and beside none."""
    with target.fresh() as url, target.bare(url) as bare:
        database = open_database(url)
        filling.finished(database, 1, _in_thousands(rows))
        filling.analyze(database)
        database.disconnect()
        after = bare.newest()
        with enqueueing_to(url):
            queuekit.enqueue_all(jobs.empty.bind(number) for number in range(_JOBS))
        rate = rate_of_workers(url, bare, _JOBS, configuration(), _SECONDS, after)
    return [Sample(rate, rate_of(target, jobs.empty, _JOBS, configuration(), _SECONDS))]


def _rate_of_queues(target: Target, rows: int) -> float:
    with target.fresh() as url, target.bare(url) as bare:
        with enqueueing_to(url):
            _fill(rows)
            for number in range(PAUSED):
                queuekit.queues.pause(_NAME.format(number))
        text = configuration(queues=_NAME.format(0)[:-2] + "*")
        return rate_of_workers(url, bare, _JOBS * (QUEUES - PAUSED) // QUEUES, text, _SECONDS)


def _fill(rows: int) -> None:
    bound = _in_turn(rows)
    while portion := list(itertools.islice(bound, _PORTION)):
        queuekit.enqueue_all(portion)


def _in_turn(rows: int) -> Iterator[BoundJob]:
    """One job for each queue after the other."""
    queues = [jobs.empty.using(queue=_NAME.format(number)) for number in range(QUEUES)]
    for number, queue in zip(range(rows), itertools.cycle(queues), strict=False):
        yield queue.bind(number)


def _in_thousands(rows: float) -> int:
    return math.ceil(rows / 1000) * 1000
