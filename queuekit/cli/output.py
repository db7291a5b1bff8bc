"""What commands print: tables that read well in a terminal, JSON for everything else.

On a terminal a table fits its width, and headings are bold unless NO_COLOR is set. Anywhere else
nothing is cut and no control character is written: whatever a job put into its name or its message
shows as an escape, so that it can neither break a table nor drive a terminal.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

import click

from queuekit.arguments import redacted
from queuekit.executions.errors import StoredError

_GAP = "  "
_NARROWEST = 12
_READABLE = 24
_PERIODS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at it. A process may also begin without the stream."""
    return stream is not None and stream.isatty()


def no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR"))


def print_json(value: Any) -> None:
    """One JSON document. Text stays readable where the output can say it."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    is_unicode = encoding.replace("-", "").startswith("utf")
    click.echo(json.dumps(value, indent=2, ensure_ascii=not is_unicode))


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    fold: str | None = None,
) -> None:
    """Aligned columns under headings; those named in `right` are numbers, aligned right.

    On a terminal that is too narrow the widest columns are cut, with an ellipsis; not those named
    in `whole`. Where that would leave too little, a row takes two lines: one before `fold`, and one
    from there on.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(width(cell) for cell in column) for column in zip(headings, *cells, strict=True)]
    parts = [slice(None)]
    if is_terminal(sys.stdout):
        columns = shutil.get_terminal_size().columns
        if fold is not None and _needed(widths) - max(widths) + _READABLE > columns:
            place = headings.index(fold)
            parts = [slice(place), slice(place, None)]
        for number, part in enumerate(parts):
            kept = [heading in whole for heading in headings[part]]
            widths[part] = _narrowed(widths[part], columns - number * len(_GAP), kept)
    is_right = [heading in right for heading in headings]
    for row in (headings, *cells):
        for number, part in enumerate(parts):
            line = number * _GAP + _line(row[part], widths[part], is_right[part])
            click.secho(line, bold=row is headings)


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, a pair in a line."""
    longest = max(width(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name:<{longest}}{_GAP}{printable(str(value))}")


def print_wrapped(line: str, indent: int) -> None:
    """A line; on a terminal that is too narrow broken between words, the rest indented."""
    text = printable(line)
    if is_terminal(sys.stdout):
        columns = max(shutil.get_terminal_size().columns, indent + _NARROWEST)
        text = "\n".join(
            textwrap.wrap(
                text,
                columns,
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
                drop_whitespace=True,
            )
        )
    click.echo(text)


def print_heading(text: str) -> None:
    click.secho(text, bold=True)


def print_lines(text: str, *, err: bool = False) -> None:
    """A text of several lines, such as a traceback."""
    for line in text.splitlines():
        click.echo(printable(line.expandtabs()), err=err)


def print_arguments(stored: str) -> None:
    """A job's arguments under their heading, as JSON, without those that are redacted."""
    print_heading("Arguments")
    print_lines(json.dumps(arguments_json(stored), indent=2, ensure_ascii=False))


def arguments_json(stored: str) -> Any:
    """Stored arguments for JSON, without those that are redacted; as text when the row was written
    by something that does not write them."""
    return redacted(stored)


def error_line(error: StoredError) -> str:
    """An error in a line, as far as it has a message."""
    return f"{error.exception_class}: {error.message}" if error.message else error.exception_class


def print_error(text: str) -> None:
    """What went wrong, in one line on stderr."""
    click.echo(f"Error: {printable(' '.join(text.split()))}", err=True)


def printable(text: str) -> str:
    """The text with everything that is not a plain character written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def width(text: str) -> int:
    """How many columns a terminal needs for printable text: East Asian ones take two."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def cut(text: str, columns: int) -> str:
    """The text in at most so many columns, ending in an ellipsis when something is missing."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for char in text:
        used += _width_of(char)
        if used > columns:
            break
        kept.append(char)
    return "".join(kept) + "…"


def count(number: int, thing: str) -> str:
    """`1 job`, `2,000 jobs`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def moment(time: datetime | None) -> str:
    """A time for people."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def moment_in_zone(time: datetime) -> str:
    """A time for people, in its own zone."""
    return f"{time:%Y-%m-%d %H:%M:%S} {time.isoformat(timespec='seconds')[19:]}"


def moment_json(time: datetime | None) -> str | None:
    """A time for programs: ISO 8601, in milliseconds."""
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def period(seconds: float) -> str:
    """How long something has lasted: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = int(max(seconds, 0))
    if whole < 10:
        return f"{max(seconds, 0):.1f} s"
    for size, unit, smaller_size, smaller in _PERIODS:
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller_size} {smaller}"
    return f"{whole} s"


def _needed(widths: Sequence[int]) -> int:
    """The columns of a terminal that columns of these widths take, with the gaps between them."""
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _narrowed(widths: Sequence[int], columns: int, whole: Sequence[bool]) -> list[int]:
    """The widths, with what is too much taken from the widest, whichever that is by then."""
    narrowed = list(widths)
    may_be_cut = [place for place, keep in enumerate(whole) if not keep]
    for _ in range(_needed(widths) - columns):
        widest = max(may_be_cut, key=lambda place: narrowed[place])
        if narrowed[widest] <= _NARROWEST:
            break
        narrowed[widest] -= 1
    return narrowed


def _line(cells: Sequence[str], widths: list[int], is_right: list[bool]) -> str:
    padded = []
    for cell, columns, right in zip(cells, widths, is_right, strict=True):
        text = cut(cell, columns)
        space = " " * (columns - width(text))
        padded.append(space + text if right else text + space)
    return _GAP.join(padded).rstrip()


def _width_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
