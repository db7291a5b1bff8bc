"""Concurrency limits as a job declares them: how many jobs of one key may run at a time.

    class Export(queuekit.Job):
        limits_concurrency = Limit("account_id", to=2, duration=timedelta(minutes=5))
        def perform(self, account_id: int) -> None: ...

What they do is in `executions/semaphores.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from queuekit.checks import in_seconds, unusable_count, unusable_span
from queuekit.keys import Call, Key, key_of, unusable_group, unusable_key

#: 2 ** 31 - 1 is what a column holds; nobody needs as many.
MOST_SLOTS = 1_000_000


class HeldLimit(NamedTuple):
    """The limit of one job, as it is stored. `on_conflict` is None when the job is to wait."""

    key: str
    to: int
    duration: float
    on_conflict: str | None


@dataclass(frozen=True)
class Limit:
    """At most `to` jobs of the same key at a time; others are blocked until it is their turn, or
    discarded with `on_conflict="discard"`.

    `key` is a text: the name of an argument, or of an attribute of the job's class, whose value it
    is then, or else the key itself. Or it is a function of the job's arguments. Records count by
    their class and primary key. Jobs of one `group` share their keys; it is the job's name when
    none is given.

    A job takes its slot when it becomes ready and gives it back when it ends, however that is. One
    that has been claimed for longer than `duration` (a timedelta or seconds) is not counted any
    more; the default is the configuration's `default_concurrency_control_period`.
    """

    key: Key
    to: int = 1
    duration: timedelta | float | None = None
    group: str | None = None
    on_conflict: Literal["block", "discard"] = "block"

    @property
    def agreed(self) -> str:
        """What all jobs of a group must say."""
        return f"to={self.to}"

    def problem(self) -> str | None:
        """Why this cannot be a limit; None when it can."""
        return (
            unusable_key(self.key)
            or unusable_count("to", self.to, MOST_SLOTS)
            or (None if self.duration is None else unusable_span("duration", self.duration))
            or unusable_group(self.group)
            or _unusable_conflict(self.on_conflict)
        )

    def held(self, call: Call, default_duration: float) -> HeldLimit:
        """The limit of one job. Raises EnqueueOptionError when there is no key for it."""
        duration = in_seconds(self.duration)
        return HeldLimit(
            key_of("concurrency key", self.key, self.group, call),
            self.to,
            default_duration if duration is None else duration,
            None if self.on_conflict == "block" else self.on_conflict,
        )


def _unusable_conflict(on_conflict: Any) -> str | None:
    if on_conflict in ("block", "discard"):
        return None
    return f"on_conflict is 'block' or 'discard', not {on_conflict!r}"
