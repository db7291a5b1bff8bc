"""Short words for what the tests do: use a database, look into its tables, claim, settle, fail.

Whatever is asked here goes to the database in use, which the `database` fixture sets.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from queuekit import BoundJob, Receipt, application
from queuekit.config import Configuration
from queuekit.database import Connection, Database, Row
from queuekit.database.queries import Query, split
from queuekit.executions import turn
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, START, Position, Result, Turn
from queuekit.processes.registration import Registration
from tests.databases import PostgreSQLDatabases
from tests.dialects.sample_jobs import note
from tests.servers import Server

T = TypeVar("T")

STATES = ("scheduled", "ready", "blocked", "claimed", "failed", "finished")

#: What threads and servers get to do what they should, before a test gives up.
PATIENCE = 30.0


# The database in use


@contextmanager
def in_use(url: str, **settings: Any) -> Iterator[Database]:
    """Make this the database in use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "_configuration", None)
        patch.setattr(application, "_database", None)
        application.use(Configuration(database_url=url, **settings))
        database = application.database()
        try:
            yield database
        finally:
            database.disconnect()
            application.database().disconnect()


def configure(**settings: Any) -> None:
    """The same database with other settings."""
    url = application.configuration().database_url
    application.use(Configuration(database_url=url, **settings))


def misplaced() -> list[Row]:
    """What breaks the invariant "every job has exactly one execution"."""
    return application.database().query("jobs.misplaced", limit=10)


def ask(text: str, **parameters: Any) -> list[Row]:
    """Run a statement on this thread's connection; it commits by itself."""
    database = application.database()
    query = Query(text, tuple(split(text)))
    return database._persist(lambda connection: connection.run(query, parameters), True)


def states() -> dict[str, list[int]]:
    """The row ids of the jobs by state; states without jobs are left out."""
    found = {
        state: [row[0] for row in ask(f"select job_id from queuekit_{state}_executions order by 1")]
        for state in STATES
    }
    return {state: row_ids for state, row_ids in found.items() if row_ids}


def counts() -> dict[str, int]:
    return {state: len(row_ids) for state, row_ids in states().items()}


def attempts(job_id: str) -> list[tuple[int, str]]:
    """Every attempt of a job with its state, or with its outcome when it has finished."""
    rows = ask(
        "select job.attempt, job.id, finished.outcome from queuekit_jobs job "
        "left join queuekit_finished_executions finished on finished.job_id = job.id "
        "where job.uuid = :uuid order by job.attempt",
        uuid=job_id,
    )
    now = {row_id: state for state, row_ids in states().items() for row_id in row_ids}
    return [(attempt, outcome or now[row_id]) for attempt, row_id, outcome in rows]


def broken(bound: BoundJob) -> BoundJob:
    """A job that every database refuses: it has no queue."""
    nowhere = bound._description._replace(queue=None)  # type: ignore[arg-type]
    return BoundJob(nowhere, bound.args, bound.kwargs)


# A worker's side


def register(kind: str = "Worker") -> int:
    return Registration(application.database(), kind, {}).id


def silent_for(process_id: int, seconds: float) -> None:
    """Turn a process's last heartbeat back."""
    heartbeat = application.database().from_database(
        ask("select last_heartbeat_at from queuekit_processes where id = :id", id=process_id)[0][0]
    )
    assert heartbeat is not None
    ask(
        "update queuekit_processes set last_heartbeat_at = :at where id = :id",
        at=application.database().to_database(heartbeat - timedelta(seconds=seconds)),
        id=process_id,
    )


def take(
    process_id: int,
    results: Sequence[Result] = (),
    *,
    queue: str | None = None,
    limit: int = 1000,
    preserve_finished: bool = True,
    after: Position = START,
) -> Turn:
    return turn.take(
        application.database(),
        process_id,
        results,
        queue=queue,
        limit=limit,
        preserve_finished=preserve_finished,
        after=after,
    )


def claim(process_id: int, limit: int = 1000, queue: str | None = None) -> list[ClaimedJob]:
    return list(take(process_id, limit=limit, queue=queue).claimed)


def finished(job: ClaimedJob) -> Result:
    return Result(job.row_id, FINISHED, concurrency_key=job.concurrency_key)


def failed(job: ClaimedJob, error: Exception | None = None) -> Result:
    described = describe_error(error or ValueError("it broke"))
    return Result(job.row_id, FAILED, described, concurrency_key=job.concurrency_key)


def fail(*receipts: Receipt, error: Exception | None = None) -> None:
    """Let these ready jobs fail. Whatever else is ready finishes."""
    process_id = register()
    wanted = {receipt.row_id for receipt in receipts}
    jobs = claim(process_id)
    assert wanted <= {job.row_id for job in jobs}
    results = [failed(job, error) if job.row_id in wanted else finished(job) for job in jobs]
    take(process_id, results, limit=0)


def failed_note(value: Any = None, *, queue: str | None = None) -> Receipt:
    """A job that has failed."""
    receipt = note.using(queue=queue).enqueue(value)
    fail(receipt)
    return receipt


def finish_everything() -> None:
    """Let every ready job finish."""
    process_id = register()
    take(process_id, [finished(job) for job in claim(process_id)], limit=0)


# Threads


def in_threads(work: Callable[[int], T], number: int) -> list[T]:
    """What `work` returns in each of so many threads, which begin it at the same time."""
    barrier = threading.Barrier(number)

    def begin(index: int) -> T:
        barrier.wait(PATIENCE)
        try:
            return work(index)
        finally:
            application.database().disconnect()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


@contextmanager
def in_background(work: Callable[[], T]) -> Iterator[Future[T]]:
    """`work` in a thread of its own; its end is waited for."""

    def begin() -> T:
        try:
            return work()
        finally:
            application.database().disconnect()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(begin)


def wait_until(condition: Callable[[], object], interval: float = 0.01) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(interval)


def wait_until_blocked(server: Server | None, future: Future[Any]) -> None:
    """Return when the server says that somebody waits for a lock. SQLite cannot say it: there, when
    the work has had time to end and has not."""
    if server is None:
        time.sleep(0.05)
    else:
        # MariaDB and MySQL show what was so at most 0.1 s ago, if they are not asked more often.
        wait_until(lambda: future.done() or anybody_waits(server), interval=0.12)
    assert not future.done(), "it did not wait"


def anybody_waits(server: Server) -> bool:
    url = application.configuration().database_url
    with server.databases.connection(url) as connection:
        if isinstance(server.databases, PostgreSQLDatabases):
            found = connection.execute(
                "select 1 from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchall()
        else:
            connection.execute(
                "select 1 from information_schema.innodb_trx t"
                " join information_schema.processlist p on p.id = t.trx_mysql_thread_id"
                " where p.db = database() and t.trx_state = 'LOCK WAIT'"
            )
            found = connection.fetchall()
    return bool(found)


class Counted:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Connection, asked: Counter[str]) -> None:
        self._connection = connection
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def run(self, query: Any, parameters: Any) -> Any:
        self._asked[query.name] += 1
        return self._connection.run(query, parameters)
