"""Enqueueing against the bare INSERTs: short stretches of one and the other, in turn."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import queuekit
from benchmarks import jobs
from benchmarks.databases import Target
from benchmarks.report import Sample
from queuekit import application

BULK = 1000

#: A measurement is so many stretches of each: short ones, so that both see the same machine.
_STRETCHES = 4

#: Operations before the clock runs: drivers prepare a statement when they have seen it a few times.
_WARM_UP = 10


def one_by_one(target: Target, seconds: float) -> list[Sample]:
    """`enqueue`: a transaction for each job."""
    numbers, ids = itertools.count(), ascending_ids()
    with target.fresh() as url, target.bare(url) as bare, enqueueing_to(url):
        rate, bare_rate = _rates(
            lambda: jobs.empty.enqueue(next(numbers)),
            lambda: bare.insert(next(ids)),
            seconds,
        )
    return [Sample(rate, bare_rate)]


def in_bulk(target: Target, seconds: float) -> list[Sample]:
    """`enqueue_all`: a transaction for 1,000 jobs."""
    ids = ascending_ids()
    with target.fresh() as url, target.bare(url) as bare, enqueueing_to(url):
        rate, bare_rate = _rates(
            lambda: queuekit.enqueue_all([jobs.empty.bind(number) for number in range(BULK)]),
            lambda: bare.insert_many(list(itertools.islice(ids, BULK))),
            seconds,
        )
    return [Sample(rate * BULK, bare_rate * BULK)]


@contextmanager
def enqueueing_to(url: str) -> Iterator[None]:
    """A block in which this process enqueues to that database."""
    queuekit.configure(database_url=url)
    try:
        yield
    finally:
        application.database().disconnect()


def ascending_ids() -> Iterator[str]:
    """Ids that cost next to nothing and, like queuekit's own, come in ascending order."""
    return (f"00000000-0000-7000-8000-{number:012x}" for number in itertools.count())


def _rates(
    ours: Callable[[], object], bare: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """Operations per second of both, each run for so many seconds altogether."""
    for _ in range(_WARM_UP):
        ours()
        bare()
    counts = {ours: 0, bare: 0}
    spent = {ours: 0.0, bare: 0.0}
    for stretch in range(_STRETCHES):
        for operation in (ours, bare) if stretch % 2 else (bare, ours):
            began = time.perf_counter()
            counts[operation] += _repeat(operation, until=began + seconds / _STRETCHES)
            spent[operation] += time.perf_counter() - began
    return counts[ours] / spent[ours], counts[bare] / spent[bare]


def _repeat(operation: Callable[[], object], until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        operation()
        count += 1
    return count
