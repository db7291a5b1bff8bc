"""The figures as plots, each as PNG and SVG: rates, ratios to the bare statements, latencies.

A bar is a median, the line on it reaches from the lowest to the highest round. Rates and latencies
are on logarithmic scales: what they have in common is their order of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter

from benchmarks.report import MILLISECONDS, PER_SECOND, Figure, Report

#: The same in every plot, and told apart by those who see few colours: Okabe and Ito's, and two
#: more for the libraries.
_COLOURS = [
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#000000",
    "#999999",
    "#882255",
]

_WIDTH = 9.0
_BAR = 0.26
_FORMATS = ("png", "svg")


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw what there is to draw, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    # Text stays text, and the same figures make the same file.
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "queuekit"}
    return [path for name, canvas in _canvases(report) for path in _write(canvas, folder, name)]


def _canvases(report: Report) -> Iterator[tuple[str, Canvas]]:
    rates = [figure for figure in report.figures if figure.unit == PER_SECOND]
    latencies = [figure for figure in report.figures if figure.unit == MILLISECONDS]
    compared = [figure for figure in rates if figure.ratios]
    title = "\n".join(report.machine)
    if rates:
        yield "rates", _bars(rates, _values, "per second", title, is_logarithmic=True)
    if compared:
        yield "ratios", _bars(compared, _ratios, "of the bare rate", title, is_logarithmic=False)
    if latencies:
        yield "latencies", _bars(latencies, _values, "milliseconds", title, is_logarithmic=True)


def _values(figure: Figure) -> list[float]:
    return figure.values


def _ratios(figure: Figure) -> list[float]:
    return figure.ratios


def _bars(
    figures: Sequence[Figure],
    of: Callable[[Figure], list[float]],
    label: str,
    title: str,
    *,
    is_logarithmic: bool,
) -> Canvas:
    """A group of bars for each measurement, in it one for each database."""
    names = list(dict.fromkeys(figure.name for figure in figures))
    databases = list(dict.fromkeys(figure.database for figure in figures))
    height = 1.2 + _BAR * len(figures) + 0.3 * len(names)
    canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
    axes = canvas.add_subplot()
    places, ticks = _places(names, databases, figures)
    for number, database in enumerate(databases):
        of_database = [figure for figure in figures if figure.database == database]
        _draw_bars(axes, of_database, of, [places[f.name, database] for f in of_database], number)
    axes.set_yticks(ticks, names)
    axes.invert_yaxis()
    if is_logarithmic:
        _scale(axes, [value for figure in figures for value in of(figure)])
    else:
        axes.margins(x=0.12)
    axes.set_xlabel(label)
    axes.set_title(title, fontsize=8, loc="left", color="#555555")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return canvas


def _scale(axes: Any, values: Sequence[float]) -> None:
    """From a power of ten below the lowest: on such a scale bars begin nowhere by themselves."""
    axes.set_xscale("log")
    lowest, highest = math.log10(min(values)), math.log10(max(values))
    axes.set_xlim(10 ** math.floor(lowest - 0.3), 10 ** (highest + 0.3))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _places(
    names: Sequence[str], databases: Sequence[str], figures: Sequence[Figure]
) -> tuple[dict[tuple[str, str], float], list[float]]:
    """Where each bar is, and the middle of each group. A group is as wide as it has bars."""
    known = {(figure.name, figure.database) for figure in figures}
    places: dict[tuple[str, str], float] = {}
    ticks = []
    next_place = 0.0
    for name in names:
        first = next_place
        for database in databases:
            if (name, database) in known:
                places[name, database] = next_place
                next_place += 1
        ticks.append((first + next_place - 1) / 2)
        next_place += 1
    return places, ticks


def _draw_bars(
    axes: Any,
    figures: Sequence[Figure],
    of: Callable[[Figure], list[float]],
    places: Sequence[float],
    number: int,
) -> None:
    medians = [figure.value if of is _values else figure.ratio or 0 for figure in figures]
    below = [median - min(of(figure)) for median, figure in zip(medians, figures, strict=True)]
    above = [max(of(figure)) - median for median, figure in zip(medians, figures, strict=True)]
    bars = axes.barh(
        places,
        medians,
        height=0.85,
        color=_COLOURS[number % len(_COLOURS)],
        label=figures[0].database,
        xerr=(below, above),
        error_kw={"ecolor": "#333333", "elinewidth": 0.8, "capsize": 2},
    )
    axes.bar_label(bars, [_short(median) for median in medians], padding=4, fontsize=7)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _write(canvas: Canvas, folder: Path, name: str) -> Iterator[Path]:
    for extension in _FORMATS:
        path = folder / f"{name}.{extension}"
        metadata = {"Date": None} if extension == "svg" else {}
        canvas.savefig(path, dpi=150, metadata=metadata)
        yield path
