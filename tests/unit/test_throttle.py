"""How soon a child that died is replaced."""

from __future__ import annotations

import pytest

from queuekit.processes.throttle import YOUNG, Throttle


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([YOUNG], [0]),
        ([3600, 3600], [0, 0]),
        ([0, 0, 0, 0], [0, 0.5, 1, 2]),
        ([0] * 10, [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]),
        ([0, 0, 0, YOUNG, 0, 0], [0, 0.5, 1, 0, 0, 0.5]),
        ([YOUNG - 0.01] * 2, [0, 0.5]),
    ],
)
def test_who_dies_young_again_and_again_is_replaced_more_and_more_slowly(
    lives: list[float], pauses: list[float]
) -> None:
    throttle = Throttle()

    assert [throttle.pause_after(lived) for lived in lives] == pauses


def test_however_often_it_dies_a_next_one_comes_within_a_minute() -> None:
    throttle = Throttle()

    assert max(throttle.pause_after(0) for _ in range(5000)) == 60
