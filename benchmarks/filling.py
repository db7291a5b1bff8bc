"""Millions of rows, written by the database itself: enqueueing them would take longer than what is
measured afterwards."""

from __future__ import annotations

from queuekit.database import Database
from queuekit.database.queries import Query, split

QUEUES = 50
PRIORITIES = 4

_BLOCK = 100_000

_UUID = {
    "postgresql": "('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid",
    "mysql": "concat('00000000-0000-7000-8000-', lpad(number, 12, '0'))",
    "sqlite": "printf('00000000-0000-7000-8000-%012d', number)",
}
_QUEUE = {
    "postgresql": f"'queue_' || lpad((number % {QUEUES} * 19 % {QUEUES})::text, 2, '0')",
    "mysql": f"concat('queue_', lpad(number % {QUEUES} * 19 % {QUEUES}, 2, '0'))",
    "sqlite": f"printf('queue_%02d', number % {QUEUES} * 19 % {QUEUES})",
}
_NOW = {
    "postgresql": "statement_timestamp()",
    "mysql": "utc_timestamp(6)",
    "sqlite": "round((julianday('now') - 2440587.5) * 86400.0, 3)",
}
#: Jobs that have ended a second.
_RATE = 10_000
_AGO = {
    "postgresql": f"statement_timestamp() - interval '1 second' * ({{last}} - id) / {_RATE}",
    "mysql": f"utc_timestamp(6) - interval ({{last}} - id) * 1000000 / {_RATE} microsecond",
    "sqlite": f"{_NOW['sqlite']} - ({{last}} - id) * 1.0 / {_RATE}",
}

_JOBS = """
insert into queuekit_jobs
  (id, uuid, queue_name, class_name, arguments, priority, scheduled_at, created_at)
with recursive small (n) as (select 0 union all select n + 1 from small where n < 999),
numbers (number) as (
  select {first} + a.n * 1000 + b.n
  from small a cross join small b
  where a.n < {count} / 1000
)
select number, {uuid}, {queue}, '{name}', '{{"args":[1],"kwargs":{{}}}}', number % {priorities},
  {now}, {now}
from numbers
order by number
"""
_READY = """
insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)
select id, queue_name, priority, created_at
from queuekit_jobs
where id >= {first} and id < {first} + {count}
order by id
"""
_FINISHED = """
insert into queuekit_finished_executions (job_id, outcome, error, finished_at)
select id, 'finished', null, {ago}
from queuekit_jobs
where id >= {first} and id < {first} + {count}
order by id
"""


def ready(database: Database, first: int, count: int) -> None:
    """Ready jobs with the ids from `first` on, over 50 queues and 4 priorities. A thousand or a
    multiple of it; a job that is enqueued afterwards gets the next id."""
    _fill(database, first, count, _READY)


def finished(database: Database, first: int, count: int) -> None:
    """Jobs that have finished one after the other, until now."""
    _fill(database, first, count, _FINISHED)


def analyze(database: Database) -> None:
    """What autovacuum and its like would have done in time: they come once a minute."""
    if database.dialect.name == "mysql":
        for table in ("jobs", "ready_executions", "claimed_executions", "finished_executions"):
            ask(database, f"analyze table queuekit_{table}")
    else:
        ask(database, "analyze")


def ask(database: Database, text: str) -> None:
    query = Query(text, tuple(split(text)))
    database.transact(lambda connection: connection.run(query, {}))


def _fill(database: Database, first: int, count: int, execution: str) -> None:
    dialect = database.dialect.name
    for begin in range(first, first + count, _BLOCK):
        numbers = {"first": begin, "count": min(_BLOCK, first + count - begin)}
        jobs = _JOBS.format(
            **numbers,
            uuid=_UUID[dialect],
            queue=_QUEUE[dialect],
            now=_NOW[dialect],
            name="benchmarks.jobs.empty",
            priorities=PRIORITIES,
        )
        ago = _AGO[dialect].format(last=first + count)
        ask(database, f"{jobs};{execution.format(**numbers, ago=ago)}")
    if dialect == "postgresql":
        ask(
            database,
            f"select setval(pg_get_serial_sequence('queuekit_jobs', 'id'), {first + count}, false)",
        )
