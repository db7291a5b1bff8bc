"""Schedules as people write them: cron, and phrases such as "every weekday at noon"."""

from queuekit.errors import ScheduleError
from queuekit.schedules.parsing import parse
from queuekit.schedules.preview import Upcoming
from queuekit.schedules.schedule import Schedule

__all__ = ["Schedule", "ScheduleError", "Upcoming", "parse"]
