"""What counts as a regression, and what as noise."""

from __future__ import annotations

import random

import pytest

from benchmarks.compare import Verdict, chance_of_difference, compare, least_chance, markdown
from benchmarks.report import MILLISECONDS, Figure
from tests.benchmarks.figures import figure, report

RATES = [100.0, 102.0, 98.0, 101.0, 99.0]
BARE = [200.0] * 5


def verdict(before: Figure, after: Figure) -> Verdict:
    (change,) = compare(report(before), report(after))
    return change.verdict


def test_a_run_is_the_same_as_itself() -> None:
    assert verdict(figure(RATES, BARE), figure(RATES, BARE)) is Verdict.SAME


def test_rounds_that_do_not_overlap_are_a_difference() -> None:
    slower = [rate * 0.8 for rate in RATES]

    assert verdict(figure(RATES, BARE), figure(slower, BARE)) is Verdict.SLOWER
    assert verdict(figure(slower, BARE), figure(RATES, BARE)) is Verdict.FASTER


def test_a_slower_machine_is_no_regression() -> None:
    at_night = figure([rate * 0.5 for rate in RATES], [rate * 0.5 for rate in BARE])

    assert verdict(figure(RATES, BARE), at_night) is Verdict.SAME


def test_a_faster_machine_hides_no_regression() -> None:
    regressed = figure([rate * 0.9 for rate in RATES], [rate * 1.5 for rate in BARE])

    assert verdict(figure(RATES, BARE), regressed) is Verdict.SLOWER


def test_without_bare_statements_the_values_themselves_are_compared() -> None:
    (change,) = compare(report(figure(RATES)), report(figure([rate * 0.5 for rate in RATES])))

    assert change.verdict is Verdict.SLOWER
    assert not change.is_ratio
    assert change.change == pytest.approx(-0.5)


def test_a_longer_wait_is_slower_whatever_the_bare_statements_took() -> None:
    before = figure([3, 3.1, 3.2, 2.9, 3], BARE, unit=MILLISECONDS)
    after = figure([6, 6.2, 6.4, 5.8, 6], [400] * 5, unit=MILLISECONDS)

    (change,) = compare(report(before), report(after))

    assert change.verdict is Verdict.SLOWER
    assert change.change == pytest.approx(-0.5)


def test_a_wide_spread_is_noise() -> None:
    before, after = [100.0, 140.0, 60.0, 120.0, 80.0], [90.0, 50.0, 130.0, 70.0, 110.0]

    assert verdict(figure(before, BARE), figure(after, BARE)) is Verdict.SAME


def test_less_than_a_twentieth_is_nobodys_concern() -> None:
    quiet = [100.0, 100.1, 100.2, 100.3, 100.4]

    slightly = [rate * 0.97 for rate in quiet]

    assert verdict(figure(quiet, BARE), figure(slightly, BARE)) is Verdict.SAME


def test_of_fewer_than_five_rounds_nothing_is_said() -> None:
    before, after = figure([100.0] * 4, [200.0] * 4), figure([10.0] * 4, [200.0] * 4)

    assert verdict(before, after) is Verdict.UNKNOWN


def test_only_what_both_runs_have_is_compared() -> None:
    before = report(figure(RATES, key="a"), figure(RATES, key="b"), figure(RATES, key="c"))
    after = report(figure(RATES, key="b"), figure(RATES, key="c", database="MariaDB"))

    assert [change.name for change in compare(before, after)] == ["the b"]


def test_what_is_slower_comes_first_and_is_counted() -> None:
    before = report(figure(RATES, BARE, key="a"), figure(RATES, BARE, key="b"))
    slower = figure([rate * 0.5 for rate in RATES], BARE, key="b")

    table = markdown(compare(before, report(figure(RATES, BARE, key="a"), slower))).splitlines()

    assert table[2] == "| the b | SQLite | 100 /s | 50 /s | -50% | 0.008 | **slower** |"
    assert table[3].endswith("| the same |")
    assert table[-1].startswith("2 figures, 1 slower.")


def test_the_chance_of_rounds_apart_is_that_of_choosing_just_them() -> None:
    # Of the 252 ways to choose 5 of 10, two are as extreme: all the lowest, all the highest.
    assert chance_of_difference([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)
    assert least_chance(5, 5) == pytest.approx(2 / 252)
    assert least_chance(4, 4) > 0.01


def test_equal_rounds_differ_by_chance_only() -> None:
    assert chance_of_difference([1, 1, 1], [1, 1, 1]) == 1
    assert chance_of_difference([1.0] * 30, [1.0] * 30) == 1


def test_many_rounds_are_judged_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    some, others = list(range(0, 16, 2)), list(range(7, 23, 2))
    exact = chance_of_difference(some, others)
    monkeypatch.setattr("benchmarks.compare._MANY", 0)

    assert 0 < exact < 0.05
    assert chance_of_difference(some, others) == pytest.approx(exact, abs=0.005)


def test_noise_alone_is_rarely_taken_for_a_difference() -> None:
    dice = random.Random(7)

    def rounds() -> Figure:
        return figure([dice.gauss(100, 10) for _ in range(5)], BARE)

    alarms = sum(verdict(rounds(), rounds()) is not Verdict.SAME for _ in range(400))

    assert alarms <= 12  # 1 percent is expected
