"""Dramatiq, on Redis."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks import stamps

dramatiq.set_broker(RedisBroker(url=os.environ["BENCHMARK_URL"]))


@dramatiq.actor
def mark(sent_at: float) -> None:
    stamps.mark(sent_at)


def prepare() -> None:
    """There is nothing to be made."""


def enqueue(sent_at: float) -> None:
    mark.send(sent_at)
