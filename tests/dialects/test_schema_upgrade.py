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
from queuekit.executions.errors import describe_error
from queuekit.ids import new_job_id
from queuekit.processes import registration
from queuekit.processes.registration import Burial
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed,
    finished,
    in_use,
    register,
    take,
)

PREVIOUS = Path(__file__).parent / "previous"
DIED = ValueError("it died")
NAME = "tests.dialects.sample_jobs.note"

all_of = all_migrations.all_of


class Previous:
    """A process of the version that knew only migration 0001: its statements, word for word."""

    def __init__(self, database: Database) -> None:
        text = (PREVIOUS / f"{database.dialect.name}.sql").read_text()
        # Under names of their own: connections remember what they have rendered by name.
        self._queries: dict[str, Query] = {
            query.name: Query(f"previous.{query.name}", query.statements) for query in _parse(text)
        }
        self._database = database

    def query(self, name: str, **parameters: Any) -> list[Row]:
        query = self._queries[name]
        return self._database.transact(lambda connection: connection.run(query, parameters))

    def enqueue(self, value: int) -> str:
        """One job, by the statement for one."""
        job = self._job(value)
        self.query("jobs.enqueue_one", **(job | {"at": None, "wait": None}))
        return str(job["uuid"])

    def enqueue_all(self, *values: int) -> list[str]:
        jobs = [self._job(value) for value in values]
        self.query("jobs.enqueue", jobs=json.dumps(jobs))
        return [str(job["uuid"]) for job in jobs]

    def bury(self, process_id: int) -> list[str]:
        parameters = {"process_id": process_id, "silent_for": 0.0, "error": describe_error(DIED)}
        return [row[0] for row in self.query("processes.bury", **parameters)]

    def _job(self, value: int) -> dict[str, Any]:
        return {
            "uuid": new_job_id(),
            "queue_name": "default",
            "class_name": NAME,
            "arguments": dump([value], {}),
            "priority": 0,
        }


@pytest.fixture
def database(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database as the previous version has made it."""
    monkeypatch.setattr(all_migrations, "all_of", lambda dialect: all_of(dialect)[:1])
    assert [migration.version for migration in prepare(empty_url)] == [1]
    with in_use(empty_url) as database:
        database.query("ready.peek")  # SQLite's connections look for migrations when they open
        yield database


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `bin/jobs prepare` of this version does."""
    monkeypatch.setattr(all_migrations, "all_of", all_of)
    url = application.configuration().database_url
    assert [migration.version for migration in prepare(url)] == [
        migration.version for migration in all_of(open_database(url).dialect.name)[1:]
    ]


def test_rows_of_before_are_as_they_were(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous = Previous(database)
    ready, running, broken = previous.enqueue_all(1, 2, 3)
    worker = register()
    by_id = {job.job_id: job for job in claim(worker)}
    take(worker, [failed(by_id[broken])], limit=0)
    release = registration.Registration(database, "Worker", {})
    ask(
        "update queuekit_claimed_executions set process_id = :id where job_id = :job",
        id=release.id,
        job=by_id[ready].row_id,
    )
    release.leave()
    before = ask("select id, uuid, attempt, arguments, created_at from queuekit_jobs order by id")

    upgrade(monkeypatch)

    columns = "id, uuid, attempt, arguments, created_at"
    assert ask(f"select {columns} from queuekit_jobs order by id") == before
    assert ask("select distinct process_deaths, max_process_deaths from queuekit_jobs") == [
        (0, None)
    ]
    assert [attempts(job)[0][1] for job in (ready, running, broken)] == [
        "ready",
        "claimed",
        "failed",
    ]


def test_jobs_of_before_live_on_under_this_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Previous(database).enqueue(1)
    worker = register()
    claim(worker)

    upgrade(monkeypatch)
    configuration = application.configuration()
    burial = registration.bury(database, configuration, worker, DIED)
    assert burial == Burial(failed=(job,))
    queuekit.failed.retry(job)
    (again,) = claim(register())

    assert (again.job_id, again.attempt) == (job, 2)


def test_a_process_of_before_goes_on_on_the_new_schema(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous = Previous(database)
    upgrade(monkeypatch)

    one = previous.enqueue(1)
    two, three = previous.enqueue_all(2, 3)
    worker = register()
    jobs = {job.job_id: job for job in claim(worker)}
    assert jobs.keys() == {one, two, three}
    take(worker, [finished(jobs[one]), failed(jobs[two])], limit=0)
    assert previous.bury(worker) == [three]

    retried = [jobs[two].row_id, jobs[three].row_id]
    previous.query("failed.retry", job_ids=json.dumps(retried), preserve_finished=True)

    assert counts() == {"finished": 3, "ready": 2}
    assert attempts(three) == [(1, "retried"), (2, "ready")]


def test_a_process_of_before_and_one_of_now_work_on_the_same_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    previous = Previous(database)

    @queuekit.job(name="upgraded", on_process_death="retry", max_process_deaths=5)
    def upgraded() -> None: ...

    job = upgraded.enqueue()
    claim(worker := register())
    registration.bury(database, application.configuration(), worker, DIED)
    claim(worker := register())
    assert previous.bury(worker) == [job.job_id]  # it knows of no retrying, and fails it

    (row_id,) = (found.row_id for found in queuekit.failed.list())
    previous.query("failed.retry", job_ids=json.dumps([row_id]), preserve_finished=True)

    assert attempts(job.job_id) == [(1, "retried"), (2, "retried"), (3, "ready")]


def test_a_process_of_before_finds_the_new_schema_current(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    monkeypatch.setattr(all_migrations, "all_of", lambda dialect: all_of(dialect)[:1])

    connection = database.connect()
    try:
        assert missing(connection, database.dialect) == []
        assert migrate(connection, database.dialect) == []
    finally:
        connection.close()


def test_a_migration_that_was_cut_off_is_begun_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL commits each statement by itself: what was done before stands, without its record."""
    upgrade(monkeypatch)
    if database.dialect.name == "mysql":
        ask("delete from queuekit_schema_migrations where version > 1")
        ask("alter table queuekit_jobs drop column max_process_deaths")
        upgrade(monkeypatch)

    assert ask("select max_process_deaths, process_deaths from queuekit_jobs") == []
