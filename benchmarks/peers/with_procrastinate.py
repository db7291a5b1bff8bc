"""procrastinate, on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from procrastinate import App, PsycopgConnector

from benchmarks import stamps

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCHMARK_URL"]))


@app.task(name="mark")
def mark(sent_at: float) -> None:
    stamps.mark(sent_at)


def prepare() -> None:
    with app.open():
        app.schema_manager.apply_schema()


def enqueue(sent_at: float) -> None:
    _open()
    mark.defer(sent_at=sent_at)


def enqueue_all(sent_ats: Sequence[float]) -> None:
    _open()
    mark.batch_defer(*[{"sent_at": sent_at} for sent_at in sent_ats])


@cache
def _open() -> None:
    """Once: the connections stay open."""
    app.open()
