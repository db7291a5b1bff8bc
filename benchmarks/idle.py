"""What an installation costs that has nothing to do: memory, processor time, queries, connections.

It is `bin/jobs start` with 4 workers of 3 threads and a dispatcher, at the usual intervals, on an
empty database. Memory is counted as PSS, which shares out what processes have in common (what the
supervisor had imported before it forked), so that it may be summed up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.counters import COUNTERS, Counters
from benchmarks.databases import Target
from benchmarks.processes import cpu_seconds, memory
from benchmarks.report import Reading
from benchmarks.running import bin_jobs, wait_until_registered
from queuekit.database.url import parse

WORKERS = """\
imports: {imports}
workers:
  - queues: "*"
    threads: 3
    processes: {processes}
    polling_interval: 0.1
"""
DISPATCHER = """\
dispatchers:
  - polling_interval: 1
"""

#: Seconds that the processes get to come to rest.
_REST = 2.0


def measured(target: Target, seconds: float) -> list[Reading]:
    """The readings of an idle installation over so many seconds, of its workers without the
    dispatcher, and of one worker alone, over as many."""
    with target.fresh() as url, _counters(target, url) as counters:
        with _at_rest(url, WORKERS + DISPATCHER, counters, workers=4) as pids:
            readings = _watched(pids, counters, seconds)
        with _at_rest(url, WORKERS, counters, workers=4) as pids:
            total = sum(memory(pid, "Pss") for pid in pids)
            readings.append(Reading("supervisor with 4 workers, PSS", total, "MB"))
        with _at_rest(url, WORKERS, counters, workers=1) as (supervisor, worker):
            readings += _watched_alone(supervisor, worker, counters, seconds)
    return readings


def how_counted(target: Target) -> str:
    return f"idle queries on {target.title}: {COUNTERS[target.product].how}"


def _watched(pids: list[int], counters: Counters, seconds: float) -> list[Reading]:
    began, cpu, queries = time.monotonic(), cpu_seconds(pids), counters.queries()
    time.sleep(seconds)
    passed = time.monotonic() - began
    cpu, queries = cpu_seconds(pids) - cpu, counters.queries() - queries
    time.sleep(_REST)  # the first heartbeat, after 60 s, opens each child's second connection
    total = sum(memory(pid, "Pss") for pid in pids)
    return [
        Reading("all 6 processes, PSS", total, "MB"),
        Reading(f"processor time over {seconds:g} s", cpu / passed * 100, "% of a core"),
        Reading(f"queries over {seconds:g} s", queries / passed, "per second"),
        Reading("connections", counters.connections(pids), ""),
    ]


def _watched_alone(
    supervisor: int, worker: int, counters: Counters, seconds: float
) -> list[Reading]:
    """What a further worker costs; the few queries of its supervisor are among them."""
    began, cpu, queries = time.monotonic(), cpu_seconds([worker]), counters.queries()
    time.sleep(seconds)
    passed = time.monotonic() - began
    cpu, queries = cpu_seconds([worker]) - cpu, counters.queries() - queries
    return [
        Reading("one worker alone, RSS", memory(worker, "Rss"), "MB"),
        Reading("one worker alone, PSS", memory(worker, "Pss"), "MB"),
        Reading("... processor time", cpu / passed * 100, "% of a core"),
        Reading("... queries", queries / passed, "per second"),
        Reading("... and its supervisor, PSS", memory(supervisor, "Pss"), "MB"),
    ]


@contextmanager
def _counters(target: Target, url: str) -> Iterator[Counters]:
    counters = COUNTERS[target.product](parse(url))
    try:
        yield counters
    finally:
        counters.close()


@contextmanager
def _at_rest(url: str, configuration: str, counters: Counters, workers: int) -> Iterator[list[int]]:
    """An installation whose processes have all registered: their pids, the supervisor's first."""
    processes = 1 + workers + configuration.count(DISPATCHER)
    configuration = configuration.format(imports=list(counters.imports), processes=workers)
    with bin_jobs(url, configuration, counters.environment) as supervisor:
        wait_until_registered(url, processes, supervisor)
        time.sleep(_REST)
        pid = supervisor.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        yield [pid, *map(int, children)]
