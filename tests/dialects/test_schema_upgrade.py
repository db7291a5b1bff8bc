"""A migration meets a database in use, and processes of the version before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import application
from queuekit.arguments import dump
from queuekit.database import Database, Row, migrate, missing, open_database, prepare
from queuekit.database import migrations as all_migrations
from queuekit.database.queries import Query, _parse
from queuekit.executions import ready, semaphores, turn
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import NextAttempt, Result
from queuekit.ids import new_job_id
from queuekit.processes import registration
from queuekit.processes.registration import Burial
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed,
    finished,
    in_use,
    misplaced,
    register,
    take,
)

PREVIOUS = Path(__file__).parent / "previous"
DIED = ValueError("it died")
NAME = "tests.dialects.sample_jobs.note"

all_of = all_migrations.all_of


#: The versions of the schema that processes may know which still run while it is migrated.
VERSIONS = [1, 2, 3]


class Previous:
    """A process that knows the migrations up to `version`: its statements, word for word."""

    def __init__(self, database: Database, version: int) -> None:
        text = (PREVIOUS / f"{version:04}" / f"{database.dialect.name}.sql").read_text()
        # Under names of their own: connections remember what they have rendered by name.
        self._queries: dict[str, Query] = {
            query.name: Query(f"previous.{version}.{query.name}", query.statements)
            for query in _parse(text)
        }
        self._database = database
        self.version = version

    def query(self, name: str, **parameters: Any) -> list[Row]:
        query = self._queries[name]
        return self._database.transact(lambda connection: connection.run(query, parameters))

    def enqueue(self, value: int) -> str:
        """One job, by the statement for one."""
        job = self._job(value)
        none = {"at": None, "wait": None, "max_process_deaths": None, "context": None}
        self.query("jobs.enqueue_one", **(job | none))
        return str(job["uuid"])

    def enqueue_all(self, *values: int) -> list[str]:
        jobs = [self._job(value) for value in values]
        self.query("jobs.enqueue", jobs=json.dumps(jobs))
        return [str(job["uuid"]) for job in jobs]

    def bury(self, process_id: int) -> list[str]:
        """Bury a process as a configuration would that says nothing of deaths."""
        parameters = {
            "process_id": process_id,
            "silent_for": 0.0,
            "error": describe_error(DIED),
            "begun": None,
            "may_retry": True,
            "max_process_deaths": 1,
            "preserve_finished": True,
        }
        rows = self.query("processes.bury", **parameters)
        return [row[0] for row in rows if row[0] is not None]

    def claim(self, process_id: int) -> dict[str, int]:
        """Claim all there is: the row ids by job id."""
        return {row[1]: row[0] for row in self.turn(process_id, [])}

    def turn(self, process_id: int, results: list[Result], limit: int = 100) -> list[Row]:
        """A worker's turn. Returns the rows of what it has claimed."""
        rows = self.query(
            "turn.any_queue",
            process_id=process_id,
            results=turn._stored(results),
            limit=limit,
            preserve_finished=True,
        )
        return [row[1:] for row in rows if row[0] == "claimed"]

    def retry(self, *row_ids: int) -> None:
        """Retry failed jobs by hand."""
        self.query("failed.retry", job_ids=json.dumps(row_ids), preserve_finished=True)

    def _job(self, value: int) -> dict[str, Any]:
        return {
            "uuid": new_job_id(),
            "queue_name": "default",
            "class_name": NAME,
            "arguments": dump([value], {}),
            "priority": 0,
        }


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture
def database(empty_url: str, version: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database as the previous version has made it."""
    monkeypatch.setattr(all_migrations, "all_of", lambda dialect: all_of(dialect)[:version])
    assert [migration.version for migration in prepare(empty_url)] == VERSIONS[:version]
    with in_use(empty_url) as database:
        ready.any_waiting(database)  # SQLite's connections look for migrations when they open
        yield database


@pytest.fixture
def previous(database: Database, version: int) -> Previous:
    return Previous(database, version)


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `bin/jobs prepare` of this version does."""
    url = application.configuration().database_url
    dialect = open_database(url).dialect.name
    known = len(all_migrations.all_of(dialect))
    monkeypatch.setattr(all_migrations, "all_of", all_of)
    assert [migration.version for migration in prepare(url)] == [
        migration.version for migration in all_of(dialect)[known:]
    ]


def died(row_id: int) -> Result:
    return Result(row_id, "failed", describe_error(DIED))


def test_rows_of_before_are_as_they_were(
    previous: Previous, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, running, broken = previous.enqueue_all(1, 2, 3)
    worker = register()
    by_id = previous.claim(worker)
    previous.turn(worker, [died(by_id[broken])], limit=0)
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at) "
        "select id, queue_name, priority, created_at from queuekit_jobs where id = :job",
        job=by_id[ready],
    )
    ask("delete from queuekit_claimed_executions where job_id = :job", job=by_id[ready])
    before = ask("select id, uuid, attempt, arguments, created_at from queuekit_jobs order by id")

    upgrade(monkeypatch)

    columns = "id, uuid, attempt, arguments, created_at"
    assert ask(f"select {columns} from queuekit_jobs order by id") == before
    columns = "process_deaths, max_process_deaths, executions, exception_executions, context"
    assert ask(f"select distinct {columns} from queuekit_jobs") == [(0, None, 0, None, None)]
    assert [attempts(job)[0][1] for job in (ready, running, broken)] == [
        "ready",
        "claimed",
        "failed",
    ]


def test_jobs_of_before_live_on_under_this_version(
    previous: Previous, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = previous.enqueue(1)
    worker = register()
    previous.claim(worker)

    upgrade(monkeypatch)
    configuration = application.configuration()
    burial = registration.bury(database, configuration, worker, DIED)
    assert burial == Burial(failed=(job,))
    queuekit.failed.retry(job)
    (again,) = claim(register())

    assert (again.job_id, again.attempt, again.executions) == (job, 2, 0)


def test_a_process_of_before_goes_on_on_the_new_schema(
    previous: Previous, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)

    one = previous.enqueue(1)
    two, three = previous.enqueue_all(2, 3)
    worker = register()
    jobs = {job.job_id: job for job in claim(worker)}
    assert jobs.keys() == {one, two, three}
    take(worker, [finished(jobs[one]), failed(jobs[two])], limit=0)
    assert previous.bury(worker) == [three]

    previous.retry(jobs[two].row_id, jobs[three].row_id)

    assert counts() == {"finished": 3, "ready": 2}
    assert attempts(three) == [(1, "retried"), (2, "ready")]


def test_a_worker_of_before_runs_what_is_enqueued_now(
    previous: Previous, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    good, bad = (note.enqueue(value).job_id for value in ("good", "bad"))
    worker = register()

    claimed = previous.claim(worker)
    results = [Result(claimed[good], "finished"), died(claimed[bad])]
    assert previous.turn(worker, results) == []

    assert (attempts(good), attempts(bad)) == ([(1, "finished")], [(1, "failed")])


def test_a_worker_of_before_runs_the_next_attempt_of_what_was_retried_now(
    previous: Previous, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    job = note.enqueue("unlucky")
    (claimed,) = claim(worker := register())
    again = NextAttempt(wait=0, executions=1, exception_executions='{"OSError":1}')
    take(worker, [Result(claimed.row_id, "retried", describe_error(DIED), 0.1, again)], limit=0)

    row_ids = previous.claim(older := register())
    previous.turn(older, [died(row_ids[job.job_id])])

    assert attempts(job.job_id) == [(1, "retried"), (2, "failed")]
    queuekit.failed.retry(job.job_id)
    assert [(found.attempt, found.executions) for found in claim(register())] == [(3, 0)]


def test_a_process_of_before_and_one_of_now_work_on_the_same_job(
    previous: Previous, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)

    @queuekit.job(name="upgraded", on_process_death="retry", max_process_deaths=5)
    def upgraded() -> None: ...

    job = upgraded.enqueue()
    claim(worker := register())
    registration.bury(database, application.configuration(), worker, DIED)
    claim(worker := register())
    assert previous.bury(worker) == [job.job_id]

    if previous.version == 1:  # it knows of no retrying, and fails it
        previous.retry(queuekit.failed.show(job.job_id).row_id)

    assert attempts(job.job_id) == [(1, "retried"), (2, "retried"), (3, "ready")]


def test_a_worker_of_before_runs_limited_jobs_and_the_sweep_frees_their_slots(
    previous: Previous, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    first, second = (one_at_a_time.enqueue("a") for _ in range(2))
    row_ids = previous.claim(older := register())
    previous.turn(older, [Result(row_ids[first.job_id], "finished")])
    assert attempts(second.job_id) == [(1, "blocked")]

    semaphores.sweep(database)

    assert attempts(second.job_id) == [(1, "ready")]


def test_a_process_of_before_finds_the_new_schema_current(
    database: Database, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    monkeypatch.setattr(all_migrations, "all_of", lambda dialect: all_of(dialect)[:version])

    connection = database.connect()
    try:
        assert missing(connection, database.dialect) == []
        assert migrate(connection, database.dialect) == []
    finally:
        connection.close()


@pytest.mark.parametrize("version", [1], indirect=True)
@pytest.mark.parametrize(
    ("cut_off", "columns", "tables"),
    [
        (2, ["max_process_deaths"], []),
        (3, ["exception_executions", "context"], ["steps"]),
        (
            4,
            ["concurrency_on_conflict", "throttle_per"],
            ["blocked_executions", "throttle_starts", "unique_keys"],
        ),
        (5, [], ["recurring_executions"]),
    ],
)
def test_a_migration_that_was_cut_off_is_begun_again(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    cut_off: int,
    columns: list[str],
    tables: list[str],
) -> None:
    """MySQL commits each statement by itself: what was done before stands, without its record."""
    upgrade(monkeypatch)
    if database.dialect.name == "mysql":
        ask(f"delete from queuekit_schema_migrations where version >= {cut_off}")
        for column in columns:
            ask(f"alter table queuekit_jobs drop column {column}")
        for table in tables:
            ask(f"drop table queuekit_{table}")
        monkeypatch.setattr(
            all_migrations, "all_of", lambda dialect: all_of(dialect)[: cut_off - 1]
        )
        upgrade(monkeypatch)

    assert ask("select max_process_deaths, executions, context from queuekit_jobs") == []
    assert ask("select * from queuekit_steps") == ask("select * from queuekit_progress") == []
    assert ask("select * from queuekit_recurring_executions") == []
    assert misplaced() == []
