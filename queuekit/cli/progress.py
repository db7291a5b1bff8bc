"""How far something long has come: a bar on a terminal, else a line for each tenth, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from queuekit.cli.output import is_terminal

_LINES = 10


@contextmanager
def progress(label: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """What to call with the size of each batch. `quiet` shows nothing at all, as for --json."""
    if quiet or total == 0:
        yield lambda done: None
    elif is_terminal(sys.stderr):
        with click.progressbar(length=total, label=label, show_pos=True, file=sys.stderr) as bar:
            yield bar.update
    else:
        yield _Lines(label, total).update


class _Lines:
    """Says a line whenever another tenth is done, and none for what is done at once."""

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = total
        self.done = 0

    def update(self, done: int) -> None:
        before, self.done = self.done, self.done + done
        if self.done < self.total and self._tenths(before) < self._tenths(self.done):
            click.echo(f"{self.label}: {self.done:,} of {self.total:,}", err=True)

    def _tenths(self, done: int) -> int:
        return done * _LINES // self.total
