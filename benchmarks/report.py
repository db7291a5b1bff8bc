"""What was measured: figures, their medians, spreads and ratios, as Markdown and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """One measurement: per second, of queuekit and of the bare statements beside it."""

    rate: float
    bare_rate: float

    @property
    def ratio(self) -> float:
        return self.rate / self.bare_rate


class Reading(NamedTuple):
    """Something that is no rate: memory, connections."""

    name: str
    value: float
    unit: str


@dataclass
class Figure:
    """What is known of one measurement on one database after all rounds.

    The targets, of the rate or of the ratio, are what this version has to show on 2 cores.
    """

    name: str
    database: str
    target_rate: float | None = None
    target_ratio: float | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [sample.rate for sample in self.samples]

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def bare_rate(self) -> float:
        return statistics.median(sample.bare_rate for sample in self.samples)

    @property
    def ratio(self) -> float:
        """The median of the ratios, each of one moment, rather than the ratio of the medians."""
        return statistics.median(sample.ratio for sample in self.samples)

    @property
    def is_met(self) -> bool | None:
        if self.target_rate is not None:
            return self.rate >= self.target_rate
        return None if self.target_ratio is None else self.ratio >= self.target_ratio


@dataclass
class Report:
    """All figures of a run, and what they depend on."""

    machine: Sequence[str]
    settings: Sequence[str]
    notes: Sequence[str]
    figures: Sequence[Figure]
    #: What is measured beside the rates, by what it is and by database.
    readings: Mapping[str, Mapping[str, Sequence[Reading]]]

    def markdown(self) -> str:
        lines = [f"- {line}" for line in (*self.machine, *self.settings, *self.notes)]
        if self.figures:
            lines += ["", *self._rates()]
        for name, readings in self.readings.items():
            lines += ["", *_table(name, readings)]
        return "\n".join(lines)

    def _rates(self) -> list[str]:
        return [
            "| | database | per second | lowest to highest | bare | ratio | to show | |",
            "|---|---|--:|--:|--:|--:|--:|---|",
            *(_row(figure) for figure in self.figures),
        ]

    def json(self) -> str:
        document = {
            "machine": list(self.machine),
            "settings": list(self.settings),
            "notes": list(self.notes),
            "figures": [_as_dict(figure) for figure in self.figures],
            **{
                name: {
                    database: [reading._asdict() for reading in found]
                    for database, found in readings.items()
                }
                for name, readings in self.readings.items()
            },
        }
        return json.dumps(document, indent=2)


def _table(name: str, readings: Mapping[str, Sequence[Reading]]) -> list[str]:
    rows = [
        f"| {found[0].name} | {' | '.join(_value(reading) for reading in found)} |"
        for found in zip(*readings.values(), strict=True)
    ]
    return [f"| {name} | {' | '.join(readings)} |", f"|---|{'--:|' * len(readings)}", *rows]


def _row(figure: Figure) -> str:
    cells = [
        figure.name,
        figure.database,
        f"{figure.rate:,.0f}",
        f"{min(figure.rates):,.0f} to {max(figure.rates):,.0f}",
        f"{figure.bare_rate:,.0f}",
        f"{figure.ratio:.2f}",
        _target(figure),
        {True: "yes", False: "**no**", None: ""}[figure.is_met],
    ]
    return f"| {' | '.join(cells)} |"


def _target(figure: Figure) -> str:
    if figure.target_rate is not None:
        return f"{figure.target_rate:,.0f}/s"
    return "" if figure.target_ratio is None else f"ratio {figure.target_ratio}"


def _value(reading: Reading) -> str:
    if reading.unit == "s" and reading.value < 10:
        return f"{reading.value:.2f} s"
    places = 0 if reading.value == int(reading.value) or reading.value >= 100 else 1
    return f"{reading.value:,.{places}f} {reading.unit}".strip()


def _as_dict(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "database": figure.database,
        "rate": figure.rate,
        "bare_rate": figure.bare_rate,
        "ratio": figure.ratio,
        "target_rate": figure.target_rate,
        "target_ratio": figure.target_ratio,
        "is_met": figure.is_met,
        "samples": [sample._asdict() for sample in figure.samples],
    }
