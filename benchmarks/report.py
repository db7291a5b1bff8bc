"""What was measured: figures, their medians, spreads and ratios, as Markdown and as JSON.

A file of JSON holds every sample, so that it can be read again: for the plots, for the table, and
to be compared with another run.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

PER_SECOND = "/s"
MILLISECONDS = "ms"

#: Of the JSON. The next number, when files of this one cannot be read any more.
FORMAT = 1


class Sample(NamedTuple):
    """One measurement: of queuekit and, seconds before or after it, of the bare statements. What
    shows several things at once says which part this is: `p50`, `p99`."""

    value: float
    bare: float | None = None
    part: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.bare if self.bare else None


class Reading(NamedTuple):
    """Something that is measured once: memory, connections."""

    name: str
    value: float
    unit: str


@dataclass
class Figure:
    """What is known of one measurement on one database after all rounds.

    The target, of the value or else of its ratio to the bare statements, is what this version has
    to show on 2 cores.
    """

    key: str
    name: str
    database: str
    unit: str = PER_SECOND
    target: float | None = None
    target_ratio: float | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def more_is_better(self) -> bool:
        return self.unit == PER_SECOND

    @property
    def values(self) -> list[float]:
        return [sample.value for sample in self.samples]

    @property
    def ratios(self) -> list[float]:
        return [sample.ratio for sample in self.samples if sample.ratio is not None]

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def bare(self) -> float | None:
        found = [sample.bare for sample in self.samples if sample.bare is not None]
        return statistics.median(found) if found else None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios, each of one moment, rather than the ratio of the medians."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def is_met(self) -> bool | None:
        if self.target is not None:
            more = self.value >= self.target
            return more if self.more_is_better else self.value <= self.target
        if self.target_ratio is not None and self.ratio is not None:
            return self.ratio >= self.target_ratio
        return None


@dataclass
class Report:
    """All figures of a run, and what they depend on."""

    machine: Sequence[str]
    settings: Sequence[str]
    notes: Sequence[str]
    figures: Sequence[Figure]
    #: What is measured beside them, by what it is and by database.
    readings: Mapping[str, Mapping[str, Sequence[Reading]]]

    def markdown(self) -> str:
        lines = [f"- {line}" for line in (*self.machine, *self.settings, *self.notes)]
        if self.figures:
            lines += ["", *self._figures()]
        for name, readings in self.readings.items():
            lines += ["", *_table(name, readings)]
        return "\n".join(lines)

    def _figures(self) -> list[str]:
        return [
            "| | database | median | lowest to highest | bare | ratio | to show | |",
            "|---|---|--:|--:|--:|--:|--:|---|",
            *(_row(figure) for figure in self.figures),
        ]

    def json(self) -> str:
        document = {
            "format": FORMAT,
            "machine": list(self.machine),
            "settings": list(self.settings),
            "notes": list(self.notes),
            "figures": [_as_dict(figure) for figure in self.figures],
            "readings": {
                name: {
                    database: [reading._asdict() for reading in found]
                    for database, found in readings.items()
                }
                for name, readings in self.readings.items()
            },
        }
        return json.dumps(document, indent=2)


#: How the line begins that says how many rounds there were.
ROUNDS = "interleaved rounds:"


def merged(reports: Sequence[Report]) -> Report:
    """One report of several runs that measured the same; what was watched is the last one's."""
    last = reports[-1]
    figures: dict[tuple[str, str], Figure] = {}
    for figure in [figure for report in reports for figure in report.figures]:
        known = figures.setdefault((figure.key, figure.database), replace(figure, samples=[]))
        known.samples += figure.samples
    machine = [line for line in last.machine if not line.startswith(ROUNDS)]
    machine.append(f"{ROUNDS} {len(reports)}; medians")
    return replace(last, machine=machine, figures=list(figures.values()))


class UnreadableReportError(Exception):
    """A file that is no report, or one of another format."""


def read(path: Path) -> Report:
    """The report that was written as JSON. Raises UnreadableReportError."""
    try:
        document = json.loads(path.read_text())
        if document["format"] != FORMAT:
            raise UnreadableReportError(f"{path} has format {document['format']}, not {FORMAT}")
        return Report(
            document["machine"],
            document["settings"],
            document["notes"],
            [_figure(figure) for figure in document["figures"]],
            {
                name: {
                    database: [Reading(**reading) for reading in found]
                    for database, found in readings.items()
                }
                for name, readings in document["readings"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableReportError(f"{path} is no report of bin/bench --json: {error}") from error


def _figure(document: Mapping[str, Any]) -> Figure:
    return Figure(
        document["key"],
        document["name"],
        document["database"],
        document["unit"],
        document["target"],
        document["target_ratio"],
        [Sample(**sample) for sample in document["samples"]],
    )


def _as_dict(figure: Figure) -> dict[str, Any]:
    return {
        "key": figure.key,
        "name": figure.name,
        "database": figure.database,
        "unit": figure.unit,
        "value": figure.value,
        "bare": figure.bare,
        "ratio": figure.ratio,
        "target": figure.target,
        "target_ratio": figure.target_ratio,
        "is_met": figure.is_met,
        "samples": [sample._asdict() for sample in figure.samples],
    }


# Tables


def _row(figure: Figure) -> str:
    lowest, highest = _number(min(figure.values)), _number(max(figure.values))
    cells = [
        figure.name,
        figure.database,
        f"{_number(figure.value)}{_unit(figure.unit)}",
        f"{lowest} to {highest}",
        "" if figure.bare is None else _number(figure.bare),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        _target(figure),
        {True: "yes", False: "**no**", None: ""}[figure.is_met],
    ]
    return f"| {' | '.join(cells)} |"


def _target(figure: Figure) -> str:
    if figure.target is not None:
        return f"{figure.target:,.0f}{_unit(figure.unit)}"
    return "" if figure.target_ratio is None else f"ratio {figure.target_ratio}"


def _unit(unit: str) -> str:
    return unit if unit.startswith("/") else f" {unit}"


def _number(value: float) -> str:
    """Three digits are what a figure has that varies by a few percent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(name: str, readings: Mapping[str, Sequence[Reading]]) -> list[str]:
    rows = [
        f"| {found[0].name} | {' | '.join(_value(reading) for reading in found)} |"
        for found in zip(*readings.values(), strict=True)
    ]
    return [f"| {name} | {' | '.join(readings)} |", f"|---|{'--:|' * len(readings)}", *rows]


def _value(reading: Reading) -> str:
    if reading.unit == "s" and reading.value < 10:
        return f"{reading.value:.2f} s"
    places = 2 if reading.value < 1 else 1
    if reading.value == int(reading.value) or reading.value >= 100:
        places = 0
    return f"{reading.value:,.{places}f} {reading.unit}".strip()
