"""Enqueueing: where a job goes, what its receipt says, in which order and how many at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import queuekit
from queuekit import (
    BoundJob,
    EnqueueError,
    EnqueueOptionError,
    application,
    enqueueing,
    propagation,
    times,
)
from queuekit.arguments import load
from queuekit.database import Database
from tests.dialects.sample_jobs import Export, mail, note
from tests.dialects.support import ask, broken, claim, counts, register, states

#: SQLite keeps times as floating-point seconds.
PRECISION = timedelta(milliseconds=1)


def test_a_job_without_a_time_is_ready_and_its_receipt_names_it() -> None:
    receipt = mail.enqueue(42)

    assert states() == {"ready": [receipt.row_id]}
    assert uuid.UUID(receipt.job_id).version == 7
    assert receipt.queue == "mailers"
    assert receipt.scheduled_at is None


def test_what_was_enqueued_is_what_a_worker_gets() -> None:
    receipt = Export.using(priority=-3, queue="night").enqueue(7, full=True)

    (job,) = claim(register())

    assert (job.row_id, job.job_id, job.attempt) == (receipt.row_id, receipt.job_id, 1)
    assert (job.queue, job.priority) == ("night", -3)
    assert job.class_name == "tests.dialects.sample_jobs.Export"
    assert job.arguments == '{"args":[7],"kwargs":{"full":true}}'


def test_wait_counts_from_the_databases_own_clock(database: Database) -> None:
    receipt = note.using(wait=timedelta(hours=2)).enqueue()

    assert states() == {"scheduled": [receipt.row_id]}
    ((scheduled, created),) = ask("select scheduled_at, created_at from queuekit_jobs")
    scheduled, created = database.from_database(scheduled), database.from_database(created)
    assert abs(scheduled - created - timedelta(hours=2)) < PRECISION
    assert receipt.scheduled_at == scheduled


def test_a_host_with_a_wrong_clock_enqueues_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class LateClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(times, "datetime", LateClock)

    receipt = note.using(wait=60).enqueue()

    assert receipt.scheduled_at is not None
    assert abs(receipt.scheduled_at - datetime.now(UTC)) < timedelta(seconds=120)


@pytest.mark.parametrize("wait", [0, 0.0, timedelta(0)])
def test_wait_zero_is_ready_at_once(wait: Any) -> None:
    receipt = note.using(wait=wait).enqueue()

    assert states() == {"ready": [receipt.row_id]}
    assert receipt.scheduled_at is not None


@pytest.mark.parametrize(
    "wait", [0.5, 59, 86_400 * 365 * 100, timedelta(days=1, microseconds=5000)]
)
def test_a_wait_of_any_length_is_scheduled(wait: Any) -> None:
    receipt = note.using(wait=wait).enqueue()

    assert states() == {"scheduled": [receipt.row_id]}


@pytest.mark.parametrize(
    "at",
    [
        datetime(2099, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2099, 7, 1, 12, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(2099, 7, 1, 12, 30, tzinfo=timezone(-timedelta(hours=11))),
        datetime(9999, 12, 29, tzinfo=UTC),
    ],
)
def test_a_time_to_come_is_kept_whatever_its_zone(database: Database, at: datetime) -> None:
    receipt = note.using(at=at).enqueue()

    assert states() == {"scheduled": [receipt.row_id]}
    assert receipt.scheduled_at is not None
    assert abs(receipt.scheduled_at - at) < PRECISION
    assert receipt.scheduled_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "at", [datetime(1970, 1, 2, tzinfo=UTC), datetime(2001, 1, 1, 23, tzinfo=timezone.max)]
)
def test_a_time_that_has_passed_is_ready_at_once(at: datetime) -> None:
    receipt = note.using(at=at).enqueue()

    assert states() == {"ready": [receipt.row_id]}
    assert receipt.scheduled_at == at


def test_priorities_reach_from_end_to_end() -> None:
    lowest, highest = -(2**31), 2**31 - 1

    note.using(priority=highest).enqueue()
    note.using(priority=lowest).enqueue()

    assert [job.priority for job in claim(register())] == [lowest, highest]


@pytest.mark.parametrize(
    "options",
    [
        {"queue": ""},
        {"queue": " padded"},
        {"queue": "padded "},
        {"queue": "x" * 192},
        {"queue": "nul\0"},
        {"queue": "line\nbreak"},
        {"queue": "\ud800"},
        {"queue": "mail*"},
        {"queue": "one,two"},
        {"queue": 7},
        {"queue": b"bytes"},
        {"priority": 2**31},
        {"priority": -(2**31) - 1},
        {"priority": 1.0},
        {"priority": True},
        {"wait": -1},
        {"wait": float("nan")},
        {"wait": float("inf")},
        {"wait": "5 minutes"},
        {"wait": timedelta.max},
        {"at": datetime(2099, 1, 1)},
        {"at": datetime.max.replace(tzinfo=UTC)},
        {"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))},
        {"at": "2099-01-01"},
        {"wait": 1, "at": datetime(2099, 1, 1, tzinfo=UTC)},
    ],
    ids=repr,
)
@pytest.mark.databases("sqlite")
def test_what_a_job_cannot_be_enqueued_with_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(EnqueueOptionError):
        note.using(**options).enqueue()

    assert states() == {}


QUEUE_NAMES = [
    *("a", "A", "ä", "a\u0308", "Ä", "å", "ß", "ss", "SS", "i", "\u0131", "I", "İ"),
    *("キュー", "きゅー", "очередь", "Очередь", "תור", "طابور", "队列", "🚀", "🛰️", "🚀🚀"),
    *("a b", "a'b", 'a"b', "a\\b", "a%b", "a_b", "a:b", ":a", "a`b", "a;b", "--a", "null", "0"),
    "🚀" * 191,
]


def test_queue_names_of_any_script_and_case_stay_apart() -> None:
    receipts = {name: note.using(queue=name).enqueue() for name in QUEUE_NAMES}

    assert queuekit.queues.sizes() == dict.fromkeys(QUEUE_NAMES, 1)
    worker = register()
    for name, receipt in receipts.items():
        (job,) = claim(worker, queue=name)
        assert (job.row_id, job.queue) == (receipt.row_id, name)


def test_receipts_of_many_come_in_the_order_of_the_jobs() -> None:
    receipts = queuekit.enqueue_all(
        (mail if number % 2 else note).using(priority=number % 3).bind(number)
        for number in range(300)
    )

    row_ids = [receipt.row_id for receipt in receipts]
    assert row_ids == sorted(row_ids)
    assert [receipt.queue for receipt in receipts] == ["default", "mailers"] * 150
    arguments = ask("select id, arguments from queuekit_jobs order by id")
    assert arguments == [
        (row_id, f'{{"args":[{number}],"kwargs":{{}}}}') for number, row_id in enumerate(row_ids)
    ]


def test_many_go_each_where_its_time_says() -> None:
    past, future = datetime(2001, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    now, waiting, late, early = queuekit.enqueue_all(
        [
            note.bind(),
            note.using(wait=3600).bind(),
            note.using(at=past).bind(),
            note.using(at=future).bind(),
        ]
    )

    assert states() == {
        "ready": [now.row_id, late.row_id],
        "scheduled": [waiting.row_id, early.row_id],
    }
    assert now.scheduled_at is None
    assert waiting.scheduled_at is not None
    assert (late.scheduled_at, early.scheduled_at) == (past, future)


def test_five_thousand_are_enqueued_at_once() -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(5000))

    assert counts() == {"ready": 5000}
    assert len({receipt.job_id for receipt in receipts}) == 5000
    assert [job.row_id for job in claim(register(), 10)] == [r.row_id for r in receipts[:10]]


ODD = [
    "Größe 漢字 🎈",
    'it\'s "quoted"',
    "back\\slash",
    "a\0b",
    "\ud800",
    "%s %% :name",
    "x" * 5000,
]


def alike() -> list[BoundJob]:
    return [note.using(queue="night", priority=-3).bind(value) for value in ODD * 3]


def mixed() -> list[BoundJob]:
    return [job for value in ODD for job in (note.bind(value), mail.bind(1), Export.bind(2))]


@pytest.mark.parametrize("jobs", [alike, mixed])
def test_each_receipt_names_the_row_of_its_own_job(jobs: Callable[[], list[BoundJob]]) -> None:
    bound = jobs()

    receipts = queuekit.enqueue_all(bound)

    rows = ask("select id, uuid, queue_name, arguments from queuekit_jobs order by id")
    assert [(row_id, str(job_id), queue) for row_id, job_id, queue, _ in rows] == [
        (receipt.row_id, receipt.job_id, receipt.queue) for receipt in receipts
    ]
    assert [receipt.job_id for receipt in receipts] == [job.job_id for job in bound]
    assert [tuple(load(stored)[0]) for *_, stored in rows] == [job.args for job in bound]


def test_jobs_that_are_alike_have_what_each_alone_would(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(propagation, "_propagated", {})
    queuekit.propagate("tenant", capture=lambda: "it's 'us'", restore=lambda _: nullcontext())
    night = note.using(queue="night", priority=-3)

    receipts = [*queuekit.enqueue_all([night.bind(1), night.bind(1)]), night.enqueue(1)]

    assert states() == {"ready": [receipt.row_id for receipt in receipts]}
    first, *others = ask(
        "select queue_name, class_name, arguments, priority, max_process_deaths, executions, "
        "attempt, context from queuekit_jobs"
    )
    assert others == [first, first]
    assert "it's" in first[-1]
    executions = ask("select queue_name, priority from queuekit_ready_executions")
    assert executions == [("night", -3)] * 3
    times = ask("select scheduled_at, created_at from queuekit_jobs")
    assert all(scheduled == created for scheduled, created in times)
    assert all(database.from_database(created) is not None for _, created in times)


def test_those_who_enqueue_at_once_get_the_receipts_of_their_own(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        lists = [threads.submit(_enqueued_and_disconnected, _notes(place)) for place in range(8)]
        receipts = [receipt for enqueued in lists for receipt in enqueued.result()]

    found = {str(job_id): row_id for row_id, job_id in ask("select id, uuid from queuekit_jobs")}
    assert {receipt.job_id: receipt.row_id for receipt in receipts} == found
    assert len(found) == 8 * 50


def _notes(place: int) -> list[BoundJob]:
    return [note.bind(place, number=number) for number in range(50)]


def _enqueued_and_disconnected(jobs: list[BoundJob]) -> list[queuekit.Receipt]:
    receipts = queuekit.enqueue_all(jobs)
    application.database().disconnect()
    return receipts


def test_none_at_all_is_fine() -> None:
    assert queuekit.enqueue_all([]) == []
    assert queuekit.enqueue_all(iter(())) == []


def test_more_than_fits_one_parameter_is_still_one_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", 1000)

    receipts = queuekit.enqueue_all(note.bind(f"{number:->300}") for number in range(20))

    assert states() == {"ready": [receipt.row_id for receipt in receipts]}
    assert [job.row_id for job in claim(register())] == [receipt.row_id for receipt in receipts]


@pytest.mark.parametrize("size", [2_000_000, 1000], ids=["one statement", "several statements"])
def test_all_are_enqueued_or_none(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", size)
    jobs = [note.bind(f"{number:->300}") for number in range(20)]

    with pytest.raises(EnqueueError) as refused:
        queuekit.enqueue_all([*jobs, broken(jobs[0])])

    assert isinstance(refused.value.__cause__, queuekit.DatabaseError)
    assert ask("select count(*) from queuekit_jobs") == [(0,)]
    assert note.enqueue().row_id  # and the connection is as good as before


def test_an_error_among_the_jobs_reaches_the_caller_and_nothing_is_enqueued() -> None:
    def jobs() -> Iterator[BoundJob]:
        yield note.bind(1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        queuekit.enqueue_all(jobs())

    assert states() == {}


def test_calls_are_not_jobs() -> None:
    with pytest.raises(EnqueueOptionError, match="bind"):
        queuekit.enqueue_all([note.bind(), note])  # type: ignore[list-item]

    assert states() == {}


@pytest.mark.parametrize("wait", [None, 60])
def test_one_job_twice_in_a_list_is_refused(wait: float | None) -> None:
    job = note.using(wait=wait).bind(1)

    with pytest.raises(EnqueueError, match="in the list more than once"):
        queuekit.enqueue_all([note.bind(0), job, job])

    assert states() == {}
