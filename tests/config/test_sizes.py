"""Sizes of memory as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuekit.config.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512 MB", 512_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("1gb", 1_000_000_000),
        ("64.kib", 65_536),
        (" 7 bytes ", 7),
        ("2 TB", 2_000_000_000_000),
    ],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "512M", "512 m", "MB", "-1 MB", "1 GB 1 MB", "1 PB"])
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (512_000_000, "512 MB"),
        (1_610_612_736, "1536 MiB"),
        (1_000_001, "1000001 bytes"),
        (2_000_000_000, "2 GB"),
        (0, "0 bytes"),
    ],
)
def test_sizes_are_shown_in_the_largest_unit_that_needs_no_fraction(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 10**15 - 1))
def test_a_formatted_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
