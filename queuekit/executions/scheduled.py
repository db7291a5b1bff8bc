"""Scheduled: waiting for a time to come. Times are the database's clock, never this host's."""

from queuekit.database import Connection, Database
from queuekit.database.hints import READY
from queuekit.executions import semaphores
from queuekit.executions.semaphores import Slots


def dispatch(database: Database, limit: int) -> int:
    """Move jobs that are due to ready, at most `limit`, the longest due first. How many moved:
    those with a concurrency limit may be blocked, or discarded, now."""

    def work(connection: Connection) -> int:
        rows = connection.run(database.named("scheduled.dispatch"), {"limit": limit})
        if rows:
            database.wake(READY)
        limited = [row for row in rows if row[1] is not None]
        if limited:
            keys = semaphores.newest((key, Slots(to, job_id)) for _, key, to, job_id in limited)
            placed = [row[0] for row in limited]
            semaphores.hand_over(database, connection, keys, placed=placed)
        return len(rows)

    return database.transact(work)


def seconds_until_next(database: Database) -> float | None:
    """Seconds until the next job is due: negative when it is late, None when none is scheduled."""
    seconds = database.query("scheduled.next_due")[0][0]
    return None if seconds is None else float(seconds)
