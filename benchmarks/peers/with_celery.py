"""Celery, on Redis."""

from __future__ import annotations

import os

from celery import Celery

from benchmarks import stamps

app = Celery("benchmark", broker=os.environ["BENCHMARK_URL"])
app.conf.task_ignore_result = True
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True


@app.task(name="mark")
def mark(sent_at: float) -> None:
    stamps.mark(sent_at)


def prepare() -> None:
    """There is nothing to be made."""


def enqueue(sent_at: float) -> None:
    mark.delay(sent_at)
