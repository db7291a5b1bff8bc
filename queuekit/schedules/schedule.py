"""A schedule: when something is to happen again and again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from queuekit.errors import ScheduleError
from queuekit.schedules.cron import Cron
from queuekit.schedules.describing import describe
from queuekit.schedules.evaluation import Evaluation
from queuekit.schedules.preview import Upcoming, preview


class Schedule:
    """What `parse` makes of a text. Never changes; two that have the same times are equal.

    `text` is what was parsed, `zone` the zone whose clocks count.
    """

    def __init__(self, text: str, cron: Cron, zone: tzinfo, zone_in_text: str | None) -> None:
        self.text = text
        self.zone = zone
        self._cron = cron
        self._zone_in_text = zone_in_text

    @property
    def cron(self) -> str:
        """The schedule as cron, each field a list; with the zone at the end if the text names one.

        A list and a step look the same here. What differs between them, on the days when the clocks
        change, is in the schedule and in its text only.
        """
        return " ".join(filter(None, [str(self._cron), self._zone_in_text]))

    def next(self, after: datetime) -> datetime:
        """The first time after this one, in the zone in which it is given."""
        return _answer(self._evaluation.after, after)

    def previous(self, before: datetime) -> datetime:
        """The last time before this one, in the zone in which it is given."""
        return _answer(self._evaluation.before, before)

    def preview(self, after: datetime, count: int) -> list[Upcoming]:
        """The next times after this one, in the schedule's zone, each with a note where a change of
        the clocks makes something of it. Fewer than `count` where there are no more."""
        try:
            return preview(self._evaluation, _of_utc(after), count)
        except OverflowError as error:
            raise ScheduleError(f"{after} is too near to the calendar's end") from error

    def describe(self) -> str:
        """In English, for people."""
        return describe(self._cron, self.zone)

    @cached_property
    def _evaluation(self) -> Evaluation:
        """Made when its first time is asked for: reading a file of schedules needs none."""
        return Evaluation(self._cron, self.zone)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Cron, str]:
        return self._cron, str(self.zone)

    def __repr__(self) -> str:
        return f"<Schedule {self.text!r}: {self._cron} {self.zone}>"


def _answer(ask: Callable[[datetime], datetime | None], asked: datetime) -> datetime:
    """What comes before and after the calendar's years is as far away as what never comes."""
    try:
        found = ask(_of_utc(asked))
        if found is not None:
            return found.replace(tzinfo=UTC).astimezone(asked.tzinfo)
    except OverflowError as error:
        raise ScheduleError(f"{asked} is too near to the calendar's end") from error
    raise ScheduleError(f"no time of this schedule is within fifty years of {asked}")


def _of_utc(asked: datetime) -> datetime:
    if asked.utcoffset() is None:
        raise ScheduleError(f"{asked} is in no zone: give a time that knows its zone")
    return asked.astimezone(UTC).replace(tzinfo=None)
