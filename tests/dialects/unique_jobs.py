"""Unique jobs, for the tests of these."""

from __future__ import annotations

from datetime import timedelta

import queuekit
from queuekit import Limit, Retry, Throttle, Unique


@queuekit.job(unique=Unique("key"))
def refresh(key: object, value: int = 0) -> None: ...


@queuekit.job(unique=Unique("key", while_="pending_or_running"))
def import_once(key: str, value: int = 0) -> None: ...


@queuekit.job(unique=Unique("key", window=timedelta(hours=1)))
def hourly(key: str, value: int = 0) -> None: ...


@queuekit.job(unique=Unique())
def same_arguments(*args: object, **kwargs: object) -> None: ...


@queuekit.job(unique=Unique("key"), limits_concurrency=Limit("all", duration=3600))
def one_at_a_time(key: str, value: int = 0) -> None: ...


@queuekit.job(
    unique=Unique("key", window=3600),
    limits_concurrency=Limit("all", duration=3600, on_conflict="discard"),
)
def never_waits(key: str, value: int = 0) -> None: ...


@queuekit.job(unique=Unique("key"), retry_on=Retry(OSError, wait=60))
def unsteady(key: str) -> None:
    raise OSError


@queuekit.job(unique=Unique("key"), throttle=Throttle(to=1, per=60))
def once_a_minute(key: str) -> None: ...
