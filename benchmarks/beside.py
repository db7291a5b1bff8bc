"""`bin/bench --beside CHECKOUT`: another checkout's queuekit, in the same rounds as this one's.

Two runs at different hours see two machines. Here each round is measured with the one and then the
other, in an order that changes, by processes that find the other checkout's `queuekit` before this
one's. All the rest, the jobs and the statements beside them, is this checkout's for both. What
comes out is a comparison.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Report, UnreadableReportError, merged, read
from benchmarks.running import CHECKOUT, BenchmarkError


def measure(checkout: Path, rounds: int, arguments: Sequence[str]) -> tuple[Report, Report]:
    """The other checkout's report and this one's; the arguments say what to measure."""
    package = checkout.absolute() / "queuekit"
    if not (package / "__init__.py").exists():
        raise UnreadableReportError(f"{checkout} is no checkout: there is no queuekit in it")
    others: list[Report] = []
    ours: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder:
        Path(folder, "queuekit").symlink_to(package)
        both = [("beside", Path(folder), others), ("here", CHECKOUT, ours)]
        for number in range(rounds):
            for name, place, reports in both if number % 2 else reversed(both):
                print(f"round {number + 1} of {rounds}, {name}", file=sys.stderr, flush=True)
                reports.append(_run(place, Path(folder, "report.json"), arguments))
    return merged(others), merged(ours)


def _run(place: Path, result: Path, arguments: Sequence[str]) -> Report:
    """One round, with the queuekit that is in this place."""
    command = [sys.executable, "-P", "-m", "benchmarks", *arguments]
    done = subprocess.run(
        [*command, "--repetitions", "1", "--json", str(result)],
        env=os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{CHECKOUT}"},
        stdout=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"a round ended with status {done.returncode}")
    return read(result)
