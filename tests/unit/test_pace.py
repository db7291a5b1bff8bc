"""How soon a worker that has found nothing looks again, at a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from queuekit.processes import pace as module
from queuekit.processes.pace import Pace


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


class Hints:
    """Hints as the test wants them."""

    def __init__(self, *, work: bool, merged: bool) -> None:
        self.work = work
        self.merged = merged
        self.pending = False
        self.expects_more = False

    def take(self) -> bool:
        pending, self.pending = self.pending, False
        return pending

    def expect_more(self) -> None:
        self.expects_more = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Sleeper:
    """A worker with nothing but its pace."""

    def __init__(self, clock: Clock, interval: float = 0.1, **hints: bool) -> None:
        self.clock = clock
        self.hints = Hints(**{"work": True, "merged": True} | hints)
        fake: Any = self.hints
        self.pace = Pace(interval, fake)
        self.look()

    def look(self, *, found: bool = False, alone: bool = True) -> float:
        self.pace.look()
        self.pace.looked(found=found, alone=alone)
        return self.pace.seconds()

    def sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def hear(self) -> None:
        self.hints.pending = True


@pytest.mark.parametrize(("interval", "soon"), [(0.1, 0.01), (0.05, 0.01), (1.0, 0.1), (5.0, 0.5)])
def test_without_hints_it_polls_more_often_for_five_seconds_after_work(
    clock: Clock, interval: float, soon: float
) -> None:
    sleeper = Sleeper(clock, interval, work=False)
    assert sleeper.look() == interval

    assert sleeper.look(found=True) == pytest.approx(soon)
    sleeper.sleep(4.9)
    assert sleeper.look() == pytest.approx(soon)
    sleeper.sleep(0.2)
    assert sleeper.look() == interval


@pytest.mark.parametrize(("interval", "idle"), [(0.1, 1.0), (30.0, 30.0)])
def test_with_hints_it_polls_once_a_second_or_as_seldom_as_it_is_told(
    clock: Clock, interval: float, idle: float
) -> None:
    sleeper = Sleeper(clock, interval)

    assert sleeper.look() == idle


def test_it_looks_again_for_what_was_merged_with_a_hint(clock: Clock) -> None:
    sleeper = Sleeper(clock)
    sleeper.hear()

    assert sleeper.look() == 0.01
    sleeper.sleep(0.04)
    assert sleeper.look() == 0.01
    sleeper.sleep(0.02)
    assert sleeper.look() == 1.0


def test_where_nothing_is_merged_it_does_not(clock: Clock) -> None:
    sleeper = Sleeper(clock, merged=False)
    sleeper.hear()

    assert sleeper.look(found=True) == 1.0


def test_hints_that_come_to_nothing_make_looks_as_seldom_as_polling_and_no_more(
    clock: Clock,
) -> None:
    sleeper = Sleeper(clock)
    pauses = []
    for _ in range(8):
        sleeper.hear()
        sleeper.look()
        sleeper.hear()
        pauses.append(sleeper.pace.seconds())
        assert not sleeper.pace.may_look()
        sleeper.sleep(pauses[-1] + 1e-6)
        assert sleeper.pace.may_look()
    assert pauses == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1, 0.1])

    sleeper.look(found=True)

    assert sleeper.pace.may_look()
    assert sleeper.hints.expects_more


def test_a_hint_that_comes_while_it_looks_is_looked_after_at_once(clock: Clock) -> None:
    sleeper = Sleeper(clock)
    sleeper.pace.look()
    sleeper.hear()
    sleeper.pace.looked(found=False, alone=True)

    assert sleeper.pace.seconds() == 0.0


def test_a_job_that_nobody_told_of_makes_it_poll_as_without_hints_for_a_minute(
    clock: Clock,
) -> None:
    sleeper = Sleeper(clock)
    sleeper.sleep(1.0)

    assert sleeper.look(found=True) == pytest.approx(0.01)
    sleeper.sleep(6.0)
    assert sleeper.look() == 0.1
    sleeper.sleep(55.0)
    assert sleeper.look() == 1.0


def test_a_job_that_is_claimed_in_passing_is_no_lost_hint(clock: Clock) -> None:
    sleeper = Sleeper(clock)
    sleeper.sleep(1.0)

    sleeper.look(found=True, alone=False)

    sleeper.sleep(0.1)
    assert sleeper.look() == 1.0
