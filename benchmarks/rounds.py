"""The rounds: every measurement on every database once in each, so that all of them see the same
weather; and what is only watched, once, after them."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import databases, idle
from benchmarks.databases import Target
from benchmarks.measurements import WATCHINGS, Measurement
from benchmarks.report import ROUNDS, Figure, Reading, Report
from benchmarks.running import BenchmarkError
from queuekit.version import VERSION


@dataclass(frozen=True)
class Plan:
    """What to measure, on what, and how long."""

    products: Sequence[str]
    urls: Sequence[str]
    measurements: Sequence[Measurement]
    watchings: Sequence[str]
    rounds: int
    is_quick: bool
    rows: int | None

    def size_of(self, measurement: Measurement) -> float:
        if measurement.is_of_rows and self.rows is not None:
            return self.rows
        return measurement.quick_size if self.is_quick else measurement.size


@dataclass
class _Run:
    """What has been found so far."""

    plan: Plan
    settings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[tuple[Measurement, Target, str], Figure] = field(default_factory=dict)
    readings: dict[str, dict[str, list[Reading]]] = field(default_factory=dict)
    has_failures: bool = False

    def report(self, rounds: int) -> Report:
        about = machine()
        if self.plan.measurements:
            quick = ", --quick" * self.plan.is_quick
            about.append(f"{ROUNDS} {rounds}; medians{quick}")
        order = list(self.plan.measurements)
        figures = sorted(self.figures.items(), key=lambda item: order.index(item[0][0]))
        return Report(about, self.settings, self.notes, [f for _, f in figures], self.readings)

    def failed(self, what: str, error: BenchmarkError) -> None:
        self.has_failures = True
        self.notes.append(f"failed: {what}: {str(error).splitlines()[0]}")
        print(f"{what}: {error}", file=sys.stderr)


def measure(plan: Plan, keep: Callable[[Report], None]) -> tuple[Report, bool]:
    """All of it, and whether all of it could be measured. What is known is given to `keep` after
    each round, since somebody may lose patience."""
    with databases.start(plan.products, plan.urls) as targets:
        run = _Run(plan)
        _describe(run, targets)
        progress = Progress(plan.rounds * len(plan.measurements) * len(targets))
        for number in range(1, plan.rounds + 1):
            _take_round(run, targets, number, progress)
            keep(run.report(number))
        for name in plan.watchings:
            _watch(run, name, targets)
            keep(run.report(plan.rounds))
        progress.end()
        return run.report(plan.rounds), not run.has_failures


def _take_round(run: _Run, targets: Sequence[Target], number: int, progress: Progress) -> None:
    for measurement in run.plan.measurements:
        for target in targets:
            what = f"round {number}: {target.title}, {measurement.name}"
            progress.say(what)
            try:
                samples = measurement.run(target, run.plan.size_of(measurement))
            except BenchmarkError as error:
                run.failed(what, error)
                continue
            for sample in samples:
                key = (measurement, target, sample.part)
                if key not in run.figures:
                    run.figures[key] = measurement.figure(target, sample.part)
                run.figures[key].samples.append(sample)


def _watch(run: _Run, name: str, targets: Sequence[Target]) -> None:
    """One database after the other."""
    watching = WATCHINGS[name]
    seconds = watching.quick_seconds if run.plan.is_quick else watching.seconds
    progress = Progress(len(targets))
    for target in targets:
        progress.say(f"{target.title}, {name}, for {seconds:g} s")
        try:
            readings = watching.run(target, seconds)
        except BenchmarkError as error:
            run.failed(f"{target.title}, {name}", error)
        else:
            run.readings.setdefault(name, {})[target.title] = readings


def _describe(run: _Run, targets: Sequence[Target]) -> None:
    """The databases' settings, and how the bare statements are sent."""
    for target in targets:
        with target.fresh() as url, target.bare(url) as bare:
            run.settings.append(bare.settings())
            if run.plan.measurements:
                run.notes.append(
                    f"bare on {target.title}: {bare.how_one}; bulk: {bare.how_many}; "
                    f"a turn: {bare.how_turn}"
                )
        if "idle" in run.plan.watchings:
            run.notes.append(idle.how_counted(target))
    if run.plan.measurements:
        run.notes += [
            "bare of what is drained: turns alone, one connection, 10 jobs a turn, nothing run; of "
            "what is limited: as many jobs without a limit; of the deep backlog: one of 5,000 jobs "
            "in as many queues; of the many finished jobs: the same without them",
            "bare of a latency: a job inserted and claimed by one connection",
        ]


def machine() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [line for line in information.read_text().splitlines() if "model name" in line]
        processor = models[0].partition(":")[2].strip() if models else processor
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [f"{cores} cores, {processor}, {platform.system()}; {python}, queuekit {VERSION}"]


class Progress:
    """One line that changes on a terminal, otherwise a line for each step."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """What comes now."""
        line = f"[{self._done}/{self._total}{self._left()}] {what}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
        self._done += 1

    def end(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _left(self) -> str:
        """A guess, as soon as there is anything to guess from."""
        if self._done < 3:
            return ""
        passed = time.monotonic() - self._began
        return f", about {passed / self._done * (self._total - self._done) / 60:.0f} min left"
