"""Behind a transaction-mode pooler each transaction may meet another backend of the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import queuekit
from queuekit import application
from queuekit.database import open_database, prepare
from queuekit.database.dialect import Connection
from queuekit.database.url import parse
from queuekit.executions.ready import any_waiting
from tests.database.pgbouncer import PgBouncer
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    claim,
    counts,
    finished,
    in_threads,
    in_use,
    misplaced,
    register,
    take,
)
from tests.servers import Server

pytestmark = [
    pytest.mark.databases("postgresql"),
    pytest.mark.skipif(PgBouncer.binary() is None, reason="pgbouncer is not installed"),
]


@pytest.fixture
def pooled_url(server: Server, database_url: str) -> Iterator[str]:
    """The prepared database through a pooler with two backends."""
    name = parse(database_url).database
    with PgBouncer(server.url) as pooler:
        yield pooler.url(name)


def everything(index: int) -> int:
    """Enqueue, schedule, claim, settle, beat: often enough for statements to be prepared."""
    worker = register()
    ran = 0
    for number in range(30):
        note.enqueue(number)
        queuekit.enqueue_all([note.bind(number), note.using(wait=60).bind(number)])
        jobs = claim(worker, 2)
        ran += len(take(worker, [finished(job) for job in jobs], limit=0).settled)
        assert application.database().query("processes.heartbeat", process_id=worker)
        assert application.database().query("processes.children", supervisor_id=worker) == []
        application.database().transact(pause_and_resume)
    return ran


def pause_and_resume(connection: Connection) -> None:
    database = application.database()
    connection.run(database.named("queues.pause"), {"queue_name": "elsewhere"})
    connection.run(database.named("queues.resume"), {"queue_name": "elsewhere"})


def test_threads_enqueue_and_take_turns_through_it(pooled_url: str) -> None:
    with in_use(pooled_url):
        ran = sum(in_threads(everything, 6))

        assert counts() == {"scheduled": 180, "finished": ran} | ready(360 - ran)
        assert misplaced() == []


def ready(number: int) -> dict[str, int]:
    return {"ready": number} if number else {}


def test_a_pooler_is_noticed_and_nothing_is_prepared(pooled_url: str, database_url: str) -> None:
    prepared = "select count(*) from pg_prepared_statements"
    with in_use(pooled_url):
        for number in range(10):
            note.enqueue(number)
        assert ask(prepared) == [(0,)]
    with in_use(database_url):
        for number in range(10):
            note.enqueue(number)
        assert ask(prepared)[0][0] > 0
    with in_use(f"{database_url}?prepare=off"):
        for number in range(10):
            note.enqueue(number)
        assert ask(prepared) == [(0,)]


def test_a_statement_never_stands_for_another_clients(pooled_url: str) -> None:
    """The name under which one client has prepared is another statement's on the next backend."""
    with in_use(pooled_url) as database:
        worker = register()
        first, second, one, other = (database.connect() for _ in range(4))
        beat, children = database.named("processes.heartbeat"), database.named("processes.children")

        first.begin()
        first.execute("select 1", {})
        for _ in range(10):
            assert one.run(beat, {"process_id": worker})
        second.begin()
        second.execute("select 1", {})
        first.commit()
        for _ in range(10):
            assert other.run(children, {"supervisor_id": worker}) == []

        assert one.run(beat, {"process_id": worker}) == [(worker,)]

        second.commit()
        for connection in (first, second, one, other):
            connection.close()


def test_prepared_statements_that_the_pooler_loses_are_got_over(pooled_url: str) -> None:
    """As where a pooler cannot be noticed: the connection stops preparing after the first error."""
    with in_use(f"{pooled_url}?prepare=on") as database:

        def work(index: int) -> None:
            for number in range(30):
                note.enqueue(number)

        in_threads(work, 4)
        work(0)

        assert counts() == {"ready": 150}
        assert misplaced() == []
        assert any_waiting(database)


def test_a_database_can_be_prepared_through_it(server: Server, empty_url: str) -> None:
    with PgBouncer(server.url) as pooler:
        url = pooler.url(parse(empty_url).database)
        assert prepare(url)
        assert prepare(url) == []
        with in_use(url):
            note.enqueue()
            assert counts() == {"ready": 1}


def test_a_pooler_that_is_restarted_is_got_over(server: Server, database_url: str) -> None:
    name = parse(database_url).database
    with in_use(database_url):
        with PgBouncer(server.url) as pooler:
            port = pooler.port
            database = open_database(pooler.url(name))
            configure_url(pooler.url(name))
            note.enqueue(1)
        again = PgBouncer(server.url)
        again.port = port
        with again:
            note.enqueue(2)
            application.database().disconnect()
        configure_url(database_url)
        assert counts() == {"ready": 2}
        database.disconnect()


def configure_url(url: str) -> None:
    from queuekit.config import Configuration

    application.use(Configuration(database_url=url))
