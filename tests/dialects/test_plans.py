"""What the database reads where there is a lot: 100,000 ready jobs in 50 queues, and tens of
thousands in each other state. Whatever a running installation asks again and again looks up what it
needs; what counts everything, for people, may read everything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database
from queuekit.database.queries import find
from queuekit.executions.turn import START
from tests.dialects import plans
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, claim, finish_everything, register

READY = 100_000
OTHERS = 20_000
QUEUES = 50
PRIORITIES = 4

STATES = ("ready", "scheduled", "claimed", "failed", "finished")
BIG = {"queuekit_jobs"} | {f"queuekit_{state}_executions" for state in STATES}

#: The id of a job that is enqueued as one of several that are alike.
ALIKE = "01890000-0000-7000-9000-000000000000"

#: They list, count or check everything: for people, for a process that begins or has died, or, page
#: by page, for what a dispatcher forgets every ten minutes.
READ_ALL = {
    "claimed.orphaned",
    "claimed.running",
    "failed.count",
    "failed.list",
    "finished.count",
    "jobs.counts",
    "jobs.misplaced",
    "jobs.waiting",
    "processes.list",
    "queues.sizes",
    "ready.forget_claimed",
    "testing.claim",
}
#: They are about all claims of a process: it begins, leaves, has died, or lost an answer.
OF_A_PROCESS = {
    "claimed.held",
    "processes.bury",
    "processes.deregister",
}
#: test_limit_plans.py has these, with keys and slots.
ELSEWHERE = {"semaphores.astray", "semaphores.unused", "semaphores.waiting"}

#: What workers and dispatchers, and whoever enqueues, ask all the time.
HOT = (
    "turn.any_queue",
    "turn.one_queue",
    "turn.retry",
    "turn.standing",
    "ready.peek",
    "ready.front",
    "ready.front_of_queue",
    "queues.waiting",
    "scheduled.dispatch",
    "scheduled.next_due",
    "jobs.enqueue",
    "jobs.enqueue_alike",
    "jobs.enqueue_one",
    "claimed.completions",
    "claimed.release",
    "processes.heartbeat",
    "finished.clear",
)


def test_what_is_asked_often_is_looked_up(database: Database) -> None:
    fill()
    worker = register()
    plans.analyze(database.dialect.name, BIG)
    for number in (1, 50, 500):
        jobs = claim(worker, limit=number)
        given = parameters(worker, [job.row_id for job in jobs], jobs[0].job_id)
        read_through = read_through_by(database.dialect.name, given)
        assert read_through == {name: [] for name in read_through}, f"for {number} jobs"
        assert read_through.keys() >= {*HOT}


def read_through_by(dialect: str, given: plans.Given) -> dict[str, list[str]]:
    return {
        query.name: plans.read_through(dialect, query, given, BIG)
        for query in plans.askable(dialect, given)
        if query.name not in READ_ALL | OF_A_PROCESS | ELSEWHERE
    }


def test_what_is_asked_often_reads_few_rows(database: Database) -> None:
    """EXPLAIN does not tell how far MySQL and MariaDB read until they find the next one; they count
    it. A few rows for each job that is asked about, and for each queue."""
    if database.dialect.name != "mysql":
        return
    fill()
    worker = register()
    plans.analyze("mysql", BIG)
    jobs = claim(worker, limit=50)
    given = parameters(worker, [job.row_id for job in jobs], str(uuid.uuid4()))

    read = {}
    for name in HOT:
        before = rows_read()
        database.query(name, **{key: given[key] for key in find("mysql", name).parameters})
        read[name] = rows_read() - before

    assert {name: rows for name, rows in read.items() if rows > 50 * (50 + QUEUES)} == {}


def rows_read() -> int:
    """By this connection, so far, from tables and indexes."""
    return sum(int(value) for _, value in ask("show session status like 'Handler_read%'"))


@pytest.mark.parametrize("little", [1, 1_000])
def test_what_was_prepared_while_there_was_little_does_for_much(
    database: Database, little: int
) -> None:
    """PostgreSQL keeps the plans of prepared statements, and nobody may have analyzed since."""
    if database.dialect.name != "postgresql":
        return
    worker = register()
    queuekit.enqueue_all(note.bind(number) for number in range(little))
    finish_everything()
    ask("vacuum analyze")
    given = parameters(worker, [1], str(uuid.uuid4()))
    statements = [text for name in HOT for text in find("postgresql", name).statements]
    for number, statement in enumerate(statements):
        plans.prepare(statement, f"early_{number}")
        ask(plans.execution(statement, given, f"early_{number}"))

    fill()

    for number, statement in enumerate(statements):
        read = [*plans.explain_prepared(statement, given, BIG, f"early_{number}")]
        assert read == [], statement


def fill() -> None:
    """Jobs in each state; what is claimed is so by processes that are gone."""
    total = READY + OTHERS * (len(STATES) - 1)
    queuekit.enqueue_all(
        note.using(queue=f"queue_{number % QUEUES}", priority=number % PRIORITIES).bind(number)
        for number in range(total)
    )
    ((first,),) = ask("select min(job_id) from queuekit_ready_executions")
    for number, columns in enumerate(COLUMNS):
        low, high = first + number * OTHERS, first + (number + 1) * OTHERS
        ask(f"{columns} where job_id >= {low} and job_id < {high}")
    ask(f"delete from queuekit_ready_executions where job_id < {first + OTHERS * len(COLUMNS)}")


_FROM = "from queuekit_ready_executions"
COLUMNS = (
    "insert into queuekit_scheduled_executions (job_id, queue_name, priority, scheduled_at) "
    f"select job_id, queue_name, priority, created_at {_FROM}",
    "insert into queuekit_claimed_executions (job_id, process_id, claimed_at) "
    f"select job_id, 1000000 + job_id % 10, created_at {_FROM}",
    "insert into queuekit_failed_executions (job_id, error, failed_at) "
    f"select job_id, '{{}}', created_at {_FROM}",
    "insert into queuekit_finished_executions (job_id, outcome, finished_at) "
    f"select job_id, 'finished', created_at {_FROM}",
)


def parameters(worker: int, row_ids: Sequence[int], job_id: str) -> dict[str, Any]:
    """What the queries are asked with, about jobs that are claimed."""
    results = [{"job_id": row_id, "outcome": "finished"} for row_id in row_ids]
    retries = [{"job_id": row_id, "wait": 1.5, "executions": 1} for row_id in row_ids]
    return {
        "after": row_ids[0],
        "after_job_id": START[1],
        "after_priority": START[0],
        "arguments": '{"args":[],"kwargs":{}}',
        "begun": None,
        "class_name": "app.jobs.welcome",
        "context": None,
        "entries": json.dumps(application.database().dialect.entries({ALIKE: "{}"})),
        "error": "{}",
        "hostname": "host",
        "job_id": row_ids[0],
        "job_ids": json.dumps(row_ids),
        "jobs": json.dumps([enqueued(number) for number in range(len(row_ids))]),
        "kind": "Worker",
        "limit": len(row_ids),
        "max_process_deaths": 1,
        "may_retry": True,
        "metadata": "{}",
        "pid": 1,
        "places_later": False,
        "preserve_finished": True,
        "has_failed": True,
        "priority": 0,
        "process_id": worker,
        "queue_name": "queue_7",
        "results": json.dumps(results),
        "retries": json.dumps(retries),
        "seconds": 0.5,
        "silent_for": 300.0,
        "since": application.database().to_database(datetime(2001, 1, 1, tzinfo=UTC)),
        "supervisor_id": None,
        "until": row_ids[-1],
        "uuid": job_id,
        "uuids": json.dumps([job_id]),
        "wakes": None,
    }


def enqueued(number: int) -> dict[str, Any]:
    return {
        "uuid": f"01890000-0000-7000-8000-{number:012}",
        "queue_name": "queue_7",
        "class_name": "app.jobs.welcome",
        "arguments": '{"args":[],"kwargs":{}}',
        "priority": 0,
    }
