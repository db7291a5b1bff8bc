"""Calls of jobs. Both type checkers must object to the lines marked as wrong, and to no others.

Nothing here is ever run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import assert_type

import queuekit
from queuekit import BoundJob, CurrentJob, Discard, Receipt, Rescue, Retry


@queuekit.job
def welcome(user_id: int, greeting: str = "Hello", *, shout: bool = False) -> str:
    return greeting


@queuekit.job(queue="mailers", priority=5, name="mail.remind")
def remind(*addresses: str) -> None: ...


@queuekit.job(timeout=5)
async def fetch(url: str, *, tries: int = 3) -> bytes:
    return b""


@queuekit.job(recurring=["every hour", {"key": "nightly", "schedule": "every day at 1am"}])
def sweep() -> None: ...


class ApplicationJob(queuekit.Job):
    queue = "backend"


class Export(ApplicationJob):
    priority = 10

    def perform(self, account: int, *, full: bool = False) -> list[str]:
        return []


class Crawl(ApplicationJob):
    async def perform(self, url: str, depth: int = 1) -> int:
        return depth


class Cleanup(queuekit.Job):
    recurring = "every hour"

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


async def async_jobs() -> None:
    assert_type(await fetch("/"), bytes)
    assert_type(await fetch.perform_now("/", tries=1), bytes)
    assert_type(await Crawl.perform_now("/"), int)
    assert_type(fetch.enqueue("/"), Receipt)
    assert_type(await fetch.aenqueue("/", tries=1), Receipt)
    assert_type(await fetch.using(wait=5).aenqueue("/"), Receipt)
    assert_type(await Crawl.aenqueue("/", 2), Receipt)
    assert_type(await Crawl.using(wait=5).aenqueue("/"), Receipt)
    assert_type(await welcome.aenqueue(1), Receipt)
    assert_type(await queuekit.aenqueue_all([fetch.bind("/"), welcome.bind(1)]), list[Receipt])

    await fetch.perform_now(1)  # wrong
    await fetch.enqueue("/")  # wrong
    await fetch.aenqueue()  # wrong
    await fetch.aenqueue("/", 1)  # wrong
    await fetch.using(wait=5).aenqueue(1)  # wrong
    await Crawl.aenqueue("/", "2")  # wrong
    await Crawl.perform_now()  # wrong
    await welcome.perform_now(1)  # wrong
    await welcome.aenqueue("1")  # wrong
    await queuekit.aenqueue_all(fetch.bind("/"))  # wrong


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
    assert_type(receipts[0].row_id, int | None)
    assert_type(receipts[0].is_enqueued, bool)
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


def tell(job: CurrentJob, error: BaseException) -> None: ...
def too_few(job: CurrentJob) -> None: ...
def by_account(account: int, *, full: bool = False) -> str:
    return f"account-{account}"


def policies() -> None:
    Retry(OSError, ValueError, wait=5, attempts=None, jitter=0.0, queue="slow", priority=3)
    Retry(OSError, wait=timedelta(minutes=1), on_exhausted=tell)
    Retry(OSError, wait="polynomially_longer")
    Retry(OSError, wait=lambda n: n * 2)
    Retry(OSError, wait=lambda n, error: timedelta(seconds=n))
    Discard(OSError, handler=tell)
    Rescue(OSError, handler=tell)

    Retry("OSError")  # wrong
    Retry(int)  # wrong
    Retry(OSError())  # wrong
    Retry(OSError, wait=None)  # wrong
    Retry(OSError, attempts="5")  # wrong
    Retry(OSError, priority="high")  # wrong
    Retry(OSError, on_exhausted=too_few)  # wrong
    Retry(OSError, tries=5)  # wrong
    Discard(OSError, handler=5)  # wrong
    Rescue(OSError)  # wrong
    Rescue(OSError, handler=too_few)  # wrong


@queuekit.job(
    queue=by_account,
    aliases=["old.charge"],
    retry_on=[Retry(OSError, attempts=3), TimeoutError],
    discard_on=LookupError,
    rescue_from=Rescue(ArithmeticError, handler=tell),
    after_discard=[tell],
    redact=("full",),
)
def charge(account: int, *, full: bool = False) -> None: ...


class Charge(queuekit.Job):
    queue = by_account
    aliases = ("old.Charge",)
    retry_on = Retry(OSError, attempts=3)
    discard_on = (LookupError, Discard(OSError, handler=tell))
    rescue_from = (Rescue(ArithmeticError, handler=tell),)
    after_discard = tell
    redact = ("full",)

    def perform(self, account: int, *, full: bool = False) -> None: ...


class WrongRetry(queuekit.Job):
    retry_on = 5  # wrong


class WrongDiscard(queuekit.Job):
    discard_on = "LookupError"  # wrong


class WrongRescue(queuekit.Job):
    rescue_from = OSError  # wrong


class WrongHandler(queuekit.Job):
    after_discard = 5  # wrong


class WrongRedaction(queuekit.Job):
    redact = 5  # wrong


def options_of_jobs() -> None:
    charge.enqueue(1, full=True)
    Charge.enqueue(1, full=True)

    queuekit.job(retry_on=5)  # wrong
    queuekit.job(retry_on="OSError")  # wrong
    queuekit.job(discard_on=[5])  # wrong
    queuekit.job(rescue_from=OSError)  # wrong
    queuekit.job(after_discard=too_few)  # wrong
    queuekit.job(redact=5)  # wrong
    queuekit.job(aliases=5)  # wrong
    queuekit.job(queue=lambda: 5)  # wrong
    charge.enqueue("1")  # wrong
    Charge.enqueue("1")  # wrong


def callbacks() -> None:
    @queuekit.before_enqueue
    def look(job: BoundJob) -> None:
        assert_type(job.queue, str)

    @charge.around_perform
    def around(job: CurrentJob) -> Iterator[None]:
        yield

    @Charge.after_enqueue
    def told(job: BoundJob, receipt: Receipt) -> None:
        assert_type(receipt.row_id, int | None)

    look(charge.bind(1))
    charge.before_perform(5)  # wrong
    Charge.before_perform(5)  # wrong
    look(5)  # wrong


def restore(value: object) -> AbstractContextManager[None]:
    return nullcontext()


def contexts() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    queuekit.propagate("variable", variable)
    queuekit.propagate("account", capture=lambda: 7, restore=restore)
    assert_type(queuekit.context.job_id, str)
    assert_type(queuekit.context.attempt, int)
    assert_type(queuekit.context.is_stopping, bool)
    assert_type(queuekit.context.scheduled_at, datetime | None)
    queuekit.context.retry(wait=timedelta(minutes=1), queue="slow")

    queuekit.propagate(5, variable)  # wrong
    queuekit.propagate("variable", "variable")  # wrong
    queuekit.propagate("account", restore=lambda value: 5)  # wrong
    queuekit.context.retry("slow")  # wrong
    queuekit.context.attempt = 5  # wrong


def operators() -> None:
    assert_type(queuekit.queues.sizes(), dict[str, int])
    assert_type(queuekit.failed.count(queue="mailers"), int)
    for job in queuekit.failed.list(limit=5):
        assert_type(job.error.message, str)
        queuekit.failed.retry(job.job_id)

    for attempt in queuekit.jobs.history("some id"):
        assert_type(attempt.outcome, str | None)

    queuekit.jobs.history(5)  # wrong
    queuekit.failed.retry(5)  # wrong
    queuekit.queues.pause(None)  # wrong
