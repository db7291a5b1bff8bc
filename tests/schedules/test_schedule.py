"""A schedule as a value: its zone, its times one by one, what it says of itself."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

import queuekit
from queuekit.schedules import Schedule, ScheduleError, parse, zones
from queuekit.schedules.cron import Cron
from queuekit.schedules.cron_grammar import read_cron

NOW = datetime(2025, 6, 18, 10, 17, 23, tzinfo=UTC)


def test_it_is_reached_from_the_package() -> None:
    code = "import queuekit; print(queuekit.schedules.parse('every day at 5am UTC').cron)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "0 5 * * * UTC\n"


# The zone


def test_the_zone_in_the_text_wins_over_the_one_that_is_given() -> None:
    assert parse("every day in Asia/Tokyo", timezone="UTC").zone == ZoneInfo("Asia/Tokyo")
    assert parse("0 5 * * * +05:30", timezone="UTC").zone == timezone(timedelta(hours=5.5))


def test_the_zone_that_is_given_wins_over_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    assert parse("every day", timezone="Europe/Berlin").zone == ZoneInfo("Europe/Berlin")
    assert parse("every day", timezone=ZoneInfo("Europe/Berlin")).zone == ZoneInfo("Europe/Berlin")
    assert parse("every day", timezone=UTC).zone == UTC
    assert parse("every day").zone == ZoneInfo("America/New_York")


def test_the_machines_zone_is_what_its_localtime_links_to_or_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoneinfo, link, copy = tmp_path / "zoneinfo" / "Europe", tmp_path / "link", tmp_path / "copy"
    zoneinfo.mkdir(parents=True)
    (zoneinfo / "Berlin").write_bytes(b"")
    link.symlink_to(zoneinfo / "Berlin")
    copy.write_bytes(compiled_zone("Europe/Berlin"))
    monkeypatch.delenv("TZ", raising=False)

    monkeypatch.setattr(zones, "LOCALTIME", link)
    assert parse("every day").zone == ZoneInfo("Europe/Berlin")
    monkeypatch.setattr(zones, "LOCALTIME", copy)
    assert parse("every day").zone.utcoffset(datetime(2025, 7, 1)) == timedelta(hours=2)
    monkeypatch.setattr(zones, "LOCALTIME", tmp_path / "none")
    assert parse("every day").zone == UTC
    monkeypatch.setenv("TZ", f":{link}")
    assert parse("every day").zone == ZoneInfo("Europe/Berlin")


def compiled_zone(name: str) -> bytes:
    for folder in TZPATH:
        if Path(folder, name).exists():
            return Path(folder, name).read_bytes()
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def test_a_tz_that_names_no_zone_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST")

    with pytest.raises(ScheduleError, match="variable TZ: “CET-1CEST” is no zone"):
        parse("every day")
    assert parse("every day UTC").zone == ZoneInfo("UTC")


def test_the_cron_has_the_zone_of_the_text_only() -> None:
    assert parse("every day at 5am in Asia/Tokyo").cron == "0 5 * * * Asia/Tokyo"
    assert parse("every day at 5am", timezone="Asia/Tokyo").cron == "0 5 * * *"


# Its times


def test_times_come_in_the_zone_in_which_is_asked() -> None:
    schedule = parse("every day at 9am in Asia/Tokyo")
    asked = NOW.astimezone(ZoneInfo("Europe/Berlin"))

    assert schedule.next(asked).isoformat() == "2025-06-19T02:00:00+02:00"
    assert schedule.next(NOW).isoformat() == "2025-06-19T00:00:00+00:00"


def test_next_is_after_and_previous_before_never_at() -> None:
    schedule = parse("every minute", timezone="UTC")
    at = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
    moment = timedelta(microseconds=1)

    assert schedule.next(at) == at + timedelta(minutes=1)
    assert schedule.next(at - moment) == at
    assert schedule.previous(at) == at - timedelta(minutes=1)
    assert schedule.previous(at + moment) == at


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 29 2 mon&", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        ("0 0 * 2 mon#5", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        ("0 0 -1 * *", ["2025-06-30", "2025-07-31", "2025-08-31"]),
        ("0 0 -29 * *", ["2025-07-03", "2025-08-03", "2025-09-02"]),
        ("0 0 13 * fri&", ["2026-02-13", "2026-03-13", "2026-11-13"]),
        ("0 0 13 * fri", ["2025-06-20", "2025-06-27", "2025-07-04"]),
        ("0 0 * * fri#L", ["2025-06-27", "2025-07-25", "2025-08-29"]),
        ("0 0 * * mon%2", ["2025-06-23", "2025-07-07", "2025-07-21"]),
        ("0 0 * * mon%2+1", ["2025-06-30", "2025-07-14", "2025-07-28"]),
    ],
)
def test_rare_days(text: str, times: list[str]) -> None:
    schedule, at = parse(text, timezone="UTC"), NOW

    for expected in times:
        at = schedule.next(at)
        assert at.isoformat() == f"{expected}T00:00:00+00:00"


def test_days_are_those_that_the_cron_says_day_by_day() -> None:
    randomly = random.Random(7)
    begin = date(2023, 1, 1)
    days = [begin + timedelta(days=day) for day in range(500)]
    for text in [day_cron(randomly) for _ in range(150)]:
        cron, _ = read_cron(text)
        expected = [day for day in days if fits(cron, day)]

        assert walked(text, days) == expected, text
        assert walked_back(text, days) == expected, text


def day_cron(randomly: random.Random) -> str:
    weekdays = ["*", "1", "0,6", "1-5", "5#1", "5#-1", "2#5", "1%2", "3%3+1,4", "0-6", "1#2,2%2"]
    monthdays = ["*", "1", "13", "31", "-1", "-2,5", "1-7", "*/5", "-31", "1-31/2", "28-L", "8-14"]
    months = ["*", "*", "2", "1,3,5", "*/4", "11-2"]
    both = randomly.choice(["", "", "&"])
    fields = [randomly.choice(each) for each in (monthdays, months, weekdays)]
    text = f"0 12 {fields[0]} {fields[1]} {fields[2]}{both}"
    try:
        parse(text)
    except ScheduleError:
        text = day_cron(randomly)
    return text


def fits(cron: Cron, day: date) -> bool:
    last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    weeks = (day - date(2018, 12, 31)).days // 7
    by_month = cron.monthdays is None or bool({day.day, day.day - last.day - 1} & {*cron.monthdays})
    by_week = cron.weekdays is None or any(
        each.day == day.isoweekday() % 7
        and each.nth in (0, (day.day + 6) // 7, -((last.day - day.day) // 7 + 1))
        and (not each.weeks or weeks % each.weeks == each.shift % each.weeks)
        for each in cron.weekdays
    )
    is_both = cron.monthdays is None or cron.weekdays is None or cron.needs_both_days
    fits_days = by_month and by_week if is_both else by_month or by_week
    return fits_days and (cron.months is None or day.month in cron.months)


def walked(text: str, days: list[date]) -> list[date]:
    schedule = parse(text, timezone="UTC")
    found: list[date] = []
    end = midnight(days[-1] + timedelta(days=1))
    at = schedule.next(midnight(days[0]))
    while at < end:
        found.append(at.date())
        at = schedule.next(at)
    return found


def walked_back(text: str, days: list[date]) -> list[date]:
    schedule = parse(text, timezone="UTC")
    found: list[date] = []
    begin = midnight(days[0])
    at = schedule.previous(midnight(days[-1] + timedelta(days=1)))
    while at > begin:
        found.insert(0, at.date())
        at = schedule.previous(at)
    return found


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_threads_can_ask_the_same_schedule() -> None:
    schedule = parse("0 0 * * *", timezone="UTC")
    starts = [NOW + timedelta(days=100 * each) for each in range(4)]
    walks: dict[datetime, list[datetime]] = {}

    def walk(start: datetime) -> None:
        times = [start]
        for _ in range(300):
            times.append(schedule.next(times[-1]))
        walks[start] = times[1:]

    threads = [threading.Thread(target=walk, args=(start,)) for start in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for start in starts:
        assert walks[start][0] - start < timedelta(days=1)
        assert {later - earlier for earlier, later in pairwise(walks[start])} == {timedelta(days=1)}


# As a value


def test_schedules_of_the_same_times_are_equal() -> None:
    noon = parse("every day at noon", timezone="UTC")

    assert noon == parse("0 12 * * *", timezone="UTC") == parse("@noon UTC")
    assert hash(noon) == hash(parse("0 12 * * *", timezone="UTC"))
    assert noon != parse("every day at noon", timezone="Europe/Berlin")
    assert noon != parse("every day at 1pm", timezone="UTC")
    assert noon != "0 12 * * *"


def test_a_step_is_no_list_for_the_days_of_the_changes() -> None:
    step, listed = parse("0 */12 * * *", timezone="UTC"), parse("0 0,12 * * *", timezone="UTC")

    assert step.cron == listed.cron
    assert step != listed


def test_it_shows_what_it_was_made_of() -> None:
    schedule = parse(" every day at noon in Asia/Tokyo\n")

    assert schedule.text == "every day at noon in Asia/Tokyo"
    assert repr(schedule) == "<Schedule 'every day at noon in Asia/Tokyo': 0 12 * * * Asia/Tokyo>"
    assert isinstance(schedule, Schedule)
    assert issubclass(queuekit.ScheduleError, ValueError)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("every second", "Every second, UTC"),
        ("every 10 seconds", "Every 10 seconds, UTC"),
        ("every minute", "Every minute, UTC"),
        ("every minute at second 30", "At second 30 of every minute, UTC"),
        ("every 5 minutes", "Every 5 minutes, UTC"),
        ("every hour", "Every hour, UTC"),
        ("every hour at minute 12", "At minute 12 of every hour, UTC"),
        ("every hour at minutes 5 and 35", "At minutes 5 and 35 of every hour, UTC"),
        ("every hour at minute 5 at second 15", "At second 15 at minute 5 of every hour, UTC"),
        ("every 4 hours", "Every 4 hours, UTC"),
        ("every 4 hours at minute 51", "Every 4 hours at minute 51, UTC"),
        ("every 5 minutes every 2 hours", "Every 5 minutes of every 2 hours, UTC"),
        ("every hour from 9am to 9pm", "Every hour from 09:00 to 21:00, UTC"),
        ("every 20 minutes from 23:00 to 2:00", "Every 20 minutes from 23:00 to 01:59, UTC"),
        ("* 9,11 * * *", "Every minute in hours 9 and 11, UTC"),
        ("every day at 9am and 5pm", "At 09:00 and 17:00, every day, UTC"),
        ("30 0 9 * * *", "At 09:00:30, every day, UTC"),
        ("every weekday at noon", "At 12:00, from Monday to Friday, UTC"),
        ("12 8-18 * * *", "From 08:00 to 18:59 at minute 12, UTC"),
        ("every sat,sun", "At 00:00, on Sunday and Saturday, UTC"),
        ("every fri-sun", "At 00:00, from Friday to Sunday, UTC"),
        ("0 0 * * 0-6", "At 00:00, on any day of the week, UTC"),
        ("0 0 * * mon#2", "At 00:00, on the 2nd Monday of the month, UTC"),
        ("0 0 * * mon#L", "At 00:00, on the last Monday of the month, UTC"),
        ("0 0 * * mon#-2", "At 00:00, on the 2nd last Monday of the month, UTC"),
        ("0 0 * * mon%2", "At 00:00, on the Monday of every 2nd week, UTC"),
        ("0 0 * * mon%3+4", "At 00:00, on the Monday of every 3rd week (moved on by 1), UTC"),
        ("0 0 1,L * *", "At 00:00, on the 1st and last day of the month, UTC"),
        ("0 0 -11 * *", "At 00:00, on the 11th last day of the month, UTC"),
        ("0 0 2-22 * *", "At 00:00, from the 2nd to the 22nd, UTC"),
        ("0 0 13 * fri", "At 00:00, on the 13th of the month or on Friday, UTC"),
        ("0 0 13 * fri&", "At 00:00, on the 13th of the month if it is on Friday, UTC"),
        ("every 6 months", "At 00:00, on the 1st of the month, in January and July, UTC"),
        ("0 0 1 11-1 *", "At 00:00, on the 1st of the month, from November to January, UTC"),
        ("every day at 1am EST", "At 01:00, every day, EST"),
        ("every day at 1am +05:30", "At 01:00, every day, +05:30"),
    ],
)
def test_it_is_told_in_english(text: str, sentence: str) -> None:
    assert parse(text, timezone="UTC").describe() == sentence
