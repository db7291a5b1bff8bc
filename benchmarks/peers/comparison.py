"""The rounds of `--peers`: each library once in each, on a store that is empty.

What is measured: enqueueing one by one and by the thousand, draining, and how long a job waits for
an idle worker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks import databases, stamps
from benchmarks.latency import percentile
from benchmarks.peers import redis
from benchmarks.peers.listed import CHECKOUT, PEERS, Peer
from benchmarks.report import MILLISECONDS, PER_SECOND, ROUNDS, Figure, Report, Sample
from benchmarks.rounds import Plan, Progress, machine
from benchmarks.running import BenchmarkError, configuration
from benchmarks.stamps import Stamps

_TITLES = databases.TITLES | {"redis": "Redis"}

#: Seconds that a library gets to begin, to end, and to do what is asked.
_PATIENCE = 60.0
_GRACE = 15.0

#: A drain that is not over after so many seconds ends with what it has.
_SECONDS = 5.0

_WARM_UP = 10


class _Store(Protocol):
    def create_database(self, name: str) -> str: ...
    def drop_database(self, name: str) -> None: ...


@dataclass
class _Run:
    plan: Plan
    stores: dict[str, _Store]
    figures: dict[tuple[str, str], Figure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    has_failures: bool = False

    def add(self, key: str, name: str, unit: str, peer: Peer, value: float) -> None:
        title = f"{peer.name}, {_TITLES[peer.store]}: {peer.note}"
        figure = self.figures.setdefault((key, title), Figure(key, name, title, unit))
        figure.samples.append(Sample(value))

    def report(self, rounds: int) -> Report:
        about = [*machine(), f"{ROUNDS} {rounds}; medians" + ", --quick" * self.is_quick]
        figures = sorted(self.figures.items(), key=lambda item: item[0][0])
        return Report(about, [], self.notes, [figure for _, figure in figures], {})

    @property
    def is_quick(self) -> bool:
        return self.plan.is_quick


def measure(plan: Plan, keep: Callable[[Report], None]) -> tuple[Report, bool]:
    """Everything that is installed, and whether all of it could be measured."""
    with ExitStack() as stack:
        peers, missing = _found(PEERS, plan.products)
        stores = {peer.store for peer in peers}
        run = _Run(plan, {store: stack.enter_context(_started(store)) for store in stores})
        run.notes += [f"left out: {line}" for line in missing]
        progress = Progress(plan.rounds * len(peers))
        for number in range(1, plan.rounds + 1):
            for peer in peers:
                what = f"{peer.name}, {_TITLES[peer.store]}, {peer.note}"
                progress.say(f"round {number}: {what}")
                try:
                    _measure(run, peer)
                except BenchmarkError as error:
                    run.has_failures = True
                    run.notes.append(f"failed: {what}: {str(error).splitlines()[0]}")
            keep(run.report(number))
        progress.end()
        return run.report(plan.rounds), not run.has_failures


def _found(peers: Sequence[Peer], products: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """Those that can be measured here, and why others cannot."""
    found, missing = [], []
    for peer in peers:
        if not peer.is_installed:
            missing.append(f"{peer.name}, which is not installed")
        elif peer.store == "redis" and redis.program() is None:
            missing.append(f"{peer.name}, since there is no Redis")
        elif peer.store in (*products, "redis"):
            found.append(peer)
    return found, missing


def _started(store: str) -> AbstractContextManager[_Store]:
    return redis.start() if store == "redis" else databases.start_one(store)


# One library


def _measure(run: _Run, peer: Peer) -> None:
    seconds, sent = (0.5, 10) if run.is_quick else (2.0, 100)
    with _fresh(run, peer) as actor:
        rate = actor.act("enqueue", seconds)
        run.add("1 enqueue", "enqueue, one by one", PER_SECOND, peer, rate)
    with _fresh(run, peer) as actor:
        rate = actor.act("bulk", seconds)
        if rate is not None:
            run.add("2 bulk", "enqueue, 1,000 at once", PER_SECOND, peer, rate)
    with _fresh(run, peer) as actor:
        rate = actor.drained(peer.jobs // 10 if run.is_quick else peer.jobs)
        run.add("3 drain", "drained", PER_SECOND, peer, rate)
    with _fresh(run, peer) as actor:
        waits = actor.waits(sent)
        for percent in (50, 99):
            wait = percentile(waits, percent)
            key = f"4 latency p{percent}"
            run.add(key, f"latency, worker idle, p{percent}", MILLISECONDS, peer, wait)


@contextmanager
def _fresh(run: _Run, peer: Peer) -> Iterator[_Actor]:
    store = run.stores[peer.store]
    with (
        stamps.new_file() as written,
        tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder,
    ):
        url = store.create_database("queuekit_benchmark_peer")
        try:
            actor = _Actor(peer, url, written, Path(folder))
            actor.act("prepare")
            yield actor
        finally:
            store.drop_database("queuekit_benchmark_peer")


class _Actor:
    """A library in its own environment, with a store for one measurement."""

    def __init__(self, peer: Peer, url: str, written: Stamps, folder: Path) -> None:
        self._peer = peer
        self._url = url
        self._written = written
        self._log = folder / "log"
        self._configuration = folder / "queue.yml"
        self._configuration.write_text(configuration())
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
            **written.environment,
            "BENCHMARK_URL": url,
            "PGDSN": url,
            "PYTHONPATH": str(CHECKOUT),
        }

    def act(self, act: str, number: float = 0) -> Any:
        command = [str(self._peer.python), "-P", "-m", "benchmarks.peers.acting"]
        done = subprocess.run(
            [*command, self._peer.module, act, str(number)],
            cwd=CHECKOUT,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            reason = _end_of(done.stderr)
            raise BenchmarkError(f"{act}: {reason}")
        return json.loads(done.stdout.splitlines()[-1])

    def drained(self, count: int) -> float:
        """Jobs per second, from the first to the last."""
        self.act("fill", count)
        with self._workers() as workers:
            self._wait_for(1, workers, _PATIENCE)
            self._wait_for(count, workers, _SECONDS, is_all_needed=False)
        began = sorted(stamp.began_at for stamp in self._written.read())
        return (len(began) - 1) / (began[-1] - began[0])

    def waits(self, count: int) -> list[float]:
        """Milliseconds that jobs have waited for idle workers."""
        with self._workers() as workers:
            self.act("send", _WARM_UP)
            self._wait_for(_WARM_UP, workers, _PATIENCE)
            self.act("send", count)
            self._wait_for(_WARM_UP + count, workers, _PATIENCE)
        return [stamp.milliseconds for stamp in self._written.read()[_WARM_UP:]]

    @contextmanager
    def _workers(self) -> Iterator[list[subprocess.Popen[bytes]]]:
        command = self._peer.command_line(self._url, self._configuration)
        with self._log.open("wb") as log, ExitStack() as stack:
            workers = []
            for _ in range(self._peer.workers):
                worker = subprocess.Popen(
                    command,
                    cwd=CHECKOUT,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                stack.callback(_end, worker)
                workers.append(worker)
            yield workers

    def _wait_for(
        self,
        count: int,
        workers: list[subprocess.Popen[bytes]],
        seconds: float,
        *,
        is_all_needed: bool = True,
    ) -> None:
        deadline = time.monotonic() + seconds
        while len(self._written) < count:
            if any(worker.poll() is not None for worker in workers):
                raise BenchmarkError(f"a worker has ended: {self._last_words()}")
            if time.monotonic() > deadline:
                if is_all_needed:
                    done = f"{len(self._written):,} of {count:,} jobs began, and no more"
                    raise BenchmarkError(f"{done}: {self._last_words()}")
                return
            time.sleep(0.05)

    def _last_words(self) -> str:
        return _end_of(self._log.read_text(errors="replace"))


def _end_of(text: str) -> str:
    """The last lines that say something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-5:])


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Asked first; then it and all that it started, which are a session of their own."""
    worker.terminate()
    try:
        worker.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
