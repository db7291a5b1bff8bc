"""The plots of results."""

from __future__ import annotations

from pathlib import Path

from benchmarks import plots
from benchmarks.report import MILLISECONDS
from tests.benchmarks.figures import figure, report

FIGURES = [
    figure([100, 120], [200, 210]),
    figure([50, 60], [100, 110], database="MariaDB"),
    figure([3, 4], key="latency", unit=MILLISECONDS),
]


def test_rates_ratios_and_latencies_are_drawn_as_png_and_svg(tmp_path: Path) -> None:
    drawn = plots.draw(report(*FIGURES), tmp_path / "plots")

    names = [
        f"{name}.{kind}" for name in ("rates", "ratios", "latencies") for kind in ("png", "svg")
    ]
    assert [path.name for path in drawn] == names
    assert all(path.stat().st_size > 1000 for path in drawn)
    for word in ("the drain", "SQLite", "MariaDB", "per second"):
        assert word in (tmp_path / "plots" / "rates.svg").read_text()


def test_the_same_figures_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "other"):
        plots.draw(report(*FIGURES), tmp_path / name)

    for kind in ("png", "svg"):
        one, other = (tmp_path / name / f"rates.{kind}" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    drawn = plots.draw(report(FIGURES[2]), tmp_path)

    assert [path.name for path in drawn] == ["latencies.png", "latencies.svg"]
