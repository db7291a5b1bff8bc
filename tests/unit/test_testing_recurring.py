"""Recurring tasks in tests that travel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import queuekit
from queuekit import ConfigurationError
from queuekit.testing import Jobs, in_memory
from tests.unit.applications import application_in, configured, in_use, write

MIDNIGHT = datetime(2030, 1, 31, tzinfo=UTC)

TASKS = """
    nightly:
      class: shop.jobs.backup
      args: [3]
      schedule: every day at 1am UTC
    links:
      command: shop.jobs.cleanup(limit=500)
      schedule: every 8 hours in UTC
"""

JOBS = """
    import queuekit

    limits = []

    @queuekit.job(queue="backups")
    def backup(number): ...

    def cleanup(limit):
        limits.append(limit)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with application_in(tmp_path, monkeypatch):
        write(tmp_path / "shop/jobs.py", JOBS)
        in_use(monkeypatch, configured(TASKS))
        yield tmp_path


@pytest.fixture
def jobs(folder: Path) -> Iterator[Jobs]:
    with in_memory() as jobs:
        jobs.travel_to(MIDNIGHT)
        yield jobs


def test_travelling_alone_enqueues_nothing(jobs: Jobs) -> None:
    jobs.travel(timedelta(days=1))

    jobs.assert_no_enqueued_jobs()


def test_what_is_due_on_the_way_is_enqueued(jobs: Jobs) -> None:
    jobs.travel(timedelta(days=1), recurring=True)

    jobs.assert_enqueued_jobs(4)
    jobs.assert_enqueued_with("shop.jobs.backup", args=(3,), queue="backups")
    jobs.assert_enqueued_jobs(3, queue="queuekit_recurring")
    assert abs(jobs.now - MIDNIGHT - timedelta(days=1)) < timedelta(seconds=5)


def test_each_journey_begins_where_the_one_before_ended(jobs: Jobs) -> None:
    for hours, expected in [(0.9, 0), (0.2, 1), (22, 3)]:
        jobs.travel(timedelta(hours=hours), recurring=True)
        jobs.assert_enqueued_jobs(expected)
    jobs.travel_to(MIDNIGHT + timedelta(days=2, minutes=1), recurring=True)
    jobs.assert_enqueued_jobs(8)


def test_what_runs_on_the_way_runs_at_its_time(jobs: Jobs) -> None:
    times = []

    @queuekit.job(name="shop.jobs.late")
    def late() -> None:
        times.append(jobs.now.replace(microsecond=0))

    write(Path("config/recurring.yml"), "late: {class: shop.jobs.late, schedule: '0 5 * * * UTC'}")
    with jobs.performing():
        jobs.travel(timedelta(days=2), recurring=True)

    assert times == [MIDNIGHT + timedelta(hours=5), MIDNIGHT + timedelta(hours=29)]


def test_commands_are_performed_like_jobs(jobs: Jobs) -> None:
    jobs.travel(timedelta(hours=8, minutes=1), recurring=True)
    assert jobs.perform_due_jobs(queue="queuekit_recurring") == 1

    from shop.jobs import limits  # type: ignore[import-not-found]

    assert limits == [500]


def test_no_task_has_anything_to_do_on_the_way_back(jobs: Jobs) -> None:
    jobs.travel(-timedelta(days=1), recurring=True)

    jobs.assert_no_enqueued_jobs()


def test_a_mistake_in_the_file_is_the_tests_to_know(jobs: Jobs) -> None:
    write(Path("config/recurring.yml"), "late: {class: shop.jobs.late, schedule: when it rains}")

    with pytest.raises(ConfigurationError, match="when it rains"):
        jobs.travel(timedelta(days=1), recurring=True)


def test_too_much_on_the_way_is_refused(jobs: Jobs) -> None:
    write(
        Path("config/recurring.yml"),
        "a: {class: shop.jobs.backup, args: 1, schedule: every second}",
    )

    with pytest.raises(ValueError, match="travel less far"):
        jobs.travel(timedelta(hours=3), recurring=True)
