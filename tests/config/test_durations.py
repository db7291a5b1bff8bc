"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuekit.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5 minutes", 300),
        ("1 day", 86400),
        ("90s", 90),
        ("250ms", 0.25),
        ("1.5 Hours", 5400),
        ("0.1.seconds", 0.1),
        ("2w", 1209600),
        ("3 min", 180),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "minutes", "-1 day", "1 day 2 hours", "5 parsecs", "ss", "1s s"]
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(1, 10**9))
def test_a_formatted_duration_reads_back(seconds: int) -> None:
    assert parse_duration(format_duration(float(seconds))) == seconds
