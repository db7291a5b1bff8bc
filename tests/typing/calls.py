"""Calls of jobs. Both type checkers must object to the lines marked as wrong, and to no others.

Nothing here is ever run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

import queuekit
from queuekit import BoundJob, Receipt


@queuekit.job
def welcome(user_id: int, greeting: str = "Hello", *, shout: bool = False) -> str:
    return greeting


@queuekit.job(queue="mailers", priority=5, name="mail.remind")
def remind(*addresses: str) -> None: ...


class ApplicationJob(queuekit.Job):
    queue = "backend"


class Export(ApplicationJob):
    priority = 10

    def perform(self, account: int, *, full: bool = False) -> list[str]:
        return []


class Cleanup(queuekit.Job):
    def perform(self) -> None: ...


def function_jobs() -> None:
    assert_type(welcome(1, "Hi", shout=True), str)
    assert_type(welcome.perform_now(1), str)
    assert_type(welcome.enqueue(1, greeting="Hi"), Receipt)
    assert_type(welcome.bind(user_id=1), BoundJob)
    assert_type(welcome.using(queue="slow").enqueue(1), Receipt)
    assert_type(welcome.using(wait=5).bind(1), BoundJob)
    remind.enqueue("a@example.org", "b@example.org")
    remind.enqueue()

    welcome()  # wrong
    welcome("1")  # wrong
    welcome.perform_now(1, shout="yes")  # wrong
    welcome.enqueue()  # wrong
    welcome.enqueue("1")  # wrong
    welcome.enqueue(1, "Hi", True)  # wrong
    welcome.enqueue(1, loud=True)  # wrong
    welcome.bind(None)  # wrong
    welcome.using(queue="slow").enqueue("1")  # wrong
    welcome.using(queue="slow").bind()  # wrong
    remind.enqueue(1)  # wrong
    remind.enqueue(address="a@example.org")  # wrong


def class_jobs() -> None:
    assert_type(Export.perform_now(1), list[str])
    assert_type(Export.enqueue(1, full=True), Receipt)
    assert_type(Export.bind(account=1), BoundJob)
    assert_type(Export.using(priority=1).enqueue(1), Receipt)
    assert_type(Export.using(priority=1).bind(1), BoundJob)
    assert_type(Export().perform(1), list[str])
    Cleanup.enqueue()
    Cleanup.using(wait=timedelta(hours=1)).enqueue()

    Export.enqueue()  # wrong
    Export.enqueue("1")  # wrong
    Export.enqueue(1, True)  # wrong
    Export.enqueue(1, fully=True)  # wrong
    Export.bind(1, full="yes")  # wrong
    Export.perform_now(None)  # wrong
    Export.using(priority=1).enqueue("1")  # wrong
    Export.using(priority=1).bind()  # wrong
    Cleanup.enqueue(1)  # wrong
    ApplicationJob.enqueue()  # wrong


def options() -> None:
    moment = datetime(2030, 1, 31, tzinfo=UTC)
    welcome.using(queue="slow", priority=-5, at=moment, connection=object()).enqueue(1)
    welcome.using(wait=timedelta(minutes=5)).enqueue(1)
    welcome.using(wait=1.5).enqueue(1)
    Export.using(at=moment).enqueue(1)

    welcome.using("slow")  # wrong
    welcome.using(queue=5)  # wrong
    welcome.using(priority="high")  # wrong
    welcome.using(wait="5m")  # wrong
    welcome.using(at="tomorrow")  # wrong
    welcome.using(when=moment)  # wrong
    Export.using(priority="high")  # wrong
    Export.using(when=moment)  # wrong


def many() -> None:
    receipts = queuekit.enqueue_all(welcome.bind(number) for number in range(5))
    assert_type(receipts, list[Receipt])
    queuekit.enqueue_all([welcome.bind(1), Export.bind(1), remind.using(queue="q").bind("a")])
    queuekit.enqueue_all([], connection=object())
    assert_type(receipts[0].job_id, str)
    assert_type(receipts[0].row_id, int)
    assert_type(receipts[0].scheduled_at, datetime | None)

    queuekit.enqueue_all(welcome.bind(1))  # wrong
    queuekit.enqueue_all([welcome])  # wrong
    queuekit.enqueue_all([welcome.enqueue(1)])  # wrong
    receipts[0].job_id = "another"  # wrong


def declarations() -> None:
    queuekit.job(queue=5)  # wrong
    queuekit.job(priority="high")  # wrong
    queuekit.job(quue="mailers")  # wrong
    queuekit.job(5)  # wrong


def operators() -> None:
    assert_type(queuekit.queues.sizes(), dict[str, int])
    assert_type(queuekit.failed.count(queue="mailers"), int)
    for job in queuekit.failed.list(limit=5):
        assert_type(job.error.message, str)
        queuekit.failed.retry(job.job_id)

    queuekit.failed.retry(5)  # wrong
    queuekit.queues.pause(None)  # wrong
