"""Phrases and the cron that each one is, by the production that reads it."""

from __future__ import annotations

import pytest

from queuekit.schedules import parse

INTERVALS = {
    "every second": "* * * * * *",
    "every 10 seconds": "*/10 * * * * *",
    "every 5s": "*/5 * * * * *",
    "every minute": "* * * * *",
    "every 1 minute": "* * * * *",
    "every 30 minutes": "*/30 * * * *",
    "every 60 minutes": "0 * * * *",
    "every 2m": "*/2 * * * *",
    "every hour": "0 * * * *",
    "every 4 hours": "0 */4 * * *",
    "every 24 hours": "0 0 * * *",
    "every day": "0 0 * * *",
    "every 3 days": "0 0 */3 * *",
    "every week": "0 0 * * 0",
    "every month": "0 0 1 * *",
    "every 3M": "0 0 1 */3 *",
    "every year": "0 0 1 1 *",
    "every weekday": "0 0 * * 1-5",
    "EVERY 5 minutes": "*/5 * * * *",
}

STARTS = {
    "every 20 minutes starting at minute 7": "7/20 * * * *",
    "every 20 minutes from minute 7": "7/20 * * * *",
    "every 6 hours starting at hour 2": "0 2/6 * * *",
    "every 6 hours starting at hour 2 at minute 30": "30 2/6 * * *",
    "every 10 days starting at day 5": "0 0 5/10 * *",
    "every 4 months starting at month 3": "0 0 1 3/4 *",
    "every 12 seconds starting at second 3": "3/12 * * * * *",
}

MINUTES = {
    "every hour at minute 12": "12 * * * *",
    "every hour at minutes 10, 25 and 40": "10,25,40 * * * *",
    "every hour at min 9": "9 * * * *",
    "every hour on minute 30": "30 * * * *",
    "every hour on minute 30 and 45": "30,45 * * * *",
    "every 4 hours at minute 51": "51 */4 * * *",
    "every hour at minute 5 at second 15": "15 5 * * * *",
    "every hour at minute 5 and second 15": "15 5 * * * *",
    "every minute at second 30": "30 * * * * *",
    "every minute at secs 0 and 30": "0,30 * * * * *",
    "every 10 seconds at minute 30": "*/10 30 * * * *",
    "every 10 seconds every minute every monday": "*/10 * * * * 1",
    "every hour on the minute": "* * * * *",
    "every 5 minutes every 2 hours": "*/5 */2 * * *",
}

TIMES = {
    "at 5am every day": "0 5 * * *",
    "every day at 5": "0 5 * * *",
    "every day at 5 am": "0 5 * * *",
    "every day at 5PM": "0 17 * * *",
    "every day at 04:02": "2 4 * * *",
    "every day at 4:02 pm": "2 16 * * *",
    "every day at 12am": "0 0 * * *",
    "every day at 12pm": "0 12 * * *",
    "every day at 12:30am": "30 0 * * *",
    "every day at noon": "0 12 * * *",
    "every day at 12 noon": "0 12 * * *",
    "every day at midnight": "0 0 * * *",
    "every day at 12 midnight": "0 0 * * *",
    "every day at midnight thirty": "30 0 * * *",
    "every day at seven": "0 7 * * *",
    "every day at seven pm": "0 19 * * *",
    "every day at seven thirty": "30 7 * * *",
    "every day at seven thirty pm": "30 19 * * *",
    "every day at seven o'clock": "0 7 * * *",
    "every day at nine hundred": "0 9 * * *",
    "every day at zero dark thirty": "30 0 * * *",
    "every day at 7:00, 8:00 and 9:00": "0 7,8,9 * * *",
    "every day at 7:00 and 7:45": "0,45 7 * * *",
    "every day at 7:00, 7:30, 9:00, and 9:30": "0,30 7,9 * * *",
    "every day at 9am or 5pm": "0 9,17 * * *",
    "every day 9:15": "15 9 * * *",
    "every day, 9:15": "15 9 * * *",
    "at 9am at 5pm": "0 9,17 * * *",
    "noon": "0 12 * * *",
    "5, 6, 7, 8": "0 5,6,7,8 * * *",
}

RANGES = {
    "from 9am to 5pm": "0 9-17 * * *",
    "9am to 5pm": "0 9-17 * * *",
    "every hour from 8 to 18": "0 8-18 * * *",
    "every hour from nine to noon": "0 9-12 * * *",
    "every weekday 8am to 5pm": "0 8-17 * * 1-5",
    "every weekday 8am to 5pm on the hour": "0 8-17 * * 1-5",
    "every 15 minutes from 8am to 10am": "*/15 8-9 * * *",
    "every 15 minutes from 8am to 9am": "*/15 8 * * *",
    "every 20 minutes from 23:00 to 2:00": "*/20 23-1 * * *",
    "every minute from 22:00 to 24:00": "* 22-23 * * *",
    "every hour from 8am to 5pm at minute 15": "15 8-16 * * *",
    "every hour at minute 15 from 8am to 5pm": "15 8-16 * * *",
}

WEEKDAYS = {
    "every monday": "0 0 * * 1",
    "every Tue": "0 0 * * 2",
    "every tue and thu": "0 0 * * 2,4",
    "every sat,sun": "0 0 * * 6,0",
    "every mon, wed, and fri at 9am": "0 9 * * 1,3,5",
    "every monday and friday at 10:30 in Europe/Berlin": "30 10 * * 1,5 Europe/Berlin",
    "every weekday at noon": "0 12 * * 1-5",
    "every mon-thu": "0 0 * * 1-4",
    "every fri - sun": "0 0 * * 5-0",
    "every monday to thursday": "0 0 * * 1-4",
    "every monday through thursday": "0 0 * * 1-4",
    "from tuesday to friday at 6:30": "30 6 * * 2-5",
    "monday to tuesday and friday to saturday": "0 0 * * 1-2,5-6",
    "on monday": "0 0 * * 1",
    "every week on mon,fri at 8am": "0 8 * * 1,5",
    "every hour on sunday": "0 * * * 0",
    "every 5 minutes every weekday": "*/5 * * * 1-5",
    "every 3 months on monday": "0 0 * */3 1",
}

MONTHDAYS = {
    "every 3rd of the month": "0 0 3 * *",
    "every third of the month": "0 0 3 * *",
    "every second of the month": "0 0 2 * *",
    "every twenty-first of the month": "0 0 21 * *",
    "every last of the month at 23:00": "0 23 L * *",
    "every 1st and 15th of the month": "0 0 1,15 * *",
    "every month on the 2nd": "0 0 2 * *",
    "every month on the 2nd and 3rd": "0 0 2,3 * *",
    "every month on the 2nd and the last": "0 0 2,L * *",
    "every month on day 2": "0 0 2 * *",
    "every month on days 2, 12 and 22": "0 0 2,12,22 * *",
    "every day on the 5th": "0 0 5 * *",
    "every year on the 5th": "0 0 5 1 *",
    "from the 3rd to the 9th": "0 0 3-9 * *",
    "3rd to 9th at noon": "0 12 3-9 * *",
    "from the 20th to the last": "0 0 20-L * *",
    "every 13th of the month every friday": "0 0 13 * 5",
}

ZONES = {
    "every day at 1am EST": "0 1 * * * EST",
    "every day at 1am UTC": "0 1 * * * UTC",
    "every day at 1am in Europe/Berlin": "0 1 * * * Europe/Berlin",
    "every day at 1am on America/New_York": "0 1 * * * America/New_York",
    "every day at 1am, Asia/Tokyo": "0 1 * * * Asia/Tokyo",
    "every day at 1am America/Argentina/Buenos_Aires": "0 1 * * * America/Argentina/Buenos_Aires",
    "every day at 1am Etc/GMT+5": "0 1 * * * Etc/GMT+5",
    "every day at 1am +05:30": "0 1 * * * +05:30",
    "every day at 1am -0330": "0 1 * * * -0330",
    "every friday in Asia/Tokyo at 9am": "0 9 * * 5 Asia/Tokyo",
}

ROWS = INTERVALS | STARTS | MINUTES | TIMES | RANGES | WEEKDAYS | MONTHDAYS | ZONES


@pytest.mark.parametrize(("phrase", "cron"), ROWS.items(), ids=list(ROWS))
def test_a_phrase_is_its_cron(phrase: str, cron: str) -> None:
    by_phrase, by_cron = parse(phrase, timezone="UTC"), parse(cron, timezone="UTC")

    assert by_phrase.cron == by_cron.cron
    assert by_phrase.zone == by_cron.zone


@pytest.mark.parametrize("blanks", ["  ", "\t", " \t "])
def test_blanks_are_as_many_as_one_likes(blanks: str) -> None:
    phrase = "every monday and friday at 10:30 in Europe/Berlin"

    assert parse(f"\n{phrase.replace(' ', blanks)}\n").cron == "30 10 * * 1,5 Europe/Berlin"
