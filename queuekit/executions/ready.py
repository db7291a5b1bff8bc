"""Ready: due, and waiting for a worker."""

from queuekit.database import Database


def any_waiting(database: Database) -> bool:
    """Whether any job at all is ready: one probe, no locks, for workers that have nothing to do."""
    return bool(database.query("ready.peek"))
