"""RQ, on Redis."""

from __future__ import annotations

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue

from benchmarks import stamps

_queue = Queue(connection=Redis.from_url(os.environ["BENCHMARK_URL"]))


def prepare() -> None:
    """There is nothing to be made."""


def enqueue(sent_at: float) -> None:
    _queue.enqueue(stamps.mark, sent_at, result_ttl=0)


def enqueue_all(sent_ats: Sequence[float]) -> None:
    prepared = [
        Queue.prepare_data(stamps.mark, args=(sent_at,), result_ttl=0) for sent_at in sent_ats
    ]
    _queue.enqueue_many(prepared)
