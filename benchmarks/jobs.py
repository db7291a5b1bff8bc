"""What is run."""

from __future__ import annotations

import time

import queuekit
from benchmarks import stamps
from queuekit import Limit

#: Over how many keys limited jobs are spread, and how many of a key may run at a time.
KEYS = 100
SLOTS = 2

#: About a millisecond's worth of additions.
_ADDITIONS = 20_000


@queuekit.job
def empty(number: int) -> None:
    """Nothing, so that what is measured is the queue."""


@queuekit.job
def waiting_1_ms(number: int) -> None:
    """A query to a database nearby, as the worker sees it."""
    time.sleep(0.001)


@queuekit.job
def waiting_10_ms(number: int) -> None:
    """A call of a service."""
    time.sleep(0.010)


@queuekit.job
def computing(number: int) -> None:
    """A millisecond or so of Python, which the other threads of the process have to wait for."""
    total = 0
    for addend in range(_ADDITIONS):
        total += addend


@queuekit.job(limits_concurrency=Limit(key=lambda number: f"key {number % KEYS}", to=SLOTS))
def limited(number: int) -> None:
    """The same as empty, under a concurrency limit."""


@queuekit.job
def stamped(sent_at: float) -> None:
    """Tells when it began."""
    stamps.mark(sent_at)
