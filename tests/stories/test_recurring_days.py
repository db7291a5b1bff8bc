"""The days on which clocks change, simulated: libfaketime, and a scheduler that looks each minute.

On SQLite, whose clock is the process's own: it is the database's time that is made to pass.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.stories.promises import assert_invariant
from tests.stories.support import Application
from tests.stories.test_clocks import Clock, clock
from tests.stories.test_recurring import runs

assert clock  # a fixture

pytestmark = pytest.mark.databases("sqlite")

#: The days of 2027 on which each zone changes its clocks, forward and back, with a time that there
#: is none of on the one, and one that there are two of on the other.
DAYS = {
    "Europe/Berlin": ((date(2027, 3, 28), time(2, 30)), (date(2027, 10, 31), time(2, 30))),
    "America/New_York": ((date(2027, 3, 14), time(2, 30)), (date(2027, 11, 7), time(1, 30))),
    "Australia/Lord_Howe": ((date(2027, 10, 3), time(2, 15)), (date(2027, 4, 4), time(1, 45))),
    "Africa/Cairo": ((date(2027, 4, 30), time(0, 30)), (date(2027, 10, 28), time(23, 30))),
    "America/Havana": ((date(2027, 3, 14), time(0, 30)), (date(2027, 11, 7), time(0, 30))),
}

#: Passes time in the file that libfaketime reads, and lets the scheduler look at each minute.
SCHEDULER = """
import os
from datetime import datetime, timedelta
from queuekit import application, config
from queuekit.processes.scheduler import Scheduler, scheduling_of

def set_clock(moment):
    with open("clock.new", "w") as file:
        file.write(moment.strftime("%Y-%m-%d %H:%M:%S\\n"))
    os.rename("clock.new", "clock")

configuration = config.load()
application.use(configuration)
now, end = (datetime.fromisoformat(text) for text in {span!r})
set_clock(now)
scheduler = Scheduler(scheduling_of(configuration), configuration, application.database())
while now <= end:
    set_clock(now)
    while scheduler.poll() == 0.0:
        pass
    now += timedelta(minutes=1)
"""


def first_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When it is this time on this day for the first time; in a gap, when that ends. By trying."""
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=14)
    while (here := moment.astimezone(zone)).date() < day or (
        here.date() == day and here.time() < at
    ):
        moment += timedelta(minutes=1)
    return moment


def quarters_of_an_hour(begin: datetime, end: datetime) -> list[datetime]:
    """By the real clock: no zone here is off by less."""
    minutes = (
        begin + timedelta(minutes=n) for n in range(int((end - begin).total_seconds()) // 60)
    )
    return [minute for minute in minutes if minute.minute % 15 == 0]


@pytest.mark.parametrize("zone", DAYS)
def test_on_the_day_of_a_change_each_task_runs_as_the_policy_says(
    application: Application, clock: Clock, zone: str
) -> None:
    application.surroundings["TZ"] = "UTC"
    for day, at in DAYS[zone]:
        fixed, steady = f"fixed {day}", f"steady {day}"
        tasks = {
            fixed: {"class": "jobs.note", "args": ["fixed"], "schedule": f"{at:%M %H} * * *"},
            steady: {"class": "jobs.note", "args": ["steady"], "schedule": "every 15 minutes"},
        }
        for task in tasks.values():
            task["timezone"] = zone
        application.write("config/recurring.yml", json.dumps(tasks))
        days = [day + timedelta(days=n) for n in (-1, 0, 1)]
        begin = first_moment(days[0], time(0, 1), ZoneInfo(zone))
        end = first_moment(days[-1] + timedelta(days=1), time(), ZoneInfo(zone))
        span = [f"{moment:%Y-%m-%d %H:%M}" for moment in (begin, end - timedelta(minutes=1))]
        clock.set(f"{begin:%Y-%m-%d %H:%M:%S}")

        application.python(SCHEDULER.format(span=span))

        assert runs(fixed) == [first_moment(each, at, ZoneInfo(zone)) for each in days]
        assert runs(steady) == quarters_of_an_hour(begin, end)
    assert_invariant()
