"""Two checkouts in the same rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import merged
from tests.benchmarks.figures import figure, report
from tests.benchmarks.test_running import CHECKOUT, bench

pytestmark = pytest.mark.databases("sqlite")


def test_runs_that_measured_the_same_become_one() -> None:
    first = report(figure([1], [10]), figure([2], key="latency"))
    second = report(figure([3], [30]), figure([4], key="latency"))
    first.machine = second.machine = ["2 cores", "interleaved rounds: 1; medians"]

    both = merged([first, second])

    assert [(f.key, f.values) for f in both.figures] == [("drain", [1, 3]), ("latency", [2, 4])]
    assert both.figures[0].ratios == [0.1, 0.1]
    assert both.machine == ["2 cores", "interleaved rounds: 2; medians"]
    assert first.figures[0].values == [1]


def test_the_other_checkouts_queuekit_is_measured(product: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    # Its own name for the product, so that one can see who ran.
    copy = other / "queuekit"
    copy.mkdir()
    for path in (CHECKOUT / "queuekit").iterdir():
        if path.name not in ("version.py", "__pycache__", "__init__.py"):
            (copy / path.name).symlink_to(path)
    (copy / "__init__.py").write_text((CHECKOUT / "queuekit/__init__.py").read_text())
    (copy / "version.py").write_text('VERSION = "0.0.7"\n')
    result = tmp_path / "result.json"

    done = bench(
        *("--beside", str(other), "--only", product, "--quick", "--repetitions", "2"),
        *("--measure", "enqueue", "--measure", "drain-1x1", "--json", str(result)),
    )

    assert done.returncode == 0, done.stderr
    assert "2 figures, 0 slower" in done.stdout
    assert done.stdout.count("too few rounds") == 2
    assert "queuekit 0.0.7" in result.with_suffix(".beside.json").read_text()
    assert "queuekit 0.0.7" not in result.read_text()
    rounds = [line for line in done.stderr.splitlines() if line.startswith("round ")]
    assert rounds == [
        "round 1 of 2, here",
        "round 1 of 2, beside",
        "round 2 of 2, beside",
        "round 2 of 2, here",
    ]


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    done = bench("--beside", str(tmp_path), "--quick")

    assert done.returncode == 2
    assert "is no checkout" in done.stderr
