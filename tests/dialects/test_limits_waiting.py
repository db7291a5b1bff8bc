"""Who waits for an open transaction that holds a key: only those who want the same key. A server
that locked more, gaps between keys or rows that it only read, would hold up others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import queuekit
from queuekit import EnqueueError, application
from queuekit.database import Database, connection
from queuekit.executions import claimed, scheduled
from queuekit.processes.registration import bury
from tests.dialects.limited_jobs import HOUR, never_waits, one_at_a_time, two_at_a_time
from tests.dialects.support import ask, claim, failed, finished, register, take, wait_until
from tests.dialects.test_limits import retried
from tests.dialects.transactions import Other

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")

HELD = "one/m"

#: What is about to be asked of the database answers within a second, or loses.
_IMPATIENCE = {
    "postgresql": "set lock_timeout = '1s'",
    "mysql": "set session innodb_lock_wait_timeout = 1",
}


@pytest.fixture(autouse=True)
def impatience(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_ATTEMPTS", 1)
    ask(_IMPATIENCE[database.dialect.name])


# What the other transaction has done when it stays open


def enqueues(other: Other) -> None:
    """A job of the key, up to the commit."""
    jobs = [_stored(one_at_a_time.bind("m")), _stored(one_at_a_time.bind("m"))]
    rows = other.query("jobs.enqueue", jobs=json.dumps(jobs), places_later=False, wakes=None)
    other.query("semaphores.lock", semaphores=json.dumps([{"key": HELD}]))
    row_ids = json.dumps([row[1] for row in rows])
    other.query("semaphores.place", job_ids=row_ids, preserve_finished=True)
    other.query("semaphores.promote", keys=json.dumps([HELD]))


def settles(other: Other) -> None:
    """A job that ends, and hands its slot on."""
    for _ in range(2):
        one_at_a_time.using(queue="held").enqueue("m")
    worker = register()
    (job,) = claim(worker, queue="held")
    results = json.dumps([{"job_id": job.row_id, "outcome": "finished"}])
    other.turn(worker, results, limit=0)
    other.query("semaphores.lock", semaphores=json.dumps([{"key": HELD}]))
    other.query("semaphores.free", job_ids=json.dumps([job.row_id]))
    other.query("semaphores.promote", keys=json.dumps([HELD]))
    other.turn(worker, limit=1)


def gives_back(other: Other) -> None:
    """A claim that is put back to ready, after its slot has expired."""
    for _ in range(2):
        one_at_a_time.using(queue="held").enqueue("m")
    worker = register()
    (job,) = claim(worker, queue="held")
    ask(
        "update queuekit_semaphore_slots set expires_at = "
        "(select created_at from queuekit_jobs where id = job_id) "
        f"where job_id = {job.row_id}"
    )
    own = json.dumps([job.row_id])
    other.query("claimed.release", process_id=worker, job_ids=own)
    other.query("semaphores.lock", semaphores=json.dumps([{"key": HELD}]))
    other.query("semaphores.place", job_ids=own, preserve_finished=True)
    other.query("semaphores.promote", keys=json.dumps([HELD]))


def forgets(other: Other) -> None:
    """The lock row of a key that nobody needs."""
    one_at_a_time.using(queue="held").enqueue("m")
    worker = register()
    take(worker, [finished(job) for job in claim(worker, queue="held")], limit=0)
    other.query("semaphores.lock", semaphores=json.dumps([{"key": HELD}]))
    other.query("semaphores.unused", limit=10)
    other.query("semaphores.forget", keys=json.dumps([HELD]))


def _stored(bound: Any) -> dict[str, Any]:
    description = bound._description
    return {
        "uuid": description.job_id,
        "queue_name": description.queue,
        "class_name": description.class_name,
        "arguments": description.arguments,
        "priority": 0,
        "concurrency_key": HELD,
        "concurrency_limit": 1,
        "concurrency_duration": HOUR,
    }


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("act", [enqueues, settles, gives_back, forgets])
def test_an_open_transaction_holds_up_its_own_key_only(
    database: Database, other: Other, act: Callable[[Other], None], filled: bool
) -> None:
    if filled:
        queuekit.enqueue_all(
            one_at_a_time.using(queue="filling").bind(f"{letter}-{number % 50}")
            for letter in "am"
            for number in range(200)
        )
    act(other)

    for key in ("a", "l", "m0", "n", "z"):
        live_a_whole_life(database, key)

    with pytest.raises(EnqueueError):
        one_at_a_time.enqueue("m")
    other.rollback()
    assert one_at_a_time.enqueue("m").is_enqueued


def live_a_whole_life(database: Database, key: str) -> None:
    """Everything that happens to limited jobs, under another key and in a queue of their own."""
    queue = f"queue {key}"
    queuekit.enqueue_all(one_at_a_time.using(queue=queue).bind(key) for _ in range(2))
    worker = register()

    (first,) = claim(worker, queue=queue)
    (second,) = take(worker, [finished(first)], queue=queue).claimed
    claimed.release(database, worker, [second.row_id])
    (second,) = claim(worker, queue=queue)
    (again,) = take(worker, [retried(second)], queue=queue).claimed
    assert take(worker, [failed(again)], queue=queue).settled == {again.row_id}
    queuekit.failed.retry_all()
    claim(worker, queue=queue)
    one_at_a_time.using(queue=queue, wait=0.001).enqueue(key)
    wait_until(lambda: scheduled.dispatch(database, 10) == 1)
    bury(database, application.configuration(), worker, RuntimeError("it died"))
    for job in (two_at_a_time, never_waits):
        job.using(queue=queue).enqueue(key)
    assert queuekit.queues.clear(queue) == 3
