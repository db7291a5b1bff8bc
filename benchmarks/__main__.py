"""`bin/bench`: every measurement on every database, in rounds, and a report of all of them."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import databases, drain, enqueue, idle, jobs, recurring
from benchmarks.databases import Target
from benchmarks.report import Figure, Reading, Report, Sample
from queuekit.version import VERSION


@dataclass(frozen=True, eq=False)
class Measurement:
    """Something to measure: how, how much of it (with --quick less), and what it has to show."""

    key: str
    name: str
    run: Callable[[Target, float], Sample]
    size: float
    quick_size: float
    target_rates: dict[str, float] | None = None
    target_ratio: float | None = None

    def figure(self, target: Target) -> Figure:
        rates = self.target_rates or {}
        return Figure(self.name, target.title, rates.get(target.product), self.target_ratio)


MEASUREMENTS = (
    Measurement("enqueue", "enqueue, one by one", enqueue.one_by_one, 2.0, 0.4, target_ratio=0.7),
    Measurement("bulk", f"enqueue_all of {enqueue.BULK:,}", enqueue.in_bulk, 2.0, 0.4),
    Measurement(
        "drain",
        "drained, 2 processes of 5 threads",
        lambda target, count: drain.drained(target, int(count)),
        12_000,
        3_000,
        target_rates={"sqlite": 5000, "postgresql": 5000, "mariadb": 2000, "mysql": 2000},
    ),
    Measurement(
        "limited",
        f"drained, {jobs.SLOTS} at a time of each of {jobs.KEYS} keys",
        lambda target, count: drain.limited(target, int(count)),
        12_000,
        3_000,
        target_ratio=0.4,
    ),
)


@dataclass(frozen=True)
class Watching:
    """What is measured beside them, once: there is nothing in it that varies by chance. How, and
    for how many seconds; with --quick fewer."""

    run: Callable[[Target, float], list[Reading]]
    seconds: float
    quick_seconds: float


WATCHINGS = {
    "idle": Watching(idle.measured, 60.0, 10.0),
    "recurring": Watching(recurring.measured, 70.0, 10.0),
}


def main() -> int:
    arguments = _arguments()
    for name in [name for name in os.environ if name.startswith(("QUEUEKIT_", "PG"))]:
        del os.environ[name]  # nobody's own queue, nor psql's defaults, are to be measured
    try:
        report = measure(
            arguments.only or databases.USUAL,
            [m for m in MEASUREMENTS if m.key in (arguments.measure or m.key)],
            [name for name in WATCHINGS if name in (arguments.measure or WATCHINGS)],
            1 if arguments.quick and arguments.repetitions is None else arguments.repetitions or 5,
            is_quick=arguments.quick,
        )
    except KeyboardInterrupt:
        return 130
    print(report.markdown())
    if arguments.json is not None:
        arguments.json.write_text(f"{report.json()}\n")
    return 0


def measure(
    products: Sequence[str],
    measurements: Sequence[Measurement],
    watchings: Sequence[str],
    rounds: int,
    *,
    is_quick: bool,
) -> Report:
    """Each measurement on each database, once per round."""
    with databases.start(products) as targets:
        settings, notes = _described(targets)
        if not measurements:
            notes.clear()
        figures = {(m, t): m.figure(t) for m in measurements for t in targets}
        steps = [(number, pair) for number in range(1, rounds + 1) for pair in figures]
        for done, (number, (measurement, target)) in enumerate(steps):
            _say(done, len(steps), f"round {number}: {target.title}, {measurement.name}")
            size = measurement.quick_size if is_quick else measurement.size
            figures[measurement, target].samples.append(measurement.run(target, size))
        readings = {name: _watch(name, targets, is_quick=is_quick) for name in watchings}
        notes += [idle.how_counted(target) for target in targets if "idle" in watchings]
        _say(len(steps), len(steps), "done")
    machine = _machine()
    if measurements:
        machine.append(f"interleaved rounds: {rounds}; medians" + ", --quick" * is_quick)
    return Report(machine, settings, notes, list(figures.values()), readings)


def _watch(name: str, targets: Sequence[Target], *, is_quick: bool) -> dict[str, list[Reading]]:
    """One database after the other."""
    watching = WATCHINGS[name]
    seconds = watching.quick_seconds if is_quick else watching.seconds
    readings = {}
    for done, target in enumerate(targets):
        _say(done, len(targets), f"{target.title}, {name}, for {seconds:g} s")
        readings[target.title] = watching.run(target, seconds)
    return readings


def _described(targets: Sequence[Target]) -> tuple[list[str], list[str]]:
    """The databases' settings, and how the bare statements are sent."""
    settings, notes = [], []
    for target in targets:
        with target.fresh() as url, target.bare(url) as bare:
            settings.append(bare.settings())
            notes.append(f"bare on {target.title}: {bare.how_one}; bulk: {bare.how_many}")
    notes.append(
        "bare of what is drained: the turn's statements alone, through queuekit's database layer, "
        "one connection, 10 jobs a turn; of what is limited: as many jobs without a limit"
    )
    return settings, notes


def _machine() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [line for line in information.read_text().splitlines() if "model name" in line]
        processor = models[0].partition(":")[2].strip() if models else processor
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [f"{cores} cores, {processor}, {platform.system()}; {python}, queuekit {VERSION}"]


def _say(done: int, total: int, what: str) -> None:
    """Progress: one line that changes on a terminal, otherwise a line for each step."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r\033[K[{done}/{total}] {what}", end=end, file=sys.stderr, flush=True)
    else:
        print(f"[{done}/{total}] {what}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description="Measures queuekit on throwaway databases, beside the bare statements "
        "through the same drivers, and prints the settings and a Markdown table.",
        epilog="example: bin/bench --only sqlite --measure enqueue --repetitions 9",
    )
    parser.add_argument(
        "--only", action="append", choices=databases.PRODUCTS, help="this database; repeatable"
    )
    parser.add_argument(
        "--measure",
        action="append",
        choices=[*(measurement.key for measurement in MEASUREMENTS), *WATCHINGS],
        help="this measurement; repeatable",
    )
    parser.add_argument("--repetitions", type=int, metavar="N", help="rounds (5; with --quick 1)")
    parser.add_argument(
        "--quick", action="store_true", help="short: whether it works, not how fast"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all samples into FILE, too"
    )
    arguments = parser.parse_args()
    if arguments.repetitions is not None and arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
