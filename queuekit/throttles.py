"""Throttles as a job declares them: how many jobs of one key may start within a span of time.

    class Notify(queuekit.Job):
        throttle = Throttle(to=100, per=timedelta(minutes=1), key="account_id")
        def perform(self, account_id: int) -> None: ...

What they do is in `executions/throttles.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from queuekit.checks import in_seconds, unusable_count, unusable_span
from queuekit.keys import Call, Key, key_of, unusable_group, unusable_key

MOST_STARTS = 1_000_000


class HeldThrottle(NamedTuple):
    """The throttle of one job, as it is stored."""

    key: str
    to: int
    per: float


@dataclass(frozen=True)
class Throttle:
    """At most `to` jobs of the same key start within any span of `per`, a timedelta or seconds. One
    that comes too early is scheduled for the next free moment.

    `key` is as in Limit; without one, all jobs of the group have the same. Jobs of one `group`
    share their keys; it is the job's name when none is given. Each attempt is a start. What
    `perform_now` or `queuekit.testing` runs is not throttled.
    """

    to: int
    per: timedelta | float
    key: Key | None = None
    group: str | None = None

    @property
    def agreed(self) -> str:
        """What all jobs of a group must say."""
        return f"to={self.to}, per={in_seconds(self.per)} s"

    def problem(self) -> str | None:
        """Why this cannot be a throttle; None when it can."""
        return (
            unusable_count("to", self.to, MOST_STARTS)
            or unusable_span("per", self.per)
            or (None if self.key is None else unusable_key(self.key))
            or unusable_group(self.group)
        )

    def held(self, call: Call) -> HeldThrottle:
        """The throttle of one job. Raises EnqueueOptionError when there is no key for it."""
        per = in_seconds(self.per)
        assert per is not None
        return HeldThrottle(key_of("throttle's key", self.key, self.group, call), self.to, per)
