"""`bin/bench --compare A.json B.json`: what has become faster or slower, and what is only noise.

A machine differs from hour to hour, so rates are compared by their ratios to the bare statements of
the same moment. Waits are compared as they are: they are made of sleeping more than of working.

Whether a difference is noise is asked of the rounds themselves, by an exact permutation test (of
Mann and Whitney): if it made no difference which run a round was of, how often would the rounds
lie as far apart as they do? Up to once in a hundred cases a difference counts, if the medians also
differ by 5 percent or more: less may be real, and is nobody's concern. Five rounds against five
are the least that can show anything so; with fewer the verdict is that nothing can be said.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.report import Figure, Report

CHANCE = 0.01
LEAST_CHANGE = 0.05

#: Up to so many ways to choose the rounds of one run among all are looked at one by one.
_MANY = 20_000


class Verdict(Enum):
    SLOWER = "**slower**"
    FASTER = "faster"
    SAME = "the same"
    UNKNOWN = "too few rounds"


@dataclass(frozen=True)
class Change:
    """One figure in two runs. The change is of its speed: 0.1 is a tenth more done in the same
    time."""

    name: str
    database: str
    unit: str
    before: float
    after: float
    change: float
    chance: float
    is_ratio: bool
    verdict: Verdict


def compare(before: Report, after: Report) -> list[Change]:
    """The changes of all figures that both runs have."""
    return list(_changes(before, after))


def _changes(before: Report, after: Report) -> Iterator[Change]:
    known = {(figure.key, figure.database): figure for figure in before.figures}
    for figure in after.figures:
        earlier = known.get((figure.key, figure.database))
        if earlier is not None and earlier.unit == figure.unit:
            yield _change(earlier, figure)


def _change(before: Figure, after: Figure) -> Change:
    is_ratio = _has_ratios(before) and _has_ratios(after)
    earlier, later = (_speeds(figure, is_ratio=is_ratio) for figure in (before, after))
    change = statistics.median(later) / statistics.median(earlier) - 1
    chance = chance_of_difference(earlier, later)
    return Change(
        after.name,
        after.database,
        after.unit,
        before.value,
        after.value,
        change,
        chance,
        is_ratio,
        _verdict(change, chance, least_chance(len(earlier), len(later))),
    )


def _has_ratios(figure: Figure) -> bool:
    return figure.more_is_better and len(figure.ratios) == len(figure.samples)


def _speeds(figure: Figure, *, is_ratio: bool) -> list[float]:
    """More is better in each of them: of what takes time, how often it fits into the unit."""
    values = figure.ratios if is_ratio else figure.values
    return values if figure.more_is_better else [1 / value for value in values]


def _verdict(change: float, chance: float, least: float) -> Verdict:
    if least > CHANCE:
        return Verdict.UNKNOWN
    if chance > CHANCE or abs(change) < LEAST_CHANGE:
        return Verdict.SAME
    return Verdict.FASTER if change > 0 else Verdict.SLOWER


# Chance


def chance_of_difference(some: Sequence[float], others: Sequence[float]) -> float:
    """How often two groups that do not differ would lie at least as far apart, in ranks."""
    ranks = _ranks([*some, *others])
    if math.comb(len(ranks), len(some)) > _MANY:
        return _approximate_chance(ranks, len(some))
    expected = statistics.mean(ranks) * len(some)
    distance = abs(sum(ranks[: len(some)]) - expected)
    choices = itertools.combinations(ranks, len(some))
    # Ranks are halves, which floats hold exactly; their mean may not be one.
    as_far = [abs(sum(chosen) - expected) >= distance - 1e-9 for chosen in choices]
    return sum(as_far) / len(as_far)


def least_chance(some: int, others: int) -> float:
    """The chance of two groups of these sizes that do not overlap at all: nothing is clearer."""
    return min(1.0, 2 / math.comb(some + others, some))


def _approximate_chance(ranks: Sequence[float], size: int) -> float:
    """Of many rounds: the ranks' sum is normally distributed."""
    others = len(ranks) - size
    variance = size * others / len(ranks) * statistics.variance(ranks)
    if not variance:
        return 1.0
    distance = abs(sum(ranks[:size]) - statistics.mean(ranks) * size)
    return math.erfc(distance / math.sqrt(2 * variance))


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each value in their order; equal ones share the middle of their places."""
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]


# The table


def markdown(changes: Sequence[Change]) -> str:
    """All of them, those that are slower first."""
    order = [Verdict.SLOWER, Verdict.FASTER, Verdict.UNKNOWN, Verdict.SAME]
    rows = [_row(change) for change in sorted(changes, key=lambda c: order.index(c.verdict))]
    slower = sum(change.verdict is Verdict.SLOWER for change in changes)
    return "\n".join(
        [
            "| | database | before | after | speed | by chance | |",
            "|---|---|--:|--:|--:|--:|---|",
            *rows,
            "",
            f"{len(changes)} figures, {slower} slower. Speed is relative to the bare statements of "
            "the same run, or, with a *, as it is.",
        ]
    )


def _row(change: Change) -> str:
    cells = [
        change.name,
        change.database,
        f"{change.before:,.4g} {change.unit}",
        f"{change.after:,.4g} {change.unit}",
        f"{change.change:+.0%}{'' if change.is_ratio else ' *'}",
        f"{change.chance:.3f}",
        change.verdict.value,
    ]
    return f"| {' | '.join(cells)} |"
