"""What an idle worker asks, again and again: whether anything is ready. On an empty queue, by one
connection, as fast as it can, so that it can be told how many idle workers a database bears."""

from __future__ import annotations

import time

from benchmarks.databases import Target
from benchmarks.report import Sample
from queuekit.database import open_database
from queuekit.executions import ready

_WARM_UP = 20


def measured(target: Target, seconds: float) -> list[Sample]:
    """Probes per second."""
    with target.fresh() as url:
        database = open_database(url)
        try:
            for _ in range(_WARM_UP):
                ready.any_waiting(database)
            count, began = 0, time.perf_counter()
            while time.perf_counter() < began + seconds:
                ready.any_waiting(database)
                count += 1
            return [Sample(count / (time.perf_counter() - began))]
        finally:
            database.disconnect()
