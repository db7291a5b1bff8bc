"""pgqueuer, on PostgreSQL, through asyncpg."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from benchmarks import stamps

_URL = os.environ["BENCHMARK_URL"]

_loop = asyncio.new_event_loop()
_queries: Queries | None = None


async def work(batch_size: int) -> None:
    """A worker's life, by the library's own loop; its command line does no more."""
    app = PgQueuer(AsyncpgDriver(await asyncpg.connect(_URL)))

    @app.entrypoint("mark")
    async def mark(job: Job) -> None:
        assert job.payload is not None
        stamps.mark(float(job.payload))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.shutdown.set)
    await app.run(batch_size=batch_size)


def prepare() -> None:
    _run(_connected().install())


def enqueue(sent_at: float) -> None:
    _run(_connected().enqueue("mark", repr(sent_at).encode()))


def enqueue_all(sent_ats: Sequence[float]) -> None:
    payloads: list[bytes | None] = [repr(sent_at).encode() for sent_at in sent_ats]
    count = len(payloads)
    _run(_connected().enqueue(["mark"] * count, payloads, [0] * count))


def _connected() -> Queries:
    global _queries
    if _queries is None:
        _queries = Queries(AsyncpgDriver(_run(asyncpg.connect(_URL))))
    return _queries


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return _loop.run_until_complete(work)


if __name__ == "__main__":
    asyncio.run(work(int(sys.argv[1])))
