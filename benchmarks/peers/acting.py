"""What is done with a library, in its own environment.

`python -m benchmarks.peers.acting MODULE ACT NUMBER` prints as JSON what it finds out.

A module has a task that writes a stamp, and `prepare()`, `enqueue(sent_at)` and, if the library
enqueues many at once, `enqueue_all(sent_ats)`. Nothing of queuekit is imported here.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
from typing import Any

BULK = 1000

_WARM_UP = 20


def prepare(library: Any, _: float) -> None:
    library.prepare()


def fill(library: Any, count: float) -> None:
    """So many jobs, as fast as may be."""
    if not hasattr(library, "enqueue_all"):
        for _ in range(int(count)):
            library.enqueue(time.monotonic())
        return
    left = int(count)
    while left:
        portion = min(left, BULK)
        library.enqueue_all([time.monotonic()] * portion)
        left -= portion


def enqueue(library: Any, seconds: float) -> float:
    """Jobs enqueued per second, one by one."""
    for _ in range(_WARM_UP):
        library.enqueue(time.monotonic())
    count, began = 0, time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        library.enqueue(now)
        count += 1
    return count / (time.monotonic() - began)


def bulk(library: Any, seconds: float) -> float | None:
    """Jobs enqueued per second, by the thousand; None: it cannot."""
    if not hasattr(library, "enqueue_all"):
        return None
    library.enqueue_all([time.monotonic()] * BULK)
    count, began = 0, time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        library.enqueue_all([now] * BULK)
        count += BULK
    return count / (time.monotonic() - began)


def send(library: Any, count: float) -> None:
    """So many jobs at random moments, 0.3 seconds apart on average."""
    for _ in range(int(count)):
        time.sleep(random.uniform(0.24, 0.36))
        library.enqueue(time.monotonic())


ACTS = {"prepare": prepare, "fill": fill, "enqueue": enqueue, "bulk": bulk, "send": send}

if __name__ == "__main__":
    module, act, number = sys.argv[1:]
    print(json.dumps(ACTS[act](importlib.import_module(module), float(number))))
