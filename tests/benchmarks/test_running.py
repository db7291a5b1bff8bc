"""`bin/bench` as a program: it measures, writes, reads and compares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import MILLISECONDS, PER_SECOND, read
from tests.benchmarks.figures import figure, report

pytestmark = pytest.mark.databases("sqlite")

CHECKOUT = Path(__file__).resolve().parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks", *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_quick_run_measures_each_kind(product: str, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    kinds = ["enqueue", "drain-1x1", "scheduled", "deep"]

    done = bench(
        *("--only", product, "--quick", "--rows", "6000", "--json", str(result)),
        *(f"--measure={kind}" for kind in kinds),
    )

    assert done.returncode == 0, done.stderr
    measured = read(result)
    units = {found.key: found.unit for found in measured.figures}
    assert units == {
        "enqueue": PER_SECOND,
        "drain-1x1": PER_SECOND,
        "deep": PER_SECOND,
        "scheduled p50": MILLISECONDS,
        "scheduled p99": MILLISECONDS,
    }
    assert all(found.value > 0 and found.ratio for found in measured.figures)
    assert done.stdout.strip() == measured.markdown()
    assert "[0/4] round 1: SQLite, enqueue, one by one" in done.stderr


def test_databases_may_be_in_a_folder_of_ones_own(product: str, tmp_path: Path) -> None:
    done = bench("--url", f"sqlite:///{tmp_path}", "--quick", "--measure", "bulk")

    assert done.returncode == 0, done.stderr
    assert f"SQLite in {tmp_path}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_run_compared_with_itself_is_the_same(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = bench("--only", "sqlite", "--quick", "--measure", "enqueue", "--json", str(result))
    assert done.returncode == 0, done.stderr

    assert bench("--read", str(result)).stdout == done.stdout
    compared = bench("--compare", str(result), str(result))

    assert compared.returncode == 0
    assert "1 figures, 0 slower" in compared.stdout


def test_something_slower_is_a_status_of_its_own(tmp_path: Path) -> None:
    for name, rate in (("before", 100), ("after", 50)):
        values = [rate + round for round in range(5)]
        written = report(figure(values, [200] * 5))
        (tmp_path / f"{name}.json").write_text(written.json())

    compared = bench("--compare", str(tmp_path / "before.json"), str(tmp_path / "after.json"))

    assert compared.returncode == 1
    assert "**slower**" in compared.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--url", "redis://localhost"], "unknown database redis://"),
        (["--compare", "nowhere.json", "nowhere.json"], "nowhere.json is no report"),
        (["--repetitions", "0"], "at least 1"),
        (["--measure", "everything"], "invalid choice"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], problem: str) -> None:
    done = bench(*arguments)

    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
