"""Failed jobs, as `queuekit.failed` shows and settles them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

import queuekit
from queuekit import JobNotFoundError, Receipt
from queuekit.executions import failed as module
from tests.dialects.sample_jobs import Export, mail, note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    configure,
    counts,
    fail,
    failed,
    failed_note,
    in_threads,
    register,
    states,
    take,
)


def failed_ones(number: int) -> list[Receipt]:
    receipts = queuekit.enqueue_all(note.bind(index) for index in range(number))
    fail(*receipts)
    return receipts


def test_a_failed_job_is_shown_with_all_that_is_known_of_it() -> None:
    receipt = Export.using(priority=3).enqueue(7, full=True)
    fail(receipt, error=LookupError("no account 🚀"))

    job = queuekit.failed.show(receipt.job_id)

    assert (job.job_id, job.row_id, job.attempt) == (receipt.job_id, receipt.row_id, 1)
    assert (job.queue, job.priority) == ("exports", 3)
    assert job.class_name == "tests.dialects.sample_jobs.Export"
    assert job.arguments == '{"args":[7],"kwargs":{"full":true}}'
    assert (job.error.exception_class, job.error.message) == ("LookupError", "no account 🚀")
    assert timedelta(0) <= job.failed_at - job.enqueued_at < timedelta(minutes=1)
    assert abs(job.failed_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_ids_are_found_in_any_notation() -> None:
    receipt = failed_note()

    assert queuekit.failed.show(receipt.job_id.upper()).job_id == receipt.job_id
    assert queuekit.failed.show(receipt.job_id.replace("-", "")).job_id == receipt.job_id


def test_the_newest_failures_are_listed_first_and_by_queue_and_class() -> None:
    one = failed_note("one")
    other = failed_note("other", queue="Mailers")
    export = Export.enqueue(1)
    fail(export)
    third = mail.enqueue(3)
    fail(third)
    note.enqueue("ready, not failed")
    ids = lambda **filters: [job.job_id for job in queuekit.failed.list(**filters)]  # noqa: E731

    assert ids() == [third.job_id, export.job_id, other.job_id, one.job_id]
    assert ids(limit=2) == [third.job_id, export.job_id]
    assert ids(queue="Mailers") == [other.job_id]
    assert ids(queue="mailers") == [third.job_id]
    assert ids(class_name="tests.dialects.sample_jobs.note") == [other.job_id, one.job_id]
    assert ids(class_name="tests.dialects.sample_jobs.note", queue="default") == [one.job_id]
    assert ids(queue="nowhere") == []
    assert queuekit.failed.count() == 4
    assert queuekit.failed.count(queue="Mailers") == 1
    assert queuekit.failed.count(class_name="tests.dialects.sample_jobs.Export") == 1
    assert queuekit.failed.count(class_name="no.such", queue="default") == 0


@pytest.mark.parametrize("preserve", [True, False])
def test_a_retry_is_a_new_attempt_of_the_same_job(preserve: bool) -> None:
    configure(preserve_finished_jobs=preserve)
    receipt = mail.using(priority=2).enqueue(42)
    fail(receipt, error=LookupError("first"))

    queuekit.failed.retry(receipt.job_id)

    old = [(1, "retried")] if preserve else []
    assert attempts(receipt.job_id) == [*old, (2, "ready")]
    (job,) = claim(worker := register(), queue="mailers")
    assert (job.job_id, job.attempt, job.priority) == (receipt.job_id, 2, 2)
    assert job.arguments == '{"args":[42],"kwargs":{}}'
    assert job.row_id > receipt.row_id
    if preserve:
        ((error,),) = ask("select error from queuekit_finished_executions")
        assert module.read_error(error).message == "first"
    take(worker, [failed(job)])
    assert queuekit.failed.show(receipt.job_id).attempt == 2


@pytest.mark.parametrize("preserve", [True, False])
def test_a_discarded_job_is_finished_and_keeps_its_error(preserve: bool) -> None:
    configure(preserve_finished_jobs=preserve)
    receipt = failed_note()

    queuekit.failed.discard(receipt.job_id)

    if preserve:
        assert attempts(receipt.job_id) == [(1, "discarded")]
        ((error,),) = ask("select error from queuekit_finished_executions")
        assert module.read_error(error).message == "it broke"
    else:
        assert ask("select count(*) from queuekit_jobs") == [(0,)]


def test_a_job_can_be_retried_as_often_as_it_fails() -> None:
    receipt = failed_note()
    for _ in range(4):
        queuekit.failed.retry(receipt.job_id)
        (job,) = claim(worker := register())
        take(worker, [failed(job)])

    assert attempts(receipt.job_id) == [
        *((number, "retried") for number in range(1, 5)),
        (5, "failed"),
    ]
    assert queuekit.failed.count() == 1


def test_several_are_retried_or_discarded_in_one_call() -> None:
    one, two, three, four = failed_ones(4)

    queuekit.failed.retry(one.job_id, three.job_id, one.job_id)
    queuekit.failed.discard(two.job_id, four.job_id)
    queuekit.failed.retry()

    assert attempts(one.job_id) == attempts(three.job_id) == [(1, "retried"), (2, "ready")]
    assert attempts(two.job_id) == attempts(four.job_id) == [(1, "discarded")]


@pytest.mark.parametrize("settle", [queuekit.failed.retry, queuekit.failed.discard])
def test_what_has_not_failed_cannot_be_settled(settle: object) -> None:
    assert callable(settle)
    one, other = failed_ones(2)
    ready = note.enqueue()
    settle(one.job_id)

    for job_id in (one.job_id, ready.job_id, str(uuid.uuid4()), "42", "", "🚀", None, 7):
        with pytest.raises(JobNotFoundError, match="no failed job has the id"):
            settle(other.job_id, job_id)
        with pytest.raises(JobNotFoundError):
            queuekit.failed.show(job_id)  # type: ignore[arg-type]

    assert attempts(other.job_id) == [(1, "failed")]


def test_of_many_who_retry_one_job_at_once_one_succeeds() -> None:
    receipt = failed_note()

    def retry(index: int) -> bool:
        try:
            queuekit.failed.retry(receipt.job_id)
        except JobNotFoundError as error:
            assert receipt.job_id in str(error)
            return False
        return True

    assert sum(in_threads(retry, 6)) == 1

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


@pytest.mark.parametrize("preserve", [True, False])
def test_all_are_retried_in_batches(monkeypatch: pytest.MonkeyPatch, preserve: bool) -> None:
    configure(preserve_finished_jobs=preserve)
    monkeypatch.setattr(module, "BATCH_SIZE", 4)
    receipts = failed_ones(10)
    progress: list[int] = []

    assert queuekit.failed.retry_all(progress=progress.append) == 10

    assert progress == [4, 4, 2]
    assert counts() == {"ready": 10} | ({"finished": 10} if preserve else {})
    jobs = claim(register())
    assert [job.job_id for job in jobs] == [receipt.job_id for receipt in receipts]
    assert {job.attempt for job in jobs} == {2}
    assert queuekit.failed.retry_all() == 0


def test_all_are_discarded_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 3)
    failed_ones(9)
    progress: list[int] = []

    assert queuekit.failed.discard_all(progress=progress.append) == 9

    assert progress == [3, 3, 3]
    assert counts() == {"finished": 9}


def test_all_of_one_queue_or_class_are_settled_and_the_others_stay() -> None:
    kept = failed_note(queue="kept")
    retried = failed_note(queue="retried")
    export = Export.enqueue(1)
    fail(export)

    assert queuekit.failed.retry_all(queue="retried") == 1
    assert queuekit.failed.discard_all(class_name="tests.dialects.sample_jobs.Export") == 1
    assert queuekit.failed.discard_all(class_name="no.such", queue="kept") == 0

    assert attempts(kept.job_id) == [(1, "failed")]
    assert attempts(retried.job_id) == [(1, "retried"), (2, "ready")]
    assert attempts(export.job_id) == [(1, "discarded")]


def test_what_fails_again_meanwhile_is_not_retried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 1)
    one, other = failed_ones(2)

    def fail_again(done: int) -> None:
        worker = register()
        take(worker, [failed(job) for job in claim(worker)], limit=0)

    assert queuekit.failed.retry_all(progress=fail_again) == 2

    assert attempts(one.job_id) == attempts(other.job_id) == [(1, "retried"), (2, "failed")]


def test_two_who_retry_all_retry_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
    receipts = failed_ones(100)

    assert sum(in_threads(lambda index: queuekit.failed.retry_all(), 3)) == 100

    assert counts() == {"ready": 100, "finished": 100}
    assert len(states()["ready"]) == len(receipts)
