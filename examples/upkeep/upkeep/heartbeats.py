"""Heartbeats: rows that say when the scheduling was last seen at work, for whoever watches it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from upkeep.database import ENVIRONMENT, transaction

#: Two heartbeats may be missing before somebody is called.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class HeartbeatLog:
    """A row of heartbeat_logs."""

    executed_at: datetime
    environment: str
    hostname: str

    @classmethod
    def record(cls) -> HeartbeatLog:
        """A heartbeat now."""
        beat = cls(datetime.now(UTC), ENVIRONMENT, socket.gethostname())
        with transaction() as connection:
            connection.execute(
                "insert into heartbeat_logs (executed_at, environment, hostname) values (?, ?, ?)",
                (beat.executed_at.isoformat(), beat.environment, beat.hostname),
            )
        return beat

    @classmethod
    def recent(cls, limit: int = 10, hostname: str | None = None) -> list[HeartbeatLog]:
        """The last ones, the newest first; of one host where it is named."""
        with transaction() as connection:
            rows = connection.execute(
                "select executed_at, environment, hostname from heartbeat_logs "
                "where hostname = coalesce(?, hostname) order by executed_at desc limit ?",
                (hostname, limit),
            ).fetchall()
        return [cls(datetime.fromisoformat(at), *others) for at, *others in rows]

    @classmethod
    def latest(cls) -> HeartbeatLog | None:
        return next(iter(cls.recent(1)), None)

    @classmethod
    def verify_recent(cls, within: timedelta = PATIENCE) -> bool:
        """Whether there was one so short a time ago."""
        latest = cls.latest()
        return latest is not None and datetime.now(UTC) - latest.executed_at <= within

    @classmethod
    def cleanup(cls, older_than: timedelta) -> int:
        """Delete what is older; how many those were."""
        with transaction() as connection:
            return connection.execute(
                "delete from heartbeat_logs where executed_at < ?",
                ((datetime.now(UTC) - older_than).isoformat(),),
            ).rowcount


def health() -> dict[str, Any]:
    """What a health check of the application's answers."""
    latest = HeartbeatLog.latest()
    return {
        "healthy": HeartbeatLog.verify_recent(within=PATIENCE),
        "last_heartbeat": latest and latest.executed_at.isoformat(),
    }
