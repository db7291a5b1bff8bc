"""What the database reads for concurrency limits, where there is a lot: 100,000 jobs, 10,000 keys,
20,000 jobs blocked behind them. What concerns some jobs or keys looks these up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import queuekit
from queuekit.database import Database
from queuekit.database.queries import Query, load
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, claim, counts, register

KEYS = 10_000
BLOCKED = 20_000
PAST = 70_000

#: The sweep goes through all that wait, and all that hold slots; the end of a process, through all
#: that hold slots. An index for that would be written with each claim, and costs limited jobs a
#: tenth of their rate.
READ_ALL = {
    "semaphores.astray",
    "semaphores.unused",
    "semaphores.waiting",
    "semaphores.of_process",
}

#: The tables that grow with the jobs and keys, and their aliases in the statements.
BIG = {"queuekit_jobs", "queuekit_semaphores", "queuekit_semaphore_slots"}
BIG |= {"queuekit_blocked_executions", "job", "semaphore", "slot", "blocked"}

Given = Mapping[str, Any]


def test_some_jobs_and_keys_are_looked_up_among_many(database: Database) -> None:
    fill()
    worker = register()
    for number in (1, 50, 500):
        claim(worker, limit=number - counts().get("claimed", 0))
        read_through = read_through_by(database, worker)
        assert read_through == {name: [] for name in read_through}, f"for {number} jobs"
        assert len(read_through) >= 8


def fill() -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(PAST))
    ask(
        "insert into queuekit_finished_executions (job_id, outcome, finished_at) "
        "select job_id, 'finished', created_at from queuekit_ready_executions"
    )
    ask("delete from queuekit_ready_executions")
    for rest in range(1 + BLOCKED // KEYS):
        queuekit.enqueue_all(one_at_a_time.bind(f"key {number}", rest) for number in range(KEYS))
    assert counts() == {"ready": KEYS, "blocked": BLOCKED, "finished": PAST}


def read_through_by(database: Database, worker: int) -> dict[str, list[str]]:
    """What the queries read as a whole, asked about all jobs that are claimed, and their keys."""
    jobs = ask(
        "select job_id, concurrency_key from queuekit_semaphore_slots "
        "where process_id is not null order by 1"
    )
    keys = [key for _, key in jobs]
    given = {
        "semaphores": json.dumps([{"key": key} for key in keys]),
        "keys": json.dumps(keys),
        "job_ids": json.dumps([job_id for job_id, _ in jobs]),
        "results": json.dumps([{"job_id": job_id, "outcome": "finished"} for job_id, _ in jobs]),
        "process_id": worker,
        "preserve_finished": True,
        "queue_name": "default",
        "limit": len(jobs),
    }
    read_through = READ_THROUGH[database.dialect.name]
    _analyze(database.dialect.name)
    return {
        query.name: [*read_through(query, given)]
        for query in load(database.dialect.name).values()
        if query.name.startswith(("semaphores.", "turn."))
        and query.name not in READ_ALL
        and query.parameters <= given.keys()
    }


def _analyze(dialect: str) -> None:
    if dialect == "mysql":
        for table in sorted(name for name in BIG if name.startswith("queuekit_")):
            ask(f"analyze table {table}")
    else:
        ask("analyze")


# What reads a whole table, or a whole index, statement by statement


def in_sqlite(query: Query, given: Given) -> Iterator[str]:
    for statement in query.statements:
        plan = [row[3] for row in ask(f"explain query plan {statement}", **given)]
        made = {line.split()[1] for line in plan if line.startswith(("MATERIALIZE", "CO-ROUTINE"))}
        for line in plan:
            scanned = re.match(r"SCAN (\w+)", line)
            if scanned and scanned[1] in BIG - made:
                yield line


def in_postgresql(query: Query, given: Given) -> Iterator[str]:
    """With the values, and as the server plans what it has been asked often."""
    ask("set plan_cache_mode = force_generic_plan")
    (statement,) = query.statements
    numbered = {name: f"${index}" for index, name in enumerate(sorted(query.parameters), 1)}
    generic = re.sub(r"(?<!:):(\w+)", lambda found: numbered[found[1]], statement)
    values = ", ".join(_quoted(given[name]) for name in sorted(query.parameters))
    ask(f"prepare asked_often as {generic}")
    plans = [
        *ask(f"explain {statement}", **given),
        *ask(f"explain execute asked_often({values})"),
    ]
    ask("deallocate asked_often")
    for (line,) in plans:
        scanned = re.search(r"Seq Scan on (\w+)", line)
        if scanned and scanned[1] in BIG:
            yield line


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def in_mysql(query: Query, given: Given) -> Iterator[str]:
    if "mariadb" not in ask("select version()")[0][0].lower():
        ask("set session explain_format = traditional")
    for statement in query.statements:
        for row in ask(f"explain {statement}", **given):
            if row[1] != "INSERT" and row[2] in BIG and {"ALL", "index"} & {*row[3:5]}:
                yield str(row)


READ_THROUGH: dict[str, Callable[[Query, Given], Iterator[str]]] = {
    "sqlite": in_sqlite,
    "postgresql": in_postgresql,
    "mysql": in_mysql,
}
