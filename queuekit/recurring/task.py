"""What a recurring task is, wherever it was written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from queuekit.config.tasks import MISSED as MISSED
from queuekit.config.tasks import Missed as Missed
from queuekit.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTask:
    """One task: its key, its schedule, and what it enqueues: a `class_name`, which is a job's
    stored name or an import path, or a `command`. `place` is where it was written down, for errors.

    `text` is the schedule as it was written. A task that comes from its row has `stored_arguments`,
    in the form in which they travel: they may be records, which are to be loaded for each run.

    `missed` says what becomes of runs whose time came while no scheduler was alive, as far as they
    lie within the last `missed_within` seconds, when that is given: they are skipped, the last of
    them is made up for once, or all are.
    """

    key: str
    schedule: Schedule
    class_name: str | None = None
    command: str | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int | None = None
    description: str | None = None
    missed: Missed = "skip"
    missed_within: float | None = None
    is_static: bool = True
    place: str = ""
    text: str | None = None
    stored_arguments: str | None = None
