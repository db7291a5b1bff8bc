"""Finished: ended for good, with an outcome: finished, discarded, or retried as a new attempt."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from queuekit import application, events

#: Fewer cost more each; more hold the lock of SQLite's one writer for longer than 20 ms.
BATCH_SIZE = 2_000

#: A batch's rest is so many times as long as the batch took; but that may have waited for a lock.
_REST = 2.0
_LONGEST_REST = 1.0

_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


def count(*, older_than: float) -> int:
    """How many jobs finished more than `older_than` seconds ago."""
    return int(application.database().query("finished.count", seconds=older_than)[0][0])


def clear_in_batches(
    *,
    older_than: float | None = None,
    batch_size: int = BATCH_SIZE,
    sleep_between_batches: float | None = None,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Delete jobs that finished more than `older_than` seconds ago, and return how many.

    The default is the configuration's `clear_finished_jobs_after`. Each batch is a transaction of
    its own; `sleep_between_batches`, in seconds, leaves the database room for other work. By
    default it rests for twice as long as the batch took, a second at most, so that the queue goes
    on beside it.
    `progress` is called after each batch with its size.
    """
    seconds = older_than
    if seconds is None:
        seconds = application.configuration().clear_finished_jobs_after
    database = application.database()
    cleared = 0
    since: Any = database.to_database(_LONG_AGO)
    while True:
        began = time.monotonic()
        rows = database.query("finished.clear", seconds=seconds, limit=batch_size, since=since)
        took = time.monotonic() - began
        done: int = sum(count for count, _ in rows)
        cleared += done
        since = max((latest for count, latest in rows if count), default=since)
        if progress is not None and done:
            progress(done)
        if done < batch_size:
            events.emit(events.JobsCleared(count=cleared))
            return cleared
        rest = min(took * _REST, _LONGEST_REST)
        time.sleep(rest if sleep_between_batches is None else sleep_between_batches)
