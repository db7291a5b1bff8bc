"""Claiming from a deep queue, beside a long history, and past what an old transaction keeps: by
turns alone, as a worker takes them, with nothing around them that would run jobs.

    python -m benchmarks.deep --only postgresql --rows 1000000 --history 5000000
    python -m benchmarks.deep --only postgresql --held-back 600
    python -m benchmarks.deep --only sqlite --clear 500000

A turn settles 10 jobs and claims 10. With --rows it claims as a worker of some wildcards does, and
as one of all queues, with two queues paused and without, among many ready rows and among 1,000, in
turn on the same machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from multiprocessing.connection import Connection

import queuekit
from benchmarks import databases, filling, jobs
from benchmarks.databases import Target
from queuekit import application
from queuekit.database import Database, open_database
from queuekit.executions import finished, ready, turn
from queuekit.processes.frontier import Frontier
from queuekit.processes.registration import Registration
from queuekit.processes.selector import QueueSelector

FEW = 1_000
_TURN = 10
_ROUNDS = 20
_TURNS = 25
_DRAINING = 3.0
_SPAWN = multiprocessing.get_context("spawn")

#: The queues of the workers that are measured, and whether two are paused.
SHAPES: dict[str, tuple[list[str], bool]] = {
    "all queues": (["*"], False),
    "all queues, two paused": (["*"], True),
    "wildcards, two paused": (["queue_3*", "queue_0*", "queue_1*"], True),
}
PAUSED = ("queue_00", "queue_30")


class Claimer:
    """A worker's turns without a worker: what it claims has finished by the next turn."""

    def __init__(self, database: Database, queues: Sequence[str]) -> None:
        self._database = database
        self._selector = QueueSelector(queues)
        self._frontier = Frontier(database)
        self._process_id = Registration(database, "Worker", {}).id
        self._results: list[turn.Result] = []
        self._paused: frozenset[str] = frozenset()
        self.taken_from: Counter[tuple[str, int]] = Counter()

    def take(self, limit: int = _TURN) -> int:
        """As Worker does: peek, choose, turns. Returns how many jobs were claimed."""
        if not (self._results or ready.any_waiting(self._database, self._frontier.of_peek())):
            return 0
        claimed: list[turn.Result] = []
        for queue in self._selector.choose(self._database, self._paused):
            taken = turn.take(
                self._database,
                self._process_id,
                self._results,
                queue=queue,
                limit=limit - len(claimed),
                after=self._frontier.of(queue),
                preserve_finished=True,
            )
            self._paused = taken.paused
            self._frontier.claimed(queue, taken.claimed)
            self._results = []
            self.taken_from.update((job.queue, job.priority) for job in taken.claimed)
            claimed += [turn.Result(job.row_id, turn.FINISHED) for job in taken.claimed]
            if len(claimed) >= limit:
                break
        self._results = claimed
        return len(claimed)


# Deep and old


def compared(target: Target, rows: int, history: int) -> Iterator[str]:
    """Milliseconds a turn, among many and among few, and their ratio: each shape, in rounds."""
    with ExitStack() as stack:
        few = stack.enter_context(_filled(target, FEW, 0))
        many = stack.enter_context(_filled(target, rows, history))
        for shape, (queues, pauses) in SHAPES.items():
            for database in (few, many):
                _pause(database, pauses)
            claimers = [Claimer(database, queues) for database in (few, many)]
            took: list[list[float]] = [[], []]
            for number in range(_ROUNDS):
                for index in (0, 1) if number % 2 else (1, 0):
                    took[index].append(_turns(claimers[index]))
                    _refill((few, many)[index], claimers[index].taken_from)
            small, big = (statistics.median(times) for times in took)
            spread = f"{min(took[1]) * 1000:.2f} to {max(took[1]) * 1000:.2f}"
            yield (
                f"{target.title}: {shape}: {small * 1000:.2f} ms a turn among {FEW:,}, "
                f"{big * 1000:.2f} ({spread}) among {rows:,} ready and {history:,} finished: "
                f"{big / small:.2f} times"
            )


@contextmanager
def _filled(target: Target, rows: int, history: int) -> Iterator[Database]:
    with target.fresh() as url:
        database = open_database(url)
        if history:
            filling.finished(database, 1, history)
        filling.ready(database, history + 1, rows)
        filling.analyze(database)
        try:
            yield database
        finally:
            database.disconnect()


def _pause(database: Database, pauses: bool) -> None:
    for name in PAUSED:
        database.query("queues.pause" if pauses else "queues.resume", queue_name=name)


def _turns(claimer: Claimer) -> float:
    """Seconds a turn."""
    claimer.take()  # what the refilling has changed is not of the turns
    began = time.perf_counter()
    for _ in range(_TURNS):
        if claimer.take() < _TURN:
            raise RuntimeError("a turn found fewer jobs than there are")
    return (time.perf_counter() - began) / _TURNS


def _refill(database: Database, taken_from: Counter[tuple[str, int]]) -> None:
    """As many as were claimed, into the same queues with the same priorities."""
    with _in_use(database):
        queuekit.enqueue_all(
            jobs.empty.using(queue=queue, priority=priority).bind(number)
            for (queue, priority), count in taken_from.items()
            for number in range(count)
        )
    taken_from.clear()


@contextmanager
def _in_use(database: Database) -> Iterator[None]:
    queuekit.configure(database_url=str(database.url.text))
    try:
        yield
    finally:
        application.database().disconnect()


# An old transaction


def held_back(target: Target, seconds: float) -> Iterator[str]:
    """Jobs a second, enqueued in hundreds and claimed in hundreds by one claimer, while a
    transaction is open that could still see all of them; and for a tenth of the time without."""
    for holds in (False, True):
        with target.fresh() as url:
            database = open_database(url)
            with _old_transaction(database) if holds else ExitStack():
                for line in _steady(database, url, seconds if holds else seconds / 10):
                    yield f"{target.title}, {'an' if holds else 'no'} old transaction: {line}"
            database.disconnect()


@contextmanager
def _old_transaction(database: Database) -> Iterator[None]:
    connection = database.connect()
    begin = {
        "postgresql": "begin isolation level repeatable read",
        "mysql": "start transaction with consistent snapshot",
        "sqlite": "begin",
    }[database.dialect.name]
    if database.dialect.name == "mysql":
        connection.execute("set session transaction isolation level repeatable read", {})
    connection.execute(begin, {})
    connection.execute("select count(*) from queuekit_ready_executions", {})
    try:
        yield
    finally:
        connection.close()


def _steady(database: Database, url: str, seconds: float) -> Iterator[str]:
    claimer = Claimer(database, ["*"])
    queuekit.configure(database_url=url)
    began, done, spent = time.monotonic(), 0, 0.0
    step = min(seconds / 5, 30.0)
    total = 0
    while (passed := time.monotonic() - began) < seconds:
        queuekit.enqueue_all(jobs.empty.bind(number) for number in range(500))
        before = time.perf_counter()
        for _ in range(5):
            done += claimer.take(100)
        spent += time.perf_counter() - before
        if time.monotonic() - began >= step * (int(passed / step) + 1):
            total += done
            yield f"after {passed:.0f} s and {total:,} jobs: {done / spent:,.0f} claimed a second"
            done, spent = 0, 0.0
    application.database().disconnect()


# Clearing


def clearing(target: Target, rows: int) -> Iterator[str]:
    """Finished jobs deleted a second, alone and while the queue works, and what that loses."""
    for size in (500, 2_000, 5_000, 10_000):
        with target.fresh() as url:
            database = open_database(url)
            filling.finished(database, 1, rows)
            filling.analyze(database)
            queuekit.configure(database_url=url)
            began = time.perf_counter()
            cleared = finished.clear_in_batches(
                older_than=0, batch_size=size, sleep_between_batches=0
            )
            rate = cleared / (time.perf_counter() - began)
            yield f"{target.title}: cleared in batches of {size:,}: {rate:,.0f} a second"
            database.disconnect()


def clearing_beside(target: Target, rows: int) -> Iterator[str]:
    """The queue's rate with and without clearing, in turn."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    cleared: list[float] = []
    for number in range(6):
        clears = bool(number % 2)
        with target.fresh() as url:
            database = open_database(url)
            filling.finished(database, 1, rows)
            filling.ready(database, rows + 1, 100_000)
            filling.analyze(database)
            with _clearing(url, cleared) if clears else nullcontext(lambda: True) as goes_on:
                rates[clears].append(_drain_rate(database, goes_on))
            database.disconnect()
    alone, beside = (statistics.median(rates[clears]) for clears in (False, True))
    yield (
        f"{target.title}: the queue: {alone:,.0f} a second alone, {beside:,.0f} beside clearing "
        f"{statistics.median(cleared):,.0f} a second: {beside / alone:.2f}"
    )


@contextmanager
def _clearing(url: str, rates: list[float]) -> Iterator[Callable[[], bool]]:
    """Another process clears, as `bin/jobs clear` does. Gives whether it still does."""
    ours, its = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_clear, args=(url, its))
    process.start()
    ours.recv()
    yield process.is_alive
    ours.send("enough")
    rates.append(ours.recv())
    process.join()


class _EnoughError(Exception):
    """The queue's part is over."""


def _clear(url: str, pipe: Connection) -> None:
    """Sends a word after the first batch, and in the end how many were cleared a second."""
    queuekit.configure(database_url=url)
    began = time.perf_counter()
    sizes: list[int] = []

    def progress(size: int) -> None:
        if not sizes:
            pipe.send("begun")
        sizes.append(size)
        if pipe.poll():
            raise _EnoughError

    with suppress(_EnoughError):
        finished.clear_in_batches(older_than=0, progress=progress)
    pipe.send(sum(sizes) / (time.perf_counter() - began))


def _drain_rate(database: Database, goes_on: Callable[[], bool]) -> float:
    claimer = Claimer(database, ["*"])
    began = time.perf_counter()
    done = 0
    while (passed := time.perf_counter() - began) < _DRAINING and goes_on():
        got = claimer.take(50)
        done += got
        if not got:
            break
    return done / passed


def main() -> int:
    arguments = _arguments()
    chosen: list[Callable[[Target], Iterator[str]]] = []
    if arguments.rows:
        chosen.append(lambda target: compared(target, arguments.rows, arguments.history))
    if arguments.held_back:
        chosen.append(lambda target: held_back(target, arguments.held_back))
    if arguments.clear:
        chosen.append(lambda target: clearing(target, arguments.clear))
        chosen.append(lambda target: clearing_beside(target, arguments.clear))
    with databases.start(arguments.only or databases.USUAL) as targets:
        for target in targets:
            for measurement in chosen:
                for line in measurement(target):
                    print(line, flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep", description=__doc__)
    parser.add_argument("--only", action="append", choices=databases.PRODUCTS)
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="ready rows")
    parser.add_argument("--history", type=int, default=0, metavar="N", help="finished rows")
    parser.add_argument("--held-back", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--clear", type=int, default=0, metavar="N", help="finished rows to clear")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
