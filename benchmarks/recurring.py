"""What many recurring tasks cost: reading them, keeping them in memory, waiting for their times,
enqueueing all of them at once.

The scheduler is one of `bin/jobs start`, beside a dispatcher and no workers, with tasks that are
each due every five minutes, spread over these. Enqueueing them all at once, and planning their next
runs, is measured in this process.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks import jobs
from benchmarks.databases import Target
from benchmarks.processes import cpu_seconds, memory
from benchmarks.report import Reading
from benchmarks.running import BenchmarkError, bin_jobs
from queuekit import application
from queuekit.config import Configuration
from queuekit.database import Database, open_database
from queuekit.recurring import rows, runs, static
from queuekit.recurring.agenda import Agenda
from queuekit.recurring.task import RecurringTask

TASKS = 5_000

_CONFIGURATION = """\
imports: [ {imports} ]
recurring_schedule_file: {tasks}
dispatchers:
  - polling_interval: 1
"""
_TASK = "task_{number}: {{class: {job}, args: {number}, schedule: '{minute}-59/5 * * * *'}}\n"

#: Seconds that a scheduler gets to store its tasks, and then to come to rest.
_PATIENCE = 120.0
_REST = 2.0


def measured(target: Target, seconds: float, number: int = TASKS) -> list[Reading]:
    """The readings of a scheduler with so many tasks, watched for so many seconds."""
    return [*_here(target, number), *_in_a_process(target, number, seconds)]


def _here(target: Target, number: int) -> Iterator[Reading]:
    with target.fresh() as url, _file(number) as file:
        application.use(Configuration(database_url=url, recurring_schedule_file=file))
        database = application.database()
        tasks: list[RecurringTask] = []
        passed = _timed(lambda: tasks.extend(static.read(application.configuration())))
        yield Reading(f"reading {number:,} tasks", passed, "s")

        agenda = Agenda()
        now = rows.now(database)
        for task in tasks:
            agenda.plan(task, now - timedelta(milliseconds=1))
        passed = _timed(lambda: runs.enqueue(database, agenda.take(now, number)))
        yield Reading(f"enqueueing {number:,} that are due at once", passed, "s")
        yield Reading("... and planning their next runs", _timed(agenda.next_at), "s")
        database.disconnect()


def _in_a_process(target: Target, number: int, seconds: float) -> Iterator[Reading]:
    with target.fresh() as url, _scheduler(url, 1) as (pid, _):
        least = memory(pid, "Pss")
    with target.fresh() as url:
        began = time.monotonic()
        with _scheduler(url, number) as (pid, ready_at):
            yield Reading("from its start to the stored tasks", ready_at - began, "s")
            yield from _watched(pid, seconds)
    yield Reading("... with one task, PSS", least, "MB")


def _watched(pid: int, seconds: float) -> Iterator[Reading]:
    time.sleep(_REST)
    cpu = cpu_seconds([pid])
    time.sleep(seconds)
    yield Reading(f"processor time over {seconds:g} s", cpu_seconds([pid]) - cpu, "s")
    yield Reading("its memory, RSS", memory(pid, "Rss"), "MB")
    yield Reading("... PSS", memory(pid, "Pss"), "MB")


@contextmanager
def _scheduler(url: str, number: int) -> Iterator[tuple[int, float]]:
    """A scheduler that has stored its tasks: its pid, and since when it has."""
    with _file(number) as file:
        configuration = _CONFIGURATION.format(imports=jobs.__name__, tasks=file)
        with bin_jobs(url, configuration) as supervisor:
            database = open_database(url)
            try:
                deadline = time.monotonic() + _PATIENCE
                while (pid := _pid_of_one_with(number, database)) is None:
                    if supervisor.poll() is not None or time.monotonic() > deadline:
                        raise BenchmarkError(f"a scheduler was to store {number} tasks")
                    time.sleep(0.02)
                yield pid, time.monotonic()
            finally:
                database.disconnect()


def _pid_of_one_with(number: int, database: Database) -> int | None:
    found = [row[2] for row in database.query("processes.list") if row[1] == "Scheduler"]
    return found[0] if found and len(rows.kinds(database)) == number else None


@contextmanager
def _file(number: int) -> Iterator[Path]:
    """A recurring file with so many tasks."""
    with tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder:
        path = Path(folder, "recurring.yml")
        job = jobs.empty._declaration.name
        with path.open("w") as file:
            for task in range(number):
                file.write(_TASK.format(number=task, job=job, minute=task % 5))
        yield path


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
