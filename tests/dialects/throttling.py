"""Short words for the tests of throttles: ask for starts, look at what was given, let time pass.

Time passes here by turning back what is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import queuekit
from queuekit import Receipt, application
from queuekit.executions import scheduled, throttles
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.throttles import RESERVED, Starts, margin
from tests.dialects.support import (
    ask,
    claim,
    finished,
    take,
)
from tests.dialects.throttled_jobs import (
    MINUTE,
    twice_a_minute,
)

#: How much later than exactly `per` a reservation of a minute may be.
LATEST = MINUTE + 2 * margin(MINUTE).total_seconds() + 0.001


def start(worker: int, jobs: Sequence[ClaimedJob]) -> Starts:
    return throttles.start(application.database(), worker, jobs)


def claim_and_start(worker: int, limit: int = 1000) -> list[int]:
    """The row ids of those that started."""
    return list(start(worker, claim(worker, limit)).seconds)


def moments() -> dict[int, datetime]:
    """When each job has started or is to."""
    moment = application.database().moment_from_database
    rows = ask("select job_id, starts_at from queuekit_throttle_starts order by starts_at, job_id")
    return {row_id: moment(starts_at) for row_id, starts_at in rows}


def stages() -> dict[int, int]:
    return dict(ask("select job_id, stage from queuekit_throttle_starts"))


def seconds_apart(*row_ids: int | None) -> list[float]:
    found = moments()
    times = [found[row_id] for row_id in row_ids if row_id is not None]
    return [(b - a).total_seconds() for a, b in pairwise(times)]


def due(*receipts: Receipt) -> list[datetime]:
    """When the dispatcher is to see to these jobs."""
    rows = dict(ask("select job_id, scheduled_at from queuekit_scheduled_executions"))
    return [application.database().moment_from_database(rows[one.row_id]) for one in receipts]


def pass_time(seconds: float) -> None:
    """Let time pass for throttles and for what is scheduled."""
    database = application.database()
    for table, columns, key in (
        ("throttle_starts", ["starts_at", "expires_at"], "job_id"),
        ("scheduled_executions", ["scheduled_at"], "job_id"),
    ):
        for row_id, *times in ask(f"select {key}, {', '.join(columns)} from queuekit_{table}"):
            for column, time in zip(columns, times, strict=True):
                earlier = database.moment_from_database(time) - timedelta(seconds=seconds)
                ask(
                    f"update queuekit_{table} set {column} = :at where {key} = :id",
                    at=database.to_database(earlier),
                    id=row_id,
                )


def assert_never_too_many(
    to: int, per: float, keys: Sequence[str] = ("two/a",), least_stage: int = RESERVED
) -> None:
    """No span of `per` holds more than `to` starts; without a stage, none that are to be, too."""
    for key in keys:
        times = sorted(
            application.database().moment_from_database(row[0])
            for row in ask(
                "select starts_at from queuekit_throttle_starts "
                "where throttle_key = :key and stage >= :stage",
                key=key,
                stage=least_stage,
            )
        )
        pairs = zip(times, times[to:], strict=False)
        assert all((after - first).total_seconds() > per for first, after in pairs), times


def backlog(number: int, worker: int) -> list[Receipt]:
    """So many jobs, of which the first two have started and ended."""
    receipts = queuekit.enqueue_all(twice_a_minute.bind("a", value) for value in range(number))
    jobs = claim(worker)
    started = start(worker, jobs).seconds
    take(worker, [finished(job) for job in jobs if job.row_id in started], limit=0)
    return receipts


def come(worker: int, limit: int = 1000) -> list[int]:
    """Dispatch what is due, claim and ask."""
    scheduled.dispatch(application.database(), 1000)
    return claim_and_start(worker, limit)
