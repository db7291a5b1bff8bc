"""Jobs with throttles, for the tests of these."""

from __future__ import annotations

import queuekit
from queuekit import Limit, Retry, Throttle

MINUTE = 60.0
HOUR = 3600.0


@queuekit.job(throttle=Throttle(to=2, per=MINUTE, key="key", group="two"))
def twice_a_minute(key: str, value: int = 0) -> None: ...


@queuekit.job(
    throttle=Throttle(to=2, per=MINUTE, key="key", group="two"),
    on_process_death="retry",
    max_process_deaths=3,
    retry_on=Retry(OSError, wait=0),
)
def survives(key: str, value: int = 0) -> None: ...


@queuekit.job(
    throttle=Throttle(to=1, per=MINUTE, key="key", group="gentle"),
    limits_concurrency=Limit("key", to=1, duration=HOUR, group="gentle"),
)
def gentle(key: str, value: int = 0) -> None: ...


@queuekit.job(throttle=Throttle(to=5, per=2.0, key="key", group="often"))
def often(key: str, value: int = 0) -> None: ...


@queuekit.job(throttle=Throttle(to=1, per=0.1))
def ten_a_second(value: int = 0) -> None: ...


@queuekit.job(throttle=Throttle(to=1, per=366 * 24 * HOUR))
def once_a_year(value: int = 0) -> None: ...
