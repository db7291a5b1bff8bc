"""What is measured, how much of it, and what it has to show.

A measurement is run once in each round. What varies little by chance is watched once, for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import backlog, drain, enqueue, idle, jobs, latency, probe, recurring
from benchmarks.databases import Target
from benchmarks.report import MILLISECONDS, PER_SECOND, Figure, Reading, Sample
from benchmarks.running import CLAIMS_AHEAD


@dataclass(frozen=True, eq=False)
class Measurement:
    """Something to measure: how, and how much of it, with --quick less: seconds, or rows where it
    `is_of_rows`. The targets are of values, by the product and, where there are several, the
    part; the target ratio is the same for all."""

    key: str
    name: str
    run: Callable[[Target, float], Sequence[Sample]]
    size: float
    quick_size: float
    unit: str = PER_SECOND
    targets: Mapping[str, float] = field(default_factory=dict)
    target_ratios: Mapping[str, float] = field(default_factory=dict)
    is_of_rows: bool = False

    def figure(self, target: Target, part: str) -> Figure:
        product = f"{target.product} {part}".rstrip()
        return Figure(
            f"{self.key} {part}".rstrip(),
            f"{self.name}, {part}" if part else self.name,
            target.title,
            self.unit,
            self.targets.get(product),
            self.target_ratios.get(product),
        )


@dataclass(frozen=True)
class Watching:
    """How, and for how many seconds; with --quick fewer."""

    run: Callable[[Target, float], list[Reading]]
    seconds: float
    quick_seconds: float


def _each(sqlite: float, postgresql: float, mysql: float) -> dict[str, float]:
    return {"sqlite": sqlite, "postgresql": postgresql, "mariadb": mysql, "mysql": mysql}


def _enqueueing() -> Iterator[Measurement]:
    yield Measurement(
        "enqueue",
        "enqueue, one by one",
        enqueue.one_by_one,
        2.0,
        0.4,
        target_ratios=_each(0.8, 0.9, 0.9),
    )
    yield Measurement(
        "bulk",
        f"enqueue_all of {enqueue.BULK:,}",
        enqueue.in_bulk,
        2.0,
        0.4,
        target_ratios=_each(0.7, 0.7, 0.7),
    )


def _drains() -> Iterator[Measurement]:
    for processes, threads in ((1, 1), (1, 5), (2, 5), (4, 5)):
        is_usual = (processes, threads) == (2, 5)
        yield Measurement(
            f"drain-{processes}x{threads}",
            f"drained, {processes}x{threads}",
            drain.drained(processes, threads),
            2.0,
            0.4,
            targets=_each(25_000, 25_000, 6_000) if is_usual else {},
        )
    if CLAIMS_AHEAD:
        yield Measurement(
            "drain-not-ahead",
            "drained, 2x5, claiming no more than free threads",
            drain.drained(2, 5, ahead=False),
            2.0,
            0.4,
            targets=_each(12_000, 7_000, 2_500),
        )
    yield Measurement(
        "drain-1ms",
        "drained, 2x5, jobs of 1 ms",
        drain.drained(2, 5, jobs.waiting_1_ms, 0.001),
        2.0,
        0.4,
    )
    yield Measurement(
        "drain-10ms",
        "drained, 2x5, jobs of 10 ms",
        drain.drained(2, 5, jobs.waiting_10_ms, 0.010),
        2.0,
        0.4,
    )
    yield Measurement(
        "drain-cpu",
        "drained, 2x5, jobs of about 1 ms of processor time",
        drain.drained(2, 5, jobs.computing, 0.005),  # one after the other: five threads, one GIL
        2.0,
        0.4,
    )
    yield Measurement(
        "limited",
        f"drained, 2x5, {jobs.SLOTS} at a time of each of {jobs.KEYS} keys",
        drain.limited,
        1.0,
        0.3,
    )


def _backlogs() -> Iterator[Measurement]:
    for key, name, run in (
        ("deep", f"drained, 2x5, from a deep backlog in {backlog.QUEUES} queues", backlog.deep),
        ("history", "drained, 2x5, beside many finished jobs", backlog.history),
    ):
        yield Measurement(
            key,
            name,
            run,
            100_000,
            10_000,
            target_ratios=_each(0.67, 0.67, 0.67),
            is_of_rows=True,
        )


def _latencies() -> Iterator[Measurement]:
    fast = {"sqlite p50": 3, "sqlite p99": 10, "postgresql p50": 3, "postgresql p99": 10}
    soon = {"mariadb p50": 12, "mariadb p99": 30, "mysql p50": 12, "mysql p99": 30}
    late = {"mariadb p50": 60, "mariadb p99": 110, "mysql p50": 60, "mysql p99": 110}
    yield Measurement(
        "latency",
        "latency, worker idle a moment",
        latency.idle,
        30.0,
        3.0,
        MILLISECONDS,
        targets=fast | soon,
    )
    yield Measurement(
        "rested",
        "latency, worker idle for seconds",
        latency.rested,
        60.0,
        6.0,
        MILLISECONDS,
        targets=fast | late,
    )
    yield Measurement(
        "busy",
        "latency, half of the threads busy",
        latency.busy,
        30.0,
        3.0,
        MILLISECONDS,
    )
    yield Measurement(
        "scheduled",
        "scheduled job's lateness",
        latency.punctuality,
        6.0,
        1.0,
        MILLISECONDS,
        targets={
            "sqlite p99": 50,
            "postgresql p99": 50,
            "mariadb p99": 100,
            "mysql p99": 100,
        },
    )


def _others() -> Iterator[Measurement]:
    yield Measurement("probe", "an idle worker's probe, one connection", probe.measured, 1.0, 0.2)


MEASUREMENTS = (*_enqueueing(), *_drains(), *_backlogs(), *_latencies(), *_others())

WATCHINGS = {
    "idle": Watching(idle.measured, 60.0, 10.0),
    "recurring": Watching(recurring.measured, 70.0, 10.0),
}
