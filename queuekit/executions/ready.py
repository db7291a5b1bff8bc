"""Ready: due, and waiting for a worker."""

from queuekit.database import Database
from queuekit.executions.turn import START, Position


def any_waiting(database: Database, after: Position = START) -> bool:
    """Whether any job at all is ready, after this position: one probe, no locks, for workers that
    have nothing to do."""
    return bool(database.query("ready.peek", after_priority=after[0], after_job_id=after[1]))


def front(database: Database, queue: str | None) -> tuple[Position, float]:
    """Just before the first ready job of a queue, of any queue when it is None, and how many
    seconds the database has searched for it. Where there is none, the newest job's place."""
    if queue is None:
        ((priority, row_id, seconds),) = database.query("ready.front")
    else:
        ((priority, row_id, seconds),) = database.query("ready.front_of_queue", queue_name=queue)
    return START if row_id is None else (priority, row_id - 1), float(seconds)
