"""What the database reads for concurrency limits, where there is a lot: 100,000 jobs, 10,000 keys,
20,000 jobs blocked behind them. What concerns some jobs or keys looks these up."""

from __future__ import annotations

import json

import queuekit
from queuekit.database import Database
from queuekit.executions.turn import START
from tests.dialects import plans
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

#: The tables that grow with the jobs and keys.
BIG = {"queuekit_jobs", "queuekit_semaphores", "queuekit_semaphore_slots"}
BIG |= {"queuekit_blocked_executions"}


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
        "after_priority": START[0],
        "after_job_id": START[1],
    }
    dialect = database.dialect.name
    plans.analyze(dialect, BIG)
    return {
        query.name: plans.read_through(dialect, query, given, BIG)
        for query in plans.askable(dialect, given)
        if query.name.startswith(("semaphores.", "turn.")) and query.name not in READ_ALL
    }
