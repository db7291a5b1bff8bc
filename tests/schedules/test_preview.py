"""What a schedule does next, with what the changes of the clocks make of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from queuekit.schedules import ScheduleError, Upcoming, parse


def preview(text: str, start: str, count: int = 4) -> list[str]:
    """Each run as `dd hh:mm note`, in the schedule's zone."""
    schedule = parse(text)
    after = datetime.fromisoformat(start).replace(tzinfo=schedule.zone)
    return [f"{at:%d %H:%M} {note}".rstrip() for at, note in schedule.preview(after, count)]


def test_the_runs_are_those_of_next_in_the_zone_of_the_schedule() -> None:
    schedule = parse("every weekday at 9am Europe/Paris")
    runs = schedule.preview(datetime(2026, 6, 5, 12, tzinfo=UTC), 2)

    assert runs == [
        Upcoming(datetime(2026, 6, 8, 9, tzinfo=schedule.zone)),
        Upcoming(datetime(2026, 6, 9, 9, tzinfo=schedule.zone)),
    ]
    assert {run.at.tzinfo for run in runs} == {schedule.zone}


def test_a_time_that_does_not_exist_is_said_to_run_after_the_gap() -> None:
    assert preview("every day at 2:30 Europe/Berlin", "2026-03-28", 3) == [
        "28 02:30",
        "29 03:00 the clock goes forward: 02:30 does not exist, runs at 03:00",
        "30 02:30",
    ]
    assert preview("every day at midnight Africa/Cairo", "2026-04-23 12:00", 1) == [
        "24 01:00 the clock goes forward: 00:00 does not exist, runs at 01:00"
    ]
    assert preview("every day at 2:10 Australia/Lord_Howe", "2026-10-03 12:00", 1) == [
        "04 02:30 the clock goes forward: 02:10 does not exist, runs at 02:30"
    ]


def test_several_times_that_do_not_exist_are_one_run() -> None:
    assert preview("0,30 2 * * * Europe/Berlin", "2026-03-28 12:00", 2) == [
        "29 03:00 the clock goes forward: 02:00 and 02:30 do not exist, runs at 03:00",
        "30 02:00",
    ]
    assert preview("2,12,22,32 2 * * * Europe/Berlin", "2026-03-28 12:00", 1) == [
        "29 03:00 the clock goes forward: 02:02, 02:12 and 2 more do not exist, runs at 03:00"
    ]


def test_a_time_that_exists_twice_is_said_to_run_the_first_time() -> None:
    assert preview("every day at 2:30 Europe/Berlin", "2026-10-24 12:00", 2) == [
        "25 02:30 the clock goes back: 02:30 is there twice, runs the first time",
        "26 02:30 the clock went back on Sunday, 2026-10-25, at 03:00",
    ]


def test_an_interval_says_which_of_two_it_is() -> None:
    assert preview("every 30 minutes Europe/Berlin", "2026-10-25 01:45", 5) == [
        "25 02:00 the clock goes back: 02:00 is there twice, this is the first time",
        "25 02:30 the clock goes back: 02:30 is there twice, this is the first time",
        "25 02:00 the clock goes back: 02:00 is there twice, this is the second time",
        "25 02:30 the clock goes back: 02:30 is there twice, this is the second time",
        "25 03:00",
    ]


def test_an_interval_says_where_the_clock_went_forward() -> None:
    assert preview("30 * * * * Europe/Berlin", "2026-03-29 01:00", 3) == [
        "29 01:30",
        "29 03:30 the clock went forward, at 02:00",
        "29 04:30",
    ]


def test_any_run_of_the_day_says_it_once_and_so_does_the_first_one_after_it() -> None:
    assert preview("every day at 9am Europe/Paris", "2026-03-28", 3) == [
        "28 09:00",
        "29 09:00 the clock went forward, at 02:00",
        "30 09:00",
    ]
    assert preview("every day at 1am Europe/Paris", "2026-03-29", 2) == [
        "29 01:00 the clock goes forward later on this day, at 02:00",
        "30 01:00 the clock went forward on Sunday, 2026-03-29, at 02:00",
    ]
    assert preview("every weekday at 9am Europe/Paris", "2026-03-27", 3) == [
        "27 09:00",
        "30 09:00 the clock went forward on Sunday, 2026-03-29, at 02:00",
        "31 09:00",
    ]


def test_what_is_a_year_apart_says_nothing_of_the_changes_between() -> None:
    assert preview("0 0 1 1 * Europe/Berlin", "2026-03-01", 2) == ["01 00:00", "01 00:00"]


def test_where_the_clocks_never_change_there_are_no_notes() -> None:
    assert not any(note for _, note in parse("every hour UTC").preview(datetime.now(UTC), 10_000))


def test_there_are_fewer_when_there_are_no_more() -> None:
    before_the_last = datetime(9998, 12, 31, tzinfo=UTC)
    assert len(parse("0 0 1 1 * UTC").preview(before_the_last, 5)) < 5
    with pytest.raises(ScheduleError, match="no zone"):
        parse("every hour").preview(datetime(2026, 1, 1), 5)
