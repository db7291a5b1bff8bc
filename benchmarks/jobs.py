"""What is run."""

from __future__ import annotations

import queuekit


@queuekit.job
def empty(number: int) -> None:
    """Nothing, so that what is measured is the queue."""
