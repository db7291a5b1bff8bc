"""Jobs with concurrency limits, for the tests of these."""

from __future__ import annotations

import queuekit
from queuekit import Limit, Retry

HOUR = 3600.0


@queuekit.job(limits_concurrency=Limit("key", to=1, duration=HOUR, group="one"))
def one_at_a_time(key: str, value: int = 0) -> None: ...


@queuekit.job(limits_concurrency=Limit("key", to=2, duration=HOUR, group="two"))
def two_at_a_time(key: str, value: int = 0) -> None: ...


@queuekit.job(limits_concurrency=Limit("key", to=2, duration=HOUR, on_conflict="discard"))
def never_waits(key: str, value: int = 0) -> None: ...


@queuekit.job(
    limits_concurrency=Limit("key", to=1, duration=HOUR, group="one"),
    on_process_death="retry",
    max_process_deaths=3,
    retry_on=Retry(OSError, wait=0),
)
def survives(key: str, value: int = 0) -> None: ...
