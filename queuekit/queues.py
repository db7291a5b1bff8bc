"""Queues, for operators: what is in them, pausing, clearing. This module is `queuekit.queues`.

    queuekit.queues.pause("mailers")
    queuekit.queues.sizes()              # {"default": 12, "mailers": 3400}

A queue exists while it has ready jobs or is paused; there is nothing to create.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from queuekit import application, events
from queuekit.checks import check_queue
from queuekit.database import Connection
from queuekit.database.hints import READY
from queuekit.executions import semaphores

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: how many jobs are ready in it, how long the oldest has waited, paused since when."""

    name: str
    size: int
    latency: float
    paused_at: datetime | None

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


def list() -> builtins.list[Queue]:
    """Every queue that has ready jobs or is paused, by name. Latencies are in seconds."""
    database = application.database()
    return [
        Queue(name, size, float(waited or 0), database.from_database(paused_at))
        for name, size, waited, paused_at in database.query("queues.sizes")
    ]


def sizes() -> dict[str, int]:
    """The number of ready jobs by queue."""
    return {queue.name: queue.size for queue in list()}


def pause(name: str) -> bool:
    """Let no worker claim from this queue until `resume`. Jobs that run already finish.

    Returns whether it was running before. Raises EnqueueOptionError for an impossible name.
    """
    paused = bool(application.database().query("queues.pause", queue_name=check_queue(name)))
    if paused:
        events.emit(events.QueuePaused(queue=name))
    return paused


def resume(name: str) -> bool:
    """Let workers claim from this queue again. Returns whether it was paused before."""
    database, parameters = application.database(), {"queue_name": check_queue(name)}

    def work(connection: Connection) -> bool:
        database.wake(READY)
        return bool(connection.run(database.named("queues.resume"), parameters))

    resumed = database.transact(work)
    if resumed:
        events.emit(events.QueueResumed(queue=name))
    return resumed


def blocked() -> dict[str, int]:
    """The number of jobs by queue that a concurrency limit blocks: they are in the queue as soon as
    they get a slot."""
    return {name: int(number) for name, number in application.database().query("queues.blocked")}


def clear(
    name: str, *, batch_size: int = BATCH_SIZE, progress: Callable[[int], object] | None = None
) -> int:
    """Discard every ready and every blocked job of this queue, in batches, and return how many.

    Jobs that run already, are scheduled, or have failed are left alone. Slots that ready jobs held
    go to blocked jobs of other queues. `progress` is called after each batch with its size.
    """
    cleared = 0
    # The blocked ones first: each would be ready as soon as the one before it is discarded.
    for batches in (_clear_blocked, _clear_ready):
        for done in batches(check_queue(name), batch_size):
            cleared += done
            if progress is not None and done:
                progress(done)
    events.emit(events.JobsDiscarded(count=cleared))
    return cleared


def _clear_blocked(name: str, batch_size: int) -> Iterator[int]:
    database = application.database()
    after = 0
    while rows := database.query(
        "semaphores.blocked_of_queue", queue_name=name, after=after, limit=batch_size
    ):
        after = rows[-1][0]
        yield _discard_blocked(dict(rows))


def _discard_blocked(keys: Mapping[int, str]) -> int:
    database = application.database()
    preserve = application.configuration().preserve_finished_jobs
    return len(
        database.transact(
            lambda connection: semaphores.discard(database, connection, keys, preserve)
        )
    )


def _clear_ready(name: str, batch_size: int) -> Iterator[int]:
    done = batch_size
    while done >= batch_size:
        done = _clear_batch(name, batch_size)
        yield done


def _clear_batch(name: str, batch_size: int) -> int:
    database = application.database()
    parameters = {
        "queue_name": name,
        "limit": batch_size,
        "preserve_finished": application.configuration().preserve_finished_jobs,
    }

    def work(connection: Connection) -> int:
        rows = connection.run(database.named("queues.clear"), parameters)
        slots = semaphores.of_jobs(database, connection, [row[0] for row in rows])
        if slots:
            keys = dict.fromkeys(slots.values())
            semaphores.hand_over(database, connection, keys, freed=slots)
        return len(rows)

    return database.transact(work)
