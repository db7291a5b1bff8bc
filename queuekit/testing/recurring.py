"""Recurring tasks in a test that travels: which runs are due on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from queuekit import application
from queuekit.recurring import static
from queuekit.recurring.agenda import Agenda, Run
from queuekit.recurring.task import RecurringTask

#: Runs of one journey at the most. More are rather a mistake than a test.
_MOST = 10_000


def due(after: datetime, until: datetime, dynamic: Iterable[RecurringTask]) -> Iterator[Run]:
    """The runs between, in their order: of the static tasks of the configuration in use, and of
    dynamic ones.

    Raises ConfigurationError with everything that is wrong with any static task; ValueError when
    there are more than a test would want.
    """
    agenda = Agenda()
    for task in (*dynamic, *static.read(application.configuration())):
        agenda.plan(task, task.schedule.next(after))
    for _ in range(_MOST):
        runs = agenda.take(until, 1)
        if not runs:
            return
        yield from runs
    raise ValueError(f"more than {_MOST:,} runs are due on the way: travel less far at once")
