"""Text that people read: widths, ellipses, periods."""

from __future__ import annotations

import pytest

from queuekit.cli.output import count, cut, period, printable, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("jobs", 4), ("日本", 4), ("e\u0301te\u0301", 3), ("🎉", 2), ("naïve", 5)],
)
def test_the_width_is_that_on_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("mailers", 7, "mailers"),
        ("mailers", 6, "maile…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("a", 1, "a"),
        ("ab", 1, "…"),
    ],
)
def test_what_is_cut_never_takes_more_room(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown
    assert width(shown) <= columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("naïve 日本 🎉", "naïve 日本 🎉"),
        ("a\nb\tc\x1b[0m\0", r"a\nb\tc\x1b[0m\x00"),
        ("\u202eabc\udcff", r"\u202eabc\udcff"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-0.2, "0.0 s"),
        (0.44, "0.4 s"),
        (12.9, "12 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_periods(seconds: float, shown: str) -> None:
    assert period(seconds) == shown


def test_counts() -> None:
    assert [count(number, "job") for number in (0, 1, 2_000)] == ["0 jobs", "1 job", "2,000 jobs"]
