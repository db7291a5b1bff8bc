"""Jobs' stamps, and what is made of the waits in them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks import stamps
from benchmarks.latency import percentile


def test_processes_write_their_stamps_into_one_file() -> None:
    code = "import sys; from benchmarks import stamps; stamps.mark(float(sys.argv[1]))"
    with stamps.new_file() as written:
        sent_at = time.monotonic()
        for _ in range(2):
            subprocess.run(
                [sys.executable, "-c", code, repr(sent_at)],
                env=os.environ | written.environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
                check=True,
            )
        now = time.monotonic()

        assert len(written) == 2
        for stamp in written.read():
            assert stamp.sent_at == sent_at
            assert sent_at < stamp.began_at < now
            assert 0 < stamp.milliseconds < (now - sent_at) * 1000


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.5, 51), (99, 99), (100, 100)]
)
def test_a_percentile_is_a_value_that_was_there(percent: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_the_high_percentile_of_few_values_is_the_highest() -> None:
    assert percentile([5, 1, 3], 99) == 5
    assert percentile([7], 50) == 7
