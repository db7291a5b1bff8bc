"""The jobs that config/recurring.yml names."""

from __future__ import annotations

import json
from datetime import timedelta

import queuekit
from upkeep import backups
from upkeep.heartbeats import HeartbeatLog
from upkeep.logs import logger
from upkeep.magic_links import MagicLink

HEARTBEATS_KEPT = timedelta(days=30)
BACKUPS_KEPT = 7


class ApplicationJob(queuekit.Job):
    queue = "default"


class HeartbeatJob(ApplicationJob):
    """Says that the scheduling is at work: in the log for people, in a row for the health check."""

    def perform(self) -> None:
        beat = HeartbeatLog.record()
        line = {
            "timestamp": f"{beat.executed_at:%Y-%m-%dT%H:%M:%SZ}",
            "environment": beat.environment,
            "hostname": beat.hostname,
            "message": "Heartbeat job executed successfully",
        }
        logger().info("[HEARTBEAT] %s", json.dumps(line))


class MagicLinkCleanupJob(ApplicationJob):
    def perform(self) -> None:
        count = MagicLink.cleanup()
        logger().info("Cleaned up %s expired magic links", count)


class VerificationJob(ApplicationJob):
    """Takes a backup of the queue and opens it. One that is not good fails the job, and is kept to
    be looked at."""

    def perform(self) -> None:
        backup = backups.take()
        counts = backups.verify(backup)
        logger().info("Verified %s: %s jobs", backup, counts["queuekit_jobs"])
        backups.keep(BACKUPS_KEPT)


class DailyCleanupJob(ApplicationJob):
    def perform(self) -> None:
        count = HeartbeatLog.cleanup(older_than=HEARTBEATS_KEPT)
        logger().info("Cleaned up %s old heartbeats", count)
