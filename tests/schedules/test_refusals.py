"""What is refused, and the reason that is given: a schedule at other times than said is worse."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

import queuekit
from queuekit.schedules import ScheduleError, parse

INTERVALS = {
    "every 90 minutes": "there are intervals of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60",
    "every 7 minutes": "of minutes there are intervals of",
    "every 45 seconds": "of seconds there are intervals of",
    "every 0 seconds": "of seconds there are intervals of",
    "every 17 hours": "of hours there are intervals of 1, 2, 3, 4, 6, 8, 12, 24",
    "every 5 hours": "of hours there are intervals of",
    "every 48 hours": "of hours there are intervals of",
    "every 30 days": "there are intervals of 1 to 15 days",
    "every 5 months": "of months there are intervals of 1, 2, 3, 4, 6, 12",
    "every 25 minutes starting at minute 5": "of minutes there are intervals of",
    "every 2 weeks": "mon%2",
    "every 99999 minutes": "more than there are",
}

SEVERAL_CRONS = {
    "every day at 18:15 and 20:45": "write one task for each time",
    "every day at 8:30 and 9": "write one task for each time",
    "every Mon-Wed and Fri": "needs two schedules",
    "every monday and 1st of the month": "needs two schedules",
    "every day and hour": "needs two schedules",
}

#: What Fugit reads, and does otherwise than it is said.
OTHERWISE = {
    "every 2 hours from 8am to 8pm": "0 8-20/2 * * *",
    "every 2 hours at 5pm": "do not go together",
    "every hour at 5pm": "do not go together",
    "every 5 minutes at 5pm": "do not go together",
    "every 5 minutes at minute 3": "do not go together",
    "every 5 minutes every 10 minutes": "do not go together",
    "every hour at minute 10 and minute 40": "minutes are one list",
    "every hour on the hour": "is “every hour”",
    "every day at hour 5": "“at 5:00”",
    "every day from 8:30 to 17:30": "whole hours",
    "every 10 minutes from 10pm to midnight": "is 24:00",
    "every 10 seconds on monday": "do not go together",
    "every 10 seconds from 9am to 5pm": "do not go together",
    "every 10 seconds every hour": "do not go together",
    "every 10 seconds at 5pm": "do not go together",
    "every 10 seconds at second 5": "do not go together",
    "every 2 days on monday": "do not go together",
    "every 2 days on the 5th": "do not go together",
    "every week on the 5th": "do not go together",
    "every day every week": "do not go together",
    "every year on monday": "do not go together",
    "every weekday on monday": "do not go together",
    "every week every weekday": "more than one",
    "from 8 to 9 and 14 to 15": "more than one",
    "every day at 13am": "there is no 13am",
    "every day at 5 noon": "noon is at 12",
    "every day at noon pm": "twice",
    "UTC": "says no time",
}

NOT_UNDERSTOOD = {
    "every day at sunrise": "“sunrise” is not understood",
    "every": "“every” is not understood",
    "every mondays": "“mondays” is not understood",
    "every monday until friday": "from ... to",
    "every monday thru friday": "“through”",
    "every other day": "every 2 days",
    "every 5 minutes on weekdays": "“every weekday”",
    "every month on the 2nd monday": "mon#2",
    "every last day of the month": "0 0 L * *",
    "every day at five forty-five": "“forty-five” is not understood",
    "every day,": "is not understood",
    "every day at 5pm and": "“and” is not understood",
    "every day\nat noon": "is not understood",
    "Every Day at 5pm": "small letters: every day at 5pm",
    "every 5 MINUTES": "small letters: every 5 minutes",
    "every day at " + " " * 300 + "noon": "256 characters",
}

CRON = {
    "": "empty",
    " \n": "empty",
    "* * * *": "five fields",
    "* * * * * * UTC *": "five fields",
    "60 * * * *": "“60” is no minute",
    "* 25 * * *": "“25” is no hour",
    "* * 32 * *": "“32” is no day of the month",
    "* * * 13 *": "“13” is no month",
    "* * * * 8": "“8” is no day of the week",
    "* * * * sunday": "is no day of the week",
    "*/0 * * * *": "a step of 0",
    "* * * * 1-5/0": "a step of 0",
    "*/5,1-9/0 * * * *": "a step of 0",
    "*/100 * * * *": "is no minute",
    "? * * * *": "write “*”",
    "0 ~ * * *": "another one on each host",
    "0 0 15W * *": "nearest to a day",
    "0 0 -5-5 * *": "make no range",
    "0 0 20--3 * *": "make no range",
    "0 0 L/2 * *": "make no range",
    "0 0 * * mon#6": "is no day of the week",
    "0 0 * * mon%0": "every 1 to 520 weeks",
    "0 0 * * mon%521": "every 1 to 520 weeks",
    "0 0 * * *%2": "is no day of the week",
    "0 0 31 2 *": "February has no day 31",
    "0 0 31 4,6 *": "April or June has no day 31",
    "0 0 -30 2 *": "February has no day -30",
    "0 0 31 * mon#1&": "no such day",
    "@reboot": "@hourly",
    "@every 5m": "@hourly",
    "\u0665 0 * * *": "is no minute",
    "1," * 600 + "1 * * * *": "1000 characters",
}

ZONES = {
    "* * * * * * *": "cron has five fields, or six, seconds first",
    "0 5 * * * Europe/Berln": "the nearest name is Europe/Berlin",
    "every day at 5am in Europe/Berln": "the nearest name is Europe/Berlin",
    "every day at 5am Berlin": "the nearest name is Europe/Berlin",
    "0 5 * * * america/new_york": "the nearest name is America/New_York",
    "0 5 * * * America/SaoPaulo": "the nearest name is America/Sao_Paulo",
    "0 5 * * * utc": "the nearest name is UTC",
    "@daily Asia/Tokio": "the nearest name is Asia/Tokyo",
    "0 5 * * * America": "is no zone",
    "0 5 * * * posix/UTC": "is no zone",
    "0 5 * * * +09": "an offset is written +hh:mm",
    "every day at 5am +05:20": "an offset is written +hh:mm",
    "0 5 * * * +15:00": "no clock is so far from UTC",
    "every day at 5am UTC in Asia/Tokyo": "more than one zone",
}

REFUSALS = INTERVALS | SEVERAL_CRONS | OTHERWISE | NOT_UNDERSTOOD | CRON | ZONES


@pytest.mark.parametrize(("text", "reason"), REFUSALS.items(), ids=[repr(t)[:40] for t in REFUSALS])
def test_it_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(reason)):
        print(parse(text, timezone="UTC"))


@pytest.mark.parametrize("text", [None, 5, b"every day", ["every day"]])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(ScheduleError, match="a schedule is a text, not"):
        parse(text)


@pytest.mark.parametrize("zone", ["Europe/Berln", "", 5, "localtime"])
def test_a_zone_that_is_none_is_refused(zone: Any) -> None:
    with pytest.raises(ScheduleError, match="zone"):
        parse("every day", timezone=zone)


def test_a_refusal_names_the_text_and_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="“every blue moon”") as refusal:
        parse("every blue moon")

    assert isinstance(refusal.value, queuekit.QueuekitError)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ScheduleError, match="in no zone"):
        parse("every day").next(datetime(2025, 1, 1))


@pytest.mark.parametrize("text", ["0 0 * * *", "* * * * *", "0 0 * * mon#1"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "-11:00", "+13:00"])
def test_the_calendar_has_an_end_and_a_beginning(text: str, zone: str) -> None:
    schedule = parse(text, timezone=zone)

    with pytest.raises(ScheduleError):
        print(schedule.next(datetime.max.replace(tzinfo=UTC)))
    with pytest.raises(ScheduleError):
        print(schedule.previous(datetime.min.replace(tzinfo=UTC)))
