"""Scheduled: waiting for a time to come. Times are the database's clock, never this host's."""

from queuekit.database import Database


def dispatch(database: Database, limit: int) -> int:
    """Move jobs that are due to ready, at most `limit`, the longest due first. How many moved."""
    return len(database.query("scheduled.dispatch", limit=limit))


def seconds_until_next(database: Database) -> float | None:
    """Seconds until the next job is due: negative when it is late, None when none is scheduled."""
    seconds = database.query("scheduled.next_due")[0][0]
    return None if seconds is None else float(seconds)
