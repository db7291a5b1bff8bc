"""The test helpers in memory: what they find, what they run, and what they say when they do not."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import unittest
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import EnqueueError, Limit, Retry, context
from queuekit.database import prepare
from queuekit.errors import SerializationError
from queuekit.testing import Jobs, JobsTestCase, in_memory, on_connection

ran: list[Any] = []


@queuekit.job(queue="mailers", priority=5)
def welcome(user_id: int, greeting: str = "Hello") -> None:
    ran.append((user_id, greeting))


@queuekit.job
def remind(user_id: int) -> None:
    ran.append(context.attempt)
    if context.attempt == 1:
        welcome.enqueue(user_id)


@queuekit.job(retry_on=Retry(ConnectionError, wait=60, jitter=0, attempts=3))
def flaky() -> None:
    ran.append(context.attempt)
    raise ConnectionError("nobody answers")


@queuekit.job(discard_on=LookupError)
async def fetch(path: str) -> None:
    await asyncio.sleep(0)
    if not path:
        raise LookupError("no path")
    ran.append(path)
    await welcome.aenqueue(len(path))


@queuekit.job(limits_concurrency=Limit("account", on_conflict="discard"))
def export(account: int) -> None: ...


class Export(queuekit.Job):
    def perform(self, account: int) -> None:
        raise ValueError(f"no account {account}")


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    ran.clear()
    with in_memory() as jobs:
        yield jobs


def test_async_jobs_run_in_tests_of_either_kind(jobs: Jobs) -> None:
    async def enqueue_and_perform() -> int:
        await fetch.aenqueue("/async")
        await fetch.aenqueue("")
        return jobs.perform_enqueued_jobs(only=fetch)

    fetch.enqueue("/plain")
    assert jobs.perform_enqueued_jobs(only=fetch) == 1
    assert asyncio.run(enqueue_and_perform()) == 2

    assert ran == ["/plain", "/async"]
    jobs.assert_enqueued_jobs(2, only=welcome)


def test_a_job_is_found_by_what_is_known_of_it(jobs: Jobs) -> None:
    receipt = welcome.enqueue(1)

    for known in (
        {},
        {"args": (1,)},
        {"args": [1]},
        {"kwargs": {"user_id": 1}},
        {"args": (1, "Hello")},
        {"queue": "mailers", "priority": 5},
    ):
        found = jobs.assert_enqueued_with(welcome, **known)
        assert found.job_id == receipt.job_id
    assert jobs.assert_enqueued_with().name == f"{__name__}.welcome"


def test_an_assertion_that_fails_shows_what_was_enqueued(jobs: Jobs) -> None:
    welcome.enqueue(1)
    Export.enqueue(7)

    with pytest.raises(AssertionError) as raised:
        jobs.assert_enqueued_with(welcome, args=(2,), queue="mailers")

    assert str(raised.value) == (
        f"not enqueued: {__name__}.welcome(2) on 'mailers'\n"
        "enqueued:\n"
        f"  {__name__}.welcome(1) on 'mailers', priority 5\n"
        f"  {__name__}.Export(7) on 'default', priority 0"
    )
    with pytest.raises(AssertionError, match="2 jobs expected, 1 were enqueued\nenqueued:\n"):
        jobs.assert_enqueued_jobs(2, only=welcome)
    with pytest.raises(AssertionError, match="not performed: any job\nperformed: nothing"):
        jobs.assert_performed_with()


def test_times_are_met_within_a_second(jobs: Jobs) -> None:
    welcome.using(wait=timedelta(hours=1)).enqueue(1)
    moment = datetime.now(UTC) + timedelta(hours=1)

    jobs.assert_enqueued_with(welcome, at=moment)
    jobs.assert_enqueued_with(welcome, at=timedelta(hours=1))
    with pytest.raises(AssertionError):
        jobs.assert_enqueued_with(welcome, at=moment + timedelta(seconds=3))
    with pytest.raises(ValueError, match="has no time zone"):
        jobs.assert_enqueued_with(welcome, at=datetime.now())


def test_jobs_are_counted_by_kind_and_queue(jobs: Jobs) -> None:
    queuekit.enqueue_all(welcome.bind(number) for number in range(3))
    remind.enqueue(1)

    jobs.assert_enqueued_jobs(4)
    jobs.assert_enqueued_jobs(3, only=welcome)
    jobs.assert_enqueued_jobs(4, only=[welcome, remind])
    jobs.assert_enqueued_jobs(1, except_=welcome)
    jobs.assert_enqueued_jobs(1, queue="default")
    jobs.assert_no_enqueued_jobs(only=Export)
    jobs.assert_no_performed_jobs()


def test_a_flush_runs_what_is_there_now(jobs: Jobs) -> None:
    remind.using(wait=3600).enqueue(1)

    assert jobs.perform_enqueued_jobs() == 1
    assert ran == [1]
    jobs.assert_performed_jobs(1, only=remind)
    jobs.assert_enqueued_jobs(1, only=welcome)
    assert jobs.perform_enqueued_jobs(except_=welcome) == 0
    assert jobs.perform_enqueued_jobs(only=welcome, queue="mailers") == 1
    assert ran == [1, (1, "Hello")]


def test_a_block_runs_jobs_as_they_are_enqueued(jobs: Jobs) -> None:
    with jobs.performing(except_=Export):
        remind.enqueue(1)
        Export.enqueue(7)

    assert ran == [1, (1, "Hello")]
    jobs.assert_enqueued_jobs(1, only=Export)
    welcome.enqueue(2)
    jobs.assert_enqueued_jobs(1, only=welcome)


def test_an_error_that_no_policy_takes_reaches_the_test(jobs: Jobs) -> None:
    Export.enqueue(7)

    with pytest.raises(ValueError, match="no account 7"):
        jobs.perform_enqueued_jobs()
    jobs.assert_no_enqueued_jobs()
    jobs.assert_performed_with(Export, args=(7,))


def test_retries_wait_for_their_time(jobs: Jobs) -> None:
    flaky.enqueue()

    assert jobs.perform_due_jobs() == 1
    jobs.assert_enqueued_with(flaky, at=timedelta(seconds=60))
    assert jobs.perform_due_jobs() == 0
    jobs.travel(timedelta(seconds=61))
    assert jobs.perform_due_jobs() == 1
    jobs.travel_to(datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(ConnectionError):
        jobs.perform_due_jobs()
    assert ran == [1, 2, 3]


def test_what_happens_in_a_block_can_be_told_apart(jobs: Jobs) -> None:
    welcome.enqueue(1)
    jobs.perform_enqueued_jobs()
    welcome.enqueue(2)

    with jobs.recording() as new:
        new.assert_no_enqueued_jobs()
        remind.enqueue(3)
        jobs.perform_enqueued_jobs(only=remind)

    new.assert_enqueued_with(welcome, args=(3,))
    new.assert_enqueued_jobs(1)
    new.assert_performed_jobs(1)
    jobs.assert_enqueued_jobs(2)


def test_in_memory_no_limit_holds_a_job_back(jobs: Jobs) -> None:
    receipts = [export.enqueue(1), export.enqueue(1)]

    assert [receipt.status for receipt in receipts] == ["enqueued", "enqueued"]
    with pytest.raises(EnqueueError, match="concurrency key"):
        export.enqueue(None)  # type: ignore[arg-type]
    assert jobs.perform_enqueued_jobs() == 2


def test_what_could_not_travel_is_refused_in_tests_too(jobs: Jobs) -> None:
    with pytest.raises(SerializationError):
        welcome.enqueue(object())  # type: ignore[arg-type]
    jobs.assert_no_enqueued_jobs()


def test_outside_of_the_block_nothing_is_kept() -> None:
    with in_memory() as jobs:
        pass
    with in_memory() as others:
        welcome.enqueue(1)

    others.assert_enqueued_jobs(1)
    jobs.assert_no_enqueued_jobs()


def test_the_mixin_gives_each_unittest_its_own_jobs() -> None:
    class Case(JobsTestCase, unittest.TestCase):
        def test_one(self) -> None:
            welcome.enqueue(1)
            self.jobs.assert_enqueued_jobs(1)

        test_two = test_one

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)

    assert (result.testsRun, result.errors, result.failures) == (2, [], [])


def test_pytest_finds_the_fixture_by_itself(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "import queuekit\n@queuekit.job\ndef note(text: str) -> None: ...\n"
    )
    (tmp_path / "test_notes.py").write_text(
        textwrap.dedent(
            """
            from jobs import note

            def test_it_is_enqueued(queuekit_jobs):
                note.enqueue("hello")
                queuekit_jobs.assert_enqueued_with(note, args=("hello",))
                assert queuekit_jobs.perform_enqueued_jobs() == 1
            """
        )
    )
    command = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_configuration_that_is_read_meanwhile_does_not_lead_away_from_the_tests_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_configuration", "_database"):
        monkeypatch.setattr(queuekit.application, name, None)
    monkeypatch.setenv("QUEUEKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'development.sqlite3'}")
    prepare(f"sqlite:///{tmp_path / 'test.sqlite3'}")

    with closing(sqlite3.connect(tmp_path / "test.sqlite3")) as connection:
        with on_connection(connection) as jobs:
            welcome.enqueue(1)
            assert jobs.perform_enqueued_jobs() == 1  # asks whether to keep finished jobs
            queuekit.configure()
            welcome.enqueue(2)
            assert queuekit.status.gather().jobs["ready"] == 1
        assert connection.in_transaction

    assert not (tmp_path / "development.sqlite3").exists()


class Record:
    """It is not equal to anything but itself, as many a model."""

    def __init__(self, key: int) -> None:
        self.key = key


class Records:
    def key(self, record: Record) -> int:
        return record.key

    def locate(self, record_class: type[Record], key: int) -> Record:
        return record_class(key)


queuekit.register_locator(Record, Records())


@queuekit.job
def inspect_records(first: Record, *, others: list[Record]) -> None: ...


def test_records_are_the_same_when_their_keys_are(jobs: Jobs) -> None:
    inspect_records.enqueue(Record(1), others=[Record(2)])

    jobs.assert_enqueued_with(inspect_records, args=(Record(1),), kwargs={"others": [Record(2)]})
    with pytest.raises(AssertionError):
        jobs.assert_enqueued_with(
            inspect_records, args=(Record(1),), kwargs={"others": [Record(3)]}
        )
    with pytest.raises(AssertionError):
        jobs.assert_enqueued_with(inspect_records, args=(object(),), kwargs={"others": []})


def test_a_time_to_travel_to_needs_a_zone(jobs: Jobs) -> None:
    with pytest.raises(ValueError, match="2030-01-31 09:00:00 has no time zone"):
        jobs.travel_to(datetime(2030, 1, 31, 9))
