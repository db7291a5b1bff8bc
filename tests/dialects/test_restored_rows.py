"""Rows and results that no transaction of ours would make: after a restore of some tables, and
errors bigger than a server takes. Each is settled by itself, and holds up no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import queuekit
from queuekit import application
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.executions import claimed, scheduled
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.settling import PORTION_SIZE, Settler, Settling, portions
from queuekit.executions.turn import FAILED, RETRIED, NextAttempt, Result
from queuekit.processes.registration import bury, release
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker
from tests.dialects.limited_jobs import survives, two_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed,
    failed_note,
    finished,
    in_background,
    misplaced,
    register,
    take,
    wait_until,
    wait_until_blocked,
)
from tests.dialects.test_races_retries import again, buried
from tests.dialects.transactions import DIED, transaction
from tests.servers import Server

# Later attempts of a job that nobody should have made yet


def restore_later_attempts(*jobs: ClaimedJob | queuekit.Receipt) -> None:
    """Let each of these jobs have a second attempt that has finished, beside its first."""
    for job in jobs:
        ask(
            "insert into queuekit_jobs (uuid, attempt, queue_name, class_name, arguments, priority,"
            " scheduled_at, created_at) select uuid, attempt + 1, queue_name, class_name,"
            " arguments, priority, scheduled_at, created_at from queuekit_jobs where id = :id",
            id=job.row_id,
        )
        ask(
            "insert into queuekit_finished_executions (job_id, outcome, finished_at)"
            " select max(id), 'finished', max(created_at) from queuekit_jobs",
        )


@pytest.mark.parametrize(("wait", "state"), [(0.0, "ready"), (60.0, "scheduled")])
def test_a_retry_is_numbered_after_all_attempts_that_there_are(wait: float, state: str) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(3))
    worker = register()
    jobs = claim(worker)
    restore_later_attempts(jobs[1])

    taken = take(worker, [again(job, wait) for job in jobs], limit=0)

    assert len(taken.settled) == 3
    one, restored, third = [attempts(receipt.job_id) for receipt in receipts]
    assert one == third == [(1, "retried"), (2, state)]
    assert restored == [(1, "retried"), (2, "finished"), (3, state)]


def test_two_attempts_of_one_job_may_be_retried_in_one_turn() -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    restore_later_attempts(job)
    ask("delete from queuekit_finished_executions")
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select id, queue_name, priority, created_at from queuekit_jobs where attempt = 2"
    )
    (second,) = claim(worker)

    assert len(take(worker, [again(job), again(second)], limit=0).settled) == 2

    ends = [(1, "retried"), (2, "retried"), (3, "ready"), (4, "ready")]
    assert attempts(receipt.job_id) == ends


@pytest.mark.parametrize("preserve", [True, False])
def test_a_retry_by_hand_is_numbered_after_all_of_them(preserve: bool) -> None:
    receipts = [failed_note(1), failed_note(2)]
    restore_later_attempts(receipts[0])
    ids = json.dumps([receipt.row_id for receipt in receipts])

    application.database().query("failed.retry", job_ids=ids, preserve_finished=preserve)

    ends = [[(1, "retried"), (2, "finished"), (3, "ready")], [(1, "retried"), (2, "ready")]]
    kept = ends if preserve else [end[1:] for end in ends]
    assert [attempts(receipt.job_id) for receipt in receipts] == kept


@pytest.mark.parametrize("preserve", [True, False])
@pytest.mark.parametrize(
    ("begun", "may_retry", "first"),
    [(True, True, "retried"), (False, True, "ready"), (True, False, "failed")],
)
def test_a_burial_settles_them_whatever_becomes_of_them(
    database: Database, begun: bool, may_retry: bool, first: str, preserve: bool
) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(2))
    worker = register()
    jobs = claim(worker)
    restore_later_attempts(jobs[0])

    database.query(
        "processes.bury",
        process_id=worker,
        silent_for=0.0,
        error=describe_error(DIED),
        begun=None if begun else "[]",
        may_retry=may_retry,
        max_process_deaths=9,
        preserve_finished=preserve,
    )

    ends = [[(1, first), (2, "finished")], [(1, first)]]
    if first == "retried":
        ends = [[*ends[0], (3, "ready")], [*ends[1], (2, "ready")]]
        ends = ends if preserve else [end[1:] for end in ends]
    assert [attempts(receipt.job_id) for receipt in receipts] == ends


@pytest.mark.parametrize("way", ["turn", "by hand", "burial"])
def test_a_job_with_a_concurrency_limit_is_numbered_and_placed_after_them(
    database: Database, way: str
) -> None:
    """Its new attempt takes the slot, or waits for it: the one that has ended is not touched."""
    first, second = survives.enqueue("a"), survives.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    restore_later_attempts(job)

    if way == "turn":
        taken = take(worker, [again(job)], limit=0)
        assert taken.settled == {job.row_id}
    elif way == "burial":
        assert buried(database, worker).retried == (job.job_id,)
    else:
        take(worker, [failed(job)], limit=0)
        queuekit.failed.retry(job.job_id)

    # The one that waited has its turn; the new attempt queues behind it.
    assert attempts(first.job_id) == [(1, "retried"), (2, "finished"), (3, "blocked")]
    assert attempts(second.job_id) == [(1, "ready")]
    assert misplaced() == []


@pytest.mark.parametrize("way", ["release", "deregister", "bury"])
def test_a_claim_with_a_concurrency_limit_that_is_ready_already_goes_back(
    database: Database, way: str
) -> None:
    receipt = two_at_a_time.enqueue("a")
    worker = register()
    (job,) = claim(worker)
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select id, queue_name, priority, created_at from queuekit_jobs"
    )

    if way == "release":
        claimed.release(database, worker, [job.row_id])
    elif way == "deregister":
        assert release(database, worker) == 1
    else:
        configuration = application.configuration()
        burial = bury(database, configuration, worker, DIED, begun=[])
        assert burial.released == (job.job_id,)

    assert attempts(receipt.job_id) == [(1, "ready")]
    assert ask("select job_id from queuekit_semaphore_slots") == [(job.row_id,)]
    assert misplaced() == []


# Results that the database does not take


@pytest.fixture
def worker(database: Database) -> Iterator[Worker]:
    """A worker that compares what it has with what is claimed at each poll."""
    configuration = Configuration(
        database_url=application.configuration().database_url, process_heartbeat_interval=1e-9
    )
    worker = Worker(WorkerSettings(threads=2), configuration, database, Wakeup(), Scoreboard(4))
    worker.start(register())
    yield worker
    worker.abandon()


def settle(process_id: int, results: Sequence[Result]) -> Settling:
    settler = Settler(application.database(), preserve_finished=True)
    settler.process_id = process_id
    return settler.take(results, queue=None, limit=0)


def test_what_is_refused_alone_holds_up_nobody_and_fails() -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(3))
    worker = register()
    one, broken, third = claim(worker)
    nonsense = NextAttempt(0.0, None)  # type: ignore[arg-type]

    settling = settle(
        worker,
        [finished(one), Result(broken.row_id, RETRIED, next_attempt=nonsense), again(third)],
    )

    assert settling.settled == {one.row_id, broken.row_id, third.row_id}
    assert [refusal.result.row_id for refusal in settling.failed_instead] == [broken.row_id]
    assert [attempts(receipt.job_id) for receipt in receipts] == [
        [(1, "finished")],
        [(1, "failed")],
        [(1, "retried"), (2, "ready")],
    ]
    assert "Error" in queuekit.failed.show(receipts[1].job_id).error.exception_class


def test_a_claim_that_has_ended_before_holds_up_neither_its_siblings_nor_the_worker(
    worker: Worker,
) -> None:
    """The row of its end was restored, and its claim stayed."""
    note.enqueue("ended")
    held = register()
    (job,) = claim(held)
    ask("update queuekit_claimed_executions set process_id = :id", id=worker._process_id)
    ask(
        "insert into queuekit_finished_executions (job_id, outcome, finished_at)"
        " select id, 'finished', created_at from queuekit_jobs where id = :id",
        id=job.row_id,
    )
    others = queuekit.enqueue_all(note.bind(number) for number in range(5))

    wait_until(lambda: worker.poll() and counts().get("finished") == 6)

    assert all(attempts(other.job_id) == [(1, "finished")] for other in others)
    wait_until(lambda: worker.poll() and not worker._pool.in_flight)
    worker.stop()
    assert worker.is_done
    ask("delete from queuekit_finished_executions where job_id = :id", id=job.row_id)
    worker.poll()
    assert counts() == {"finished": 6}, "it is tried again"


def test_a_job_that_is_claimed_and_ready_at_once_keeps_nobody_from_claiming(
    worker: Worker, database: Database
) -> None:
    """Ready once more by a restore: it has one holder, and the others are claimed past it."""
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(4))
    holder = register()
    (held,) = claim(holder, 1)
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select id, queue_name, priority, created_at from queuekit_jobs where id = :id",
        id=held.row_id,
    )

    wait_until(lambda: worker.poll() and counts() == {"claimed": 1, "finished": 3})

    assert take(holder, [finished(held)], limit=0).settled == {held.row_id}
    assert [attempts(receipt.job_id) for receipt in receipts] == [[(1, "finished")]] * 4


def test_what_goes_back_meanwhile_stays_ready(server: Server, database: Database) -> None:
    receipt = note.enqueue()
    holder = register()
    (job,) = claim(holder)
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select id, queue_name, priority, created_at from queuekit_jobs where id = :id",
        id=job.row_id,
    )

    with transaction(database) as other:
        other.query("claimed.release", process_id=holder, job_ids=f"[{job.row_id}]")
        with in_background(lambda: database.query("ready.forget_claimed")) as forgetting:
            if server is None:
                wait_until_blocked(server, forgetting)
            else:
                forgetting.result()
            other.commit()
            forgetting.result()

    assert attempts(receipt.job_id) == [(1, "ready")]


@pytest.mark.parametrize("end", ["release", "leave", "bury"])
def test_claims_that_are_elsewhere_too_go_back_with_their_siblings(
    database: Database, end: str
) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(3))
    holder = register()
    jobs = claim(holder)
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select id, queue_name, priority, created_at from queuekit_jobs where id = :id",
        id=jobs[0].row_id,
    )

    if end == "release":
        claimed.release(database, holder, [job.row_id for job in jobs])
    elif end == "leave":
        assert release(database, holder) == 3
    else:
        configuration = application.configuration()
        assert len(bury(database, configuration, holder, DIED, begun=[]).released) == 3

    assert [attempts(receipt.job_id) for receipt in receipts] == [[(1, "ready")]] * 3


def test_a_burial_leaves_errors_and_ends_that_are_there_as_they_are(database: Database) -> None:
    receipts = queuekit.enqueue_all(note.bind(number) for number in range(2))
    holder = register()
    jobs = claim(holder)
    ask(
        "insert into queuekit_failed_executions (job_id, error, failed_at)"
        " select id, :error, created_at from queuekit_jobs where id = :id",
        id=jobs[0].row_id,
        error=describe_error(ValueError("it was so before")),
    )

    assert len(buried(database, holder, may_retry=False).failed) == 2

    assert [attempts(receipt.job_id) for receipt in receipts] == [[(1, "failed")]] * 2
    errors = [queuekit.failed.show(receipt.job_id).error.message for receipt in receipts]
    assert errors == ["it was so before", str(DIED)]


def test_a_job_that_is_scheduled_and_ready_at_once_holds_up_no_other(database: Database) -> None:
    queuekit.enqueue_all(note.using(wait=0.001).bind(number) for number in range(3))
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
        " select min(id), 'default', 0, min(created_at) from queuekit_jobs"
    )

    def all_are_ready() -> bool:
        scheduled.dispatch(database, 10)
        return counts() == {"ready": 3}

    wait_until(all_are_ready)


def test_hundreds_of_big_errors_are_settled_in_portions() -> None:
    """More than MariaDB takes in a packet, and each error as big as errors get."""
    number = 300
    queuekit.enqueue_all(note.bind(index) for index in range(number))
    worker = register()
    jobs = claim(worker)
    error = describe_error(ValueError('it\'s "quoted" \\ \N{FOX FACE}\0\n' * 5_000))
    results = [Result(job.row_id, FAILED, error) for job in jobs]

    settling = settle(worker, results)

    assert len(settling.settled) == number
    assert settling.failed_instead == settling.refused == []
    assert counts() == {"failed": number}


@pytest.mark.databases("mariadb", "mysql")
def test_an_error_that_the_server_does_not_take_fails_with_that() -> None:
    """Somebody has lowered its limit."""
    queuekit.enqueue_all(note.bind(index) for index in range(2))
    worker = register()
    big, small = claim(worker)
    connection: Any = application.database()._held()[0].connection
    connection._largest_packet = 100_000

    settling = settle(worker, [Result(big.row_id, FAILED, "x" * 50_000), finished(small)])

    assert settling.settled == {big.row_id, small.row_id}
    (refusal,) = settling.failed_instead
    assert "max_allowed_packet" in str(refusal.error)


def test_portions_are_as_big_as_they_may_be() -> None:
    small = [Result(number, "finished") for number in range(5_000)]
    big = [Result(number, FAILED, "x" * (PORTION_SIZE // 3)) for number in range(7)]

    assert portions([]) == []
    assert portions(small) == [small]
    assert portions(big) == [big[:3], big[3:6], big[6:]]
    assert portions(big + small) == [big[:3], big[3:6], big[6:] + small]
    huge = [Result(0, FAILED, "x" * 3 * PORTION_SIZE), Result(1, "finished")]
    assert portions(huge) == [huge[:1], huge[1:]]
