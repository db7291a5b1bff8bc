"""queuekit, as one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import queuekit
from benchmarks.jobs import stamped
from queuekit.database import prepare as prepare_database

if url := os.environ.get("BENCHMARK_URL"):
    queuekit.configure(database_url=url)


def prepare() -> None:
    prepare_database(os.environ["BENCHMARK_URL"])


def enqueue(sent_at: float) -> None:
    stamped.enqueue(sent_at)


def enqueue_all(sent_ats: Sequence[float]) -> None:
    queuekit.enqueue_all([stamped.bind(sent_at) for sent_at in sent_ats])
