"""What is due when, and what it does."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from upkeep import backups
from upkeep.heartbeats import HeartbeatLog, health
from upkeep.magic_links import MagicLink

from queuekit.database import prepare
from queuekit.testing import Jobs

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def queue(jobs: Jobs) -> None:
    """The queue's own file, which the tests' jobs are not kept in."""
    prepare(f"sqlite:///{backups.QUEUE}")


def test_a_day_has_its_runs(jobs: Jobs) -> None:
    jobs.travel_to(NOON)
    jobs.travel(timedelta(days=1), recurring=True)

    for name, number in {
        "HeartbeatJob": 24 * 12,
        "MagicLinkCleanupJob": 24,
        "VerificationJob": 1,
        "DailyCleanupJob": 1,
    }.items():
        jobs.assert_enqueued_jobs(number, only=f"upkeep.jobs.{name}")
    jobs.assert_enqueued_jobs(24, queue="queuekit_recurring")


def test_the_backup_is_verified_at_one_in_the_east_of_america(jobs: Jobs) -> None:
    jobs.travel_to(NOON.replace(hour=5, minute=59))
    jobs.travel(timedelta(minutes=2), recurring=True)

    jobs.assert_enqueued_with("upkeep.jobs.VerificationJob", args=(), queue="default")


def test_a_heartbeat_is_a_row_and_a_line(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "upkeep"):
        jobs.travel(timedelta(minutes=5), recurring=True)
        jobs.perform_due_jobs(only="upkeep.jobs.HeartbeatJob")

    assert '"message": "Heartbeat job executed successfully"' in caplog.text
    assert health()["healthy"]
    assert not HeartbeatLog.verify_recent(within=timedelta(0))
    assert HeartbeatLog.recent(hostname="nowhere") == []
    assert HeartbeatLog.cleanup(older_than=timedelta(0)) == 1
    assert health() == {"healthy": False, "last_heartbeat": None}


def test_links_that_have_expired_are_deleted(jobs: Jobs) -> None:
    MagicLink.issue("ada@example.org")
    for _ in range(501):
        MagicLink.issue("grace@example.org", good_for=-timedelta(seconds=1))

    assert MagicLink.cleanup() == 501
    assert MagicLink.count() == 1


def test_a_good_backup_is_verified(queue: None) -> None:
    counts = backups.verify(backups.take())

    assert counts["queuekit_jobs"] == 0
    assert counts["queuekit_schema_migrations"] > 0


def test_a_backup_that_lacks_a_row_is_not(queue: None) -> None:
    backup = backups.take()
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("delete from queuekit_schema_migrations where version = 1")

    with pytest.raises(backups.VerificationError, match="instead of"):
        backups.verify(backup)


def test_a_damaged_backup_is_not(queue: None) -> None:
    backup = backups.take()
    content = bytearray(backup.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    backup.write_bytes(content)

    with pytest.raises(backups.VerificationError, match=r"cannot be read|damaged"):
        backups.verify(backup)


def test_a_backup_that_is_missing_is_not(queue: None) -> None:
    with pytest.raises(backups.VerificationError, match="cannot be read"):
        backups.verify(backups.FOLDER / "queue-none.sqlite3")


def test_the_newest_backups_are_kept(queue: None) -> None:
    taken = [backups.take() for _ in range(3)]
    backups.keep(2)

    assert sorted(backups.FOLDER.glob("*.sqlite3"))[-2:] == taken[1:]
    assert len(list(backups.FOLDER.iterdir())) == 4
