"""after_commit: the job is written after the application's transaction, or never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import queuekit
from queuekit import EnqueueError, EnqueueOptionError, deferral
from tests.dialects.sample_jobs import mail
from tests.dialects.support import broken, counts, states


@queuekit.job(after_commit=True)
def patient(number: int) -> None: ...


class Patient(queuekit.Job):
    after_commit = True

    def perform(self, number: int) -> None: ...


@pytest.fixture
def commits() -> Iterator[list[Callable[[], object]]]:
    """A framework whose open transaction is this list: what is in it is called after the commit."""
    waiting: list[Callable[[], object]] = []

    def source(work: Callable[[], object]) -> bool:
        waiting.append(work)
        return True

    with registered(source):
        yield waiting


@contextmanager
def registered(source: deferral.Source) -> Iterator[None]:
    queuekit.on_commit_of(source)
    try:
        yield
    finally:
        deferral._sources.remove(source)


def test_in_a_block_the_job_is_written_at_its_end(database_url: str) -> None:
    with queuekit.enqueue_after_commit():
        receipt = patient.enqueue(1)
        Patient.enqueue(2)
        mail.using(after_commit=True, wait=3600).enqueue(3)
        assert counts() == {}
        assert (receipt.status, receipt.row_id, receipt.is_enqueued) == ("deferred", None, False)

    assert counts() == {"ready": 2, "scheduled": 1}


def test_a_block_that_raises_drops_its_jobs(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), queuekit.enqueue_after_commit():
        patient.enqueue(1)
        raise ZeroDivisionError

    assert counts() == {}


def test_only_jobs_that_ask_for_it_wait(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), queuekit.enqueue_after_commit():
        mail.enqueue(1)
        patient.using(after_commit=False).enqueue(2)
        raise ZeroDivisionError

    assert counts() == {"ready": 2}


def test_the_outer_block_decides(database_url: str) -> None:
    with queuekit.enqueue_after_commit():
        with queuekit.enqueue_after_commit():
            patient.enqueue(1)
        assert counts() == {}
        with pytest.raises(ZeroDivisionError), queuekit.enqueue_after_commit():
            patient.enqueue(2)
            raise ZeroDivisionError

    assert counts() == {"ready": 1}


def test_without_a_transaction_the_job_is_written_at_once(database_url: str) -> None:
    assert patient.enqueue(1).is_enqueued
    assert counts() == {"ready": 1}


def test_many_jobs_wait_together(database_url: str) -> None:
    with queuekit.enqueue_after_commit():
        receipts = queuekit.enqueue_all([patient.bind(1), mail.bind(2)])
        assert [receipt.status for receipt in receipts] == ["deferred", "deferred"]
        assert counts() == {}

    assert counts() == {"ready": 2}


def test_what_waited_is_written_in_one_transaction(database_url: str) -> None:
    with pytest.raises(EnqueueError), queuekit.enqueue_after_commit():
        patient.enqueue(1)
        queuekit.enqueue_all([broken(patient.bind(2))])

    assert counts() == {}


def test_a_frameworks_transaction_says_when(
    database_url: str, commits: list[Callable[[], object]]
) -> None:
    patient.enqueue(1)
    assert counts() == {}

    for work in commits:
        work()

    assert counts() == {"ready": 1}


def test_frameworks_without_a_transaction_are_passed_over(database_url: str) -> None:
    with registered(lambda work: False):
        assert patient.enqueue(1).is_enqueued


def test_the_callers_connection_comes_first(database_url: str) -> None:
    with pytest.raises(EnqueueOptionError, match="give one of them"):
        mail.using(after_commit=True, connection=object())


def test_other_threads_do_not_wait(database_url: str) -> None:
    with queuekit.enqueue_after_commit():
        thread = threading.Thread(target=patient.enqueue, args=(1,))
        thread.start()
        thread.join()
        assert len(states()["ready"]) == 1
