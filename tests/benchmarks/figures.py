"""Figures that nobody has measured."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import PER_SECOND, Figure, Reading, Report, Sample


def figure(
    values: Sequence[float],
    bare: Sequence[float | None] | None = None,
    *,
    key: str = "drain",
    unit: str = PER_SECOND,
    database: str = "SQLite",
    target: float | None = None,
    target_ratio: float | None = None,
) -> Figure:
    samples = [Sample(*pair) for pair in zip(values, bare or [None] * len(values), strict=True)]
    return Figure(key, f"the {key}", database, unit, target, target_ratio, samples)


def report(*figures: Figure, readings: dict[str, dict[str, list[Reading]]] | None = None) -> Report:
    return Report(["2 cores"], ["SQLite 3"], ["a note"], figures, readings or {})
