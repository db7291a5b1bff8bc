"""What is run."""

from __future__ import annotations

import queuekit
from queuekit import Limit

#: Over how many keys limited jobs are spread, and how many of a key may run at a time.
KEYS = 100
SLOTS = 2


@queuekit.job
def empty(number: int) -> None:
    """Nothing, so that what is measured is the queue."""


@queuekit.job(limits_concurrency=Limit(key=lambda number: f"key {number % KEYS}", to=SLOTS))
def limited(number: int) -> None:
    """The same, under a concurrency limit."""
