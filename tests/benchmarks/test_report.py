"""What a report says of its samples, and that it can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import MILLISECONDS, Reading, UnreadableReportError, read
from tests.benchmarks.figures import figure, report


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert figure([300, 100, 200]).value == 200
    assert figure([100, 200]).value == 150


def test_its_ratio_is_the_median_of_ratios_each_of_one_moment() -> None:
    # The machine became slower by half: the ratio of the medians would be 2.
    drained = figure([100, 50, 50], [100, 50, 25])

    assert drained.ratio == 1
    assert drained.bare == 50


def test_without_bare_statements_there_is_no_ratio() -> None:
    assert figure([100]).ratio is None
    assert figure([100]).bare is None


@pytest.mark.parametrize(
    ("values", "unit", "target", "is_met"),
    [
        ([100.0], "/s", 100, True),
        ([99.9], "/s", 100, False),
        ([3.0], MILLISECONDS, 3, True),
        ([3.1], MILLISECONDS, 3, False),
        ([3.1], MILLISECONDS, None, None),
    ],
)
def test_a_rate_has_to_reach_its_target_and_a_wait_to_stay_below(
    values: list[float], unit: str, target: float | None, is_met: bool | None
) -> None:
    assert figure(values, unit=unit, target=target).is_met is is_met


def test_a_ratio_has_to_reach_its_target() -> None:
    assert figure([90], [100], target_ratio=0.9).is_met is True
    assert figure([89], [100], target_ratio=0.9).is_met is False
    assert figure([89], target_ratio=0.9).is_met is None


def test_the_table_has_a_row_for_each_figure() -> None:
    lines = (
        report(
            figure([12_345, 11_000, 13_000], [20_000] * 3, target=25_000),
            figure([2.345], key="latency", unit=MILLISECONDS, target=3),
        )
        .markdown()
        .splitlines()
    )

    assert lines[:3] == ["- 2 cores", "- SQLite 3", "- a note"]
    assert lines[-2:] == [
        "| the drain | SQLite | 12,345/s | 11,000 to 13,000 | 20,000 | 0.62 | 25,000/s | **no** |",
        "| the latency | SQLite | 2.35 ms | 2.35 to 2.35 |  |  | 3 ms | yes |",
    ]


def test_what_was_watched_has_a_column_for_each_database() -> None:
    idle = {
        "SQLite": [
            Reading("memory", 21.5, "MB"),
            Reading("processor time", 0.125, "% of a core"),
            Reading("connections", 2, ""),
        ],
        "MariaDB": [
            Reading("memory", 25, "MB"),
            Reading("processor time", 123.4, "% of a core"),
            Reading("connections", 2, ""),
        ],
    }

    assert report(readings={"idle": idle}).markdown().splitlines()[-5:] == [
        "| idle | SQLite | MariaDB |",
        "|---|--:|--:|",
        "| memory | 21.5 MB | 25 MB |",
        "| processor time | 0.12 % of a core | 123 % of a core |",
        "| connections | 2 | 2 |",
    ]


def test_what_was_written_can_be_read_again(tmp_path: Path) -> None:
    written = report(
        figure([100, 110], [200, 210], target_ratio=0.5),
        figure([3], key="latency", unit=MILLISECONDS, target=3),
        readings={"idle": {"SQLite": [Reading("memory", 21.5, "MB")]}},
    )
    path = tmp_path / "report.json"
    path.write_text(written.json())

    found = read(path)

    assert found.json() == written.json()
    assert found.markdown() == written.markdown()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 1}'])
def test_what_is_no_report_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)

    with pytest.raises(UnreadableReportError, match=r"report\.json"):
        read(path)


def test_a_missing_report_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UnreadableReportError, match=r"nowhere\.json"):
        read(tmp_path / "nowhere.json")
