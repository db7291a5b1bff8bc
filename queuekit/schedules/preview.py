"""What a schedule does next, said run by run, with what the changes of the clocks make of it.

A run gets a note when the clocks change between it and the one before, when it is at a time that
the clocks skip or show twice, and when the clocks change later on its day. Moments are in UTC
here, without saying so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from queuekit.schedules.evaluation import SECOND, Evaluation
from queuekit.schedules.zones import Change, changes_between, offset_at

#: As long as clocks can show a time for the second time. No change so far was longer.
_LONGEST_CHANGE = timedelta(days=1)

#: So many skipped times are named.
_NAMED = 3


class Upcoming(NamedTuple):
    """A run: when, in the schedule's zone, and what the clocks do to it, mostly nothing."""

    at: datetime
    note: str = ""


def preview(evaluation: Evaluation, after: datetime, count: int) -> list[Upcoming]:
    """The next runs, at most `count`: fewer where there are no more within fifty years."""
    found: list[Upcoming] = []
    before = after
    while len(found) < count and (at := evaluation.after(before)) is not None:
        local = at.replace(tzinfo=UTC).astimezone(evaluation.zone)
        found.append(Upcoming(local, _note(evaluation, before, at)))
        before = at
    return found


def _note(evaluation: Evaluation, before: datetime, at: datetime) -> str:
    zone = evaluation.zone
    since = changes_between(zone, before, at)
    if since and since[-1].at == at and (skipped := _skipped(evaluation, since[-1])):
        do = "do" if len(skipped) > 1 else "does"
        moved = f"{_listed(skipped)} {do} not exist, runs at {since[-1].skipped_to:%H:%M}"
        return f"the clock goes forward: {moved}"
    shown = at + offset_at(zone, at)
    if _is_shown_again(changes_between(zone, at, at + _LONGEST_CHANGE), shown):
        which = "this is the first time" if evaluation.is_interval else "runs the first time"
        return f"the clock goes back: {shown:%H:%M} is there twice, {which}"
    if _is_shown_again(changes_between(zone, at - _LONGEST_CHANGE, at), shown):
        return f"the clock goes back: {shown:%H:%M} is there twice, this is the second time"
    if since and offset_at(zone, before) != offset_at(zone, at):
        return _changed(since[-1], shown)
    return "" if evaluation.is_interval else _changes_later(zone, at, shown)


def _skipped(evaluation: Evaluation, change: Change) -> list[datetime]:
    """The times of the schedule that the clocks skip. Intervals have none: they follow the real
    clock."""
    if evaluation.is_interval:
        return []
    skipped: list[datetime] = []
    wall = evaluation.walls.after(change.repeated_until - SECOND)
    while wall is not None and wall < change.skipped_to:
        skipped.append(wall)
        wall = evaluation.walls.after(wall)
    return skipped


def _is_shown_again(changes: list[Change], shown: datetime) -> bool:
    return any(change.skipped_to <= shown < change.repeated_until for change in changes)


def _changed(change: Change, shown: datetime) -> str:
    """The last change before a run."""
    what = "forward" if change.since > change.before else "back"
    moment = change.repeated_until
    when = "" if moment.date() == shown.date() else f" on {moment:%A, %Y-%m-%d}"
    return f"the clock went {what}{when}, at {moment:%H:%M}"


def _changes_later(zone: tzinfo, at: datetime, shown: datetime) -> str:
    midnight = shown.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    for change in changes_between(zone, at, at + (midnight - shown)):
        if change.repeated_until.date() == shown.date():
            what = "forward" if change.since > change.before else "back"
            return f"the clock goes {what} later on this day, at {change.repeated_until:%H:%M}"
    return ""


def _listed(walls: list[datetime]) -> str:
    times = [f"{wall:%H:%M}" for wall in dict.fromkeys(wall.replace(second=0) for wall in walls)]
    if len(times) > _NAMED:
        times = [*times[: _NAMED - 1], f"{len(times) - _NAMED + 1} more"]
    return times[0] if len(times) == 1 else f"{', '.join(times[:-1])} and {times[-1]}"
