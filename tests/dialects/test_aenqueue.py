"""Enqueueing from an event loop: in a thread, or in the transaction of an AsyncConnection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import queuekit
from queuekit import EnqueueError, EnqueueOptionError, SignatureError
from queuekit.arguments import load
from tests.dialects.sample_jobs import Export, mail, note
from tests.dialects.support import ask, counts, states

postgresql_only = pytest.mark.databases("postgresql")
pytestmark = pytest.mark.usefixtures("database_url")

tenant: ContextVar[str | None] = ContextVar("aenqueue_tenant", default=None)


@pytest.fixture
def _tenants() -> Iterator[None]:
    queuekit.propagate("aenqueue_tenant", tenant)
    yield
    queuekit.stop_propagating("aenqueue_tenant")


def stored_arguments() -> list[Any]:
    return [load(text)[0] for (text,) in ask("select arguments from queuekit_jobs order by id")]


# In a thread


def test_what_is_awaited_is_enqueued() -> None:
    async def enqueue() -> list[queuekit.Receipt]:
        return [
            await note.aenqueue(1),
            await Export.aenqueue(7, full=True),
            await mail.using(wait=60).aenqueue(42),
            *await queuekit.aenqueue_all(note.bind(number) for number in range(3)),
        ]

    receipts = asyncio.run(enqueue())

    assert counts() == {"ready": 5, "scheduled": 1}
    assert len({receipt.row_id for receipt in receipts}) == 6
    assert receipts[2].scheduled_at is not None
    assert stored_arguments()[:3] == [[1], [7], [42]]


def test_the_loop_goes_on_meanwhile() -> None:
    """The hook runs where the job is written."""
    threads: list[threading.Thread] = []
    goes_on = threading.Event()

    @queuekit.job(name="aenqueue.slow")
    def slow() -> None: ...

    @slow.before_enqueue
    def _(job: queuekit.BoundJob) -> None:
        threads.append(threading.current_thread())
        assert goes_on.wait(60)

    async def enqueue() -> queuekit.Receipt:
        enqueueing = asyncio.create_task(slow.aenqueue())
        while not threads:
            await asyncio.sleep(0.001)
        goes_on.set()
        return await enqueueing

    assert asyncio.run(enqueue()).is_enqueued
    assert threads[0] is not threading.current_thread()


@pytest.mark.usefixtures("_tenants")
def test_the_tasks_context_travels() -> None:
    async def enqueue(name: str) -> None:
        tenant.set(name)
        await note.aenqueue(name)

    async def enqueue_two() -> None:
        await asyncio.gather(enqueue("one"), enqueue("two"))

    asyncio.run(enqueue_two())

    rows = ask("select context, arguments from queuekit_jobs")
    travelled = {load(context)[1]["aenqueue_tenant"]: load(args)[0] for context, args in rows}
    assert travelled == {"one": ["one"], "two": ["two"]}


def test_errors_are_those_of_enqueue() -> None:
    with pytest.raises(SignatureError):
        asyncio.run(mail.aenqueue())  # type: ignore[call-arg]
    with pytest.raises(EnqueueOptionError, match="enqueue_all takes jobs with their arguments"):
        asyncio.run(queuekit.aenqueue_all([mail]))  # type: ignore[list-item]
    assert states() == {}


def test_a_task_that_is_cancelled_waits_for_what_has_begun() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    @queuekit.job(name="aenqueue.cancelled")
    def job() -> None: ...

    @job.before_enqueue
    def _(bound: queuekit.BoundJob) -> None:
        begun.set()
        assert goes_on.wait(60)

    async def enqueue() -> None:
        task = asyncio.create_task(job.aenqueue())
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        goes_on.set()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(enqueue())
    assert counts() == {"ready": 1}


# In the caller's transaction


def on_connection(
    url: str, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]], **options: Any
) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(url, **options) as connection:
            await work(connection)

    asyncio.run(run())


@postgresql_only
@pytest.mark.parametrize("autocommit", [False, True])
def test_the_job_is_there_with_the_commit_and_not_before(
    database_url: str, autocommit: bool
) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await mail.using(connection=connection).aenqueue(42)
            await queuekit.aenqueue_all([note.bind(1), note.bind(2)], connection=connection)
            assert states() == {}
        await connection.commit()
        assert counts() == {"ready": 3}

    on_connection(database_url, work, autocommit=autocommit, row_factory=dict_row)


@postgresql_only
def test_a_rollback_drops_it(database_url: str) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        async with connection.transaction(force_rollback=True):
            await mail.using(connection=connection).aenqueue(42)
            await queuekit.aenqueue_all([note.bind(1)], connection=connection)
        await connection.commit()

    on_connection(database_url, work)
    assert states() == {}


@postgresql_only
def test_outside_of_a_transaction_many_are_all_or_none(database_url: str) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        jobs = [note.using(connection=connection, wait=number).bind(number) for number in (0, 9)]
        await queuekit.aenqueue_all([*jobs, note.bind("x")])

    on_connection(database_url, work, autocommit=True)
    assert sum(counts().values()) == 3


@postgresql_only
def test_a_connection_that_is_lost_is_said(database_url: str) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.close()
        with pytest.raises(EnqueueError, match="the connection given"):
            await mail.using(connection=connection).aenqueue(42)

    on_connection(database_url, work)


@postgresql_only
def test_a_task_that_is_cancelled_leaves_the_transaction_in_order(database_url: str) -> None:
    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        async def enqueue() -> None:
            async with connection.transaction():
                await mail.using(connection=connection).aenqueue(42)
                await asyncio.sleep(60)

        for delay in (0, 0.0005, 0.001, 0.002, 0.004, 0.008):
            task = asyncio.create_task(enqueue())
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await connection.commit()

    on_connection(database_url, work)
    assert states() == {}
