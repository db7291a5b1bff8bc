"""Queues, as `queuekit.queues` shows, pauses and clears them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

import queuekit
from queuekit import EnqueueOptionError
from queuekit.database import Database
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.sample_jobs import mail, note
from tests.dialects.support import (
    ask,
    claim,
    configure,
    counts,
    failed_note,
    finished,
    in_threads,
    register,
    states,
    take,
)


def test_sizes_count_what_is_ready_and_nothing_else() -> None:
    failed_note(queue="failed")
    note.using(queue="claimed").enqueue()
    claim(register())
    note.using(wait=60).enqueue()
    queuekit.enqueue_all(note.bind(number) for number in range(3))
    mail.enqueue(1)

    assert queuekit.queues.sizes() == {"default": 3, "mailers": 1}


def test_a_queue_is_listed_with_its_latency_and_its_pause() -> None:
    mail.enqueue(1)
    time.sleep(0.05)
    mail.enqueue(2)
    queuekit.queues.pause("mailers")
    queuekit.queues.pause("empty")

    empty, mailers = queuekit.queues.list()

    assert (empty.name, empty.size, empty.latency, empty.is_paused) == ("empty", 0, 0, True)
    assert (mailers.name, mailers.size, mailers.is_paused) == ("mailers", 2, True)
    assert 0.04 < mailers.latency < 30
    assert mailers.paused_at is not None
    assert abs(mailers.paused_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_queues_are_listed_by_name_and_case_counts() -> None:
    for name in ("b", "a", "B", "A"):
        note.using(queue=name).enqueue()
    queuekit.queues.pause("a")

    queues = queuekit.queues.list()

    assert [queue.name for queue in queues] == ["A", "B", "a", "b"]
    assert [queue.name for queue in queues if queue.is_paused] == ["a"]


def test_nothing_is_listed_where_nothing_is() -> None:
    assert queuekit.queues.list() == []
    assert queuekit.queues.sizes() == {}


def test_a_dispatched_job_waits_since_it_became_ready(database: Database) -> None:
    note.using(at=datetime(2001, 1, 1, tzinfo=UTC)).enqueue()

    (queue,) = queuekit.queues.list()

    assert 0 <= queue.latency < 30


def test_pausing_and_resuming_twice_is_as_once() -> None:
    assert queuekit.queues.pause("mailers") is True
    (before,) = queuekit.queues.list()
    assert queuekit.queues.pause("mailers") is False
    assert queuekit.queues.list() == [before]

    assert queuekit.queues.resume("mailers") is True
    assert queuekit.queues.resume("mailers") is False
    assert queuekit.queues.list() == []


def test_of_many_who_pause_at_once_one_did_it() -> None:
    assert sum(in_threads(lambda index: queuekit.queues.pause("mailers"), 6)) == 1
    assert sum(in_threads(lambda index: queuekit.queues.resume("mailers"), 6)) == 1


@pytest.mark.parametrize("name", ["", "mail*", " ", "x" * 192, "a,b", None])
@pytest.mark.databases("sqlite")
def test_impossible_names_are_refused(name: str) -> None:
    for act in (queuekit.queues.pause, queuekit.queues.resume, queuekit.queues.clear):
        with pytest.raises(EnqueueOptionError):
            act(name)


@pytest.mark.parametrize("preserve", [True, False])
def test_clearing_discards_what_is_ready_and_nothing_else(preserve: bool) -> None:
    configure(preserve_finished_jobs=preserve)
    failure = failed_note(queue="mailers")
    running = mail.enqueue(0)
    claim(register())
    waiting = mail.using(wait=60).enqueue(0)
    other = note.using(queue="Mailers").enqueue()
    cleared = queuekit.enqueue_all(mail.bind(number) for number in range(7))
    progress: list[int] = []

    assert queuekit.queues.clear("mailers", batch_size=3, progress=progress.append) == 7

    assert progress == [3, 3, 1]
    expected = {
        "failed": [failure.row_id],
        "claimed": [running.row_id],
        "scheduled": [waiting.row_id],
        "ready": [other.row_id],
    }
    if preserve:
        expected["finished"] = [receipt.row_id for receipt in cleared]
        assert ask("select distinct outcome from queuekit_finished_executions") == [("discarded",)]
    else:
        assert ask("select count(*) from queuekit_jobs") == [(4,)]
    assert states() == expected
    assert queuekit.queues.clear("mailers") == 0


def test_a_paused_queue_can_be_cleared() -> None:
    mail.enqueue(1)
    queuekit.queues.pause("mailers")

    assert queuekit.queues.clear("mailers") == 1
    assert counts() == {"finished": 1}


@pytest.mark.parametrize("preserve", [True, False])
def test_clearing_discards_what_is_blocked_too_and_hands_slots_to_other_queues(
    preserve: bool,
) -> None:
    configure(preserve_finished_jobs=preserve)
    imports = one_at_a_time.using(queue="imports", priority=-1)
    for key in ("a", "b"):
        queuekit.enqueue_all(imports.bind(key, number) for number in range(4))
    other = one_at_a_time.enqueue("a")
    later = one_at_a_time.using(queue="imports", wait=60).enqueue("a")
    mail.using(queue="imports").enqueue(1)
    assert queuekit.queues.blocked() == {"default": 1, "imports": 6}
    progress: list[int] = []

    assert queuekit.queues.clear("imports", batch_size=4, progress=progress.append) == 9

    assert progress == [4, 2, 3]
    left = states()
    assert len(left.pop("finished", [])) == (9 if preserve else 0)
    assert left == {"ready": [other.row_id], "scheduled": [later.row_id]}
    assert [key.key for key in queuekit.slots.list()] == ["one/a"]
    assert queuekit.queues.blocked() == {}


def test_clearing_leaves_what_other_queues_have_blocked() -> None:
    running = one_at_a_time.enqueue("a")
    claim(register())
    one_at_a_time.using(queue="imports").enqueue("a")
    other = one_at_a_time.enqueue("a")

    assert queuekit.queues.clear("imports") == 1

    assert counts() == {"claimed": 1, "blocked": 1, "finished": 1}
    assert states()["blocked"] == [other.row_id]
    assert queuekit.slots.holders(["one/a"])[0].job_id == running.job_id


def test_clearing_and_letting_in_share_the_jobs() -> None:
    imports = one_at_a_time.using(queue="imports")
    queuekit.enqueue_all(imports.bind(str(number % 5), number) for number in range(200))

    def work(index: int) -> int:
        if index == 0:
            return queuekit.queues.clear("imports", batch_size=7)
        worker = register()
        done = 0
        while jobs := claim(worker, 3):
            done += len(jobs)
            take(worker, [finished(job) for job in jobs], limit=0)
        return done

    done = in_threads(work, 3)

    worker = register()
    while jobs := claim(worker):
        done.append(len(jobs))
        take(worker, [finished(job) for job in jobs], limit=0)
    assert sum(done) == 200
    assert counts() == {"finished": 200}
    assert queuekit.slots.list() == []


def test_clearing_and_claiming_share_the_jobs() -> None:
    queuekit.enqueue_all(mail.bind(number) for number in range(300))

    def work(index: int) -> int:
        if index == 0:
            return queuekit.queues.clear("mailers", batch_size=7)
        worker = register()
        taken = 0
        while jobs := claim(worker, 5):
            taken += len(jobs)
        return taken

    done = in_threads(work, 4)

    left = len(claim(register()))
    assert sum(done) + left == 300
    assert counts().get("finished", 0) == done[0]


def test_the_waiting_queues_are_found_one_by_one(database: Database) -> None:
    for name in ("b", "a", "ß", "B", "🚀"):
        queuekit.enqueue_all(note.using(queue=name).bind(number) for number in range(20))

    *waiting, (no_name, seconds) = database.query("queues.waiting")

    assert sorted(name for name, _ in waiting) == sorted(["b", "a", "ß", "B", "🚀"])
    assert (len(waiting), no_name) == (5, None)
    assert 0 <= seconds < 30
