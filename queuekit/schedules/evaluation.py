"""From times on a wall's clock to moments: what a schedule does on the days when the clocks change.

Fixed times ("at 2:30") happen once a day. One that the clocks skip is at the first moment after the
gap; one that they show twice is at the first of both. So each wall time has one moment, and later
ones never an earlier moment: the times can be walked through in the wall's order.

Intervals (every n minutes, hourly: a wildcard or a step among the minutes or hours) follow the real
clock: they are at every moment at which the clocks show one of their times. Between two changes of
the clocks the walls' order is that of the moments; so they are walked through change by change.

Moments are in UTC here, without saying so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from queuekit.schedules.cron import Cron
from queuekit.schedules.walls import Walls
from queuekit.schedules.zones import Change, change_before, changes_between, offset_at

SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)


class Evaluation:
    """The moments of a cron in a zone."""

    def __init__(self, cron: Cron, zone: tzinfo) -> None:
        self.walls = Walls(cron)
        self.zone = zone
        self.is_interval = cron.is_interval

    def after(self, moment: datetime) -> datetime | None:
        return self._interval_after(moment) if self.is_interval else self._fixed_after(moment)

    def before(self, moment: datetime) -> datetime | None:
        return self._interval_before(moment) if self.is_interval else self._fixed_before(moment)

    # Fixed times

    def _fixed_after(self, moment: datetime) -> datetime | None:
        """Of the times that the clocks show again, all are over."""
        wall, is_repeated = self._shown_at(moment)
        if is_repeated:
            wall = change_before(self.zone, moment).repeated_until - SECOND
        while (found := self.walls.after(wall)) is not None:
            fixed, _ = self._moment_of(found)
            if fixed > moment:
                return fixed
            wall = found
        return None

    def _fixed_before(self, moment: datetime) -> datetime | None:
        """When the clocks show times again, those that they have yet to show again are over too."""
        wall, is_repeated = self._shown_at(moment)
        if is_repeated:
            wall = change_before(self.zone, moment).repeated_until
        while (found := self.walls.before(wall)) is not None:
            fixed, gap = self._moment_of(found)
            if fixed < moment:
                return fixed
            wall = gap.repeated_until if gap else found
        return None

    def _shown_at(self, moment: datetime) -> tuple[datetime, bool]:
        """What the clocks show, and whether for the second time."""
        shown = moment.replace(tzinfo=UTC).astimezone(self.zone)
        return shown.replace(tzinfo=None, fold=0), bool(shown.fold)

    def _moment_of(self, wall: datetime) -> tuple[datetime, Change | None]:
        """The moment of a fixed time, and the change that skips it, if one does."""
        offset = wall.replace(tzinfo=self.zone).utcoffset()
        assert offset is not None
        moment = wall - offset
        if offset_at(self.zone, moment) == offset:
            return moment, None
        gap = change_before(self.zone, moment)
        return gap.at, gap

    # Intervals

    def _interval_after(self, moment: datetime) -> datetime | None:
        offset = offset_at(self.zone, moment)
        wall = moment + offset
        found = self.walls.after(wall)
        while found is not None:
            changes = changes_between(self.zone, moment, found - offset)
            if not changes:
                return found - offset
            moment, offset, skipped_to = changes[0].at, changes[0].since, changes[0].skipped_to
            if not wall < skipped_to <= found:
                found = self.walls.after(skipped_to - SECOND)
            wall = skipped_to - SECOND
        return None

    def _interval_before(self, moment: datetime) -> datetime | None:
        offset = offset_at(self.zone, moment - INSTANT)
        wall = moment + offset
        found = self.walls.before(wall)
        while found is not None:
            changes = changes_between(self.zone, found - offset, moment - INSTANT)
            if not changes:
                return found - offset
            moment, offset, until = changes[-1].at, changes[-1].before, changes[-1].repeated_until
            if not found < until <= wall:
                found = self.walls.before(until)
            wall = until
        return None
