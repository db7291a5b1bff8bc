"""Cron as it is written, and as it is once it has been read: each field a list."""

from __future__ import annotations

import pytest

from queuekit.schedules import parse

ROWS = {
    # plain values, names, blanks
    "5 4 * * *": "5 4 * * *",
    "05 04 * * *": "5 4 * * *",
    "5\t4  * * *": "5 4 * * *",
    "0 0 * jan SUN": "0 0 * 1 0",
    # six fields: the seconds first
    "10 5 4 * * *": "10 5 4 * * *",
    "0 5 4 * * *": "5 4 * * *",
    "0 0 0 * * SAT": "0 0 * * 6",
    # lists
    "1,3,2,3 * * * *": "1,2,3 * * * *",
    ",1,,2, * * * *": "1,2 * * * *",
    # ranges, also over a field's end
    "0 9-11 * * *": "0 9,10,11 * * *",
    "0 22-1 * * *": "0 0,1,22,23 * * *",
    "58-1 * * * *": "0,1,58,59 * * * *",
    "0 0 30-2 * *": "0 0 1,2,30,31 * *",
    "0 0 1 nov-feb *": "0 0 1 1,2,11,12 *",
    "0 0 * * fri-mon": "0 0 * * 0,1,5,6",
    "0-59 0-23 1-31 1-12 *": "* * * * *",
    # steps
    "*/20 * * * *": "0,20,40 * * * *",
    "/20 * * * *": "0,20,40 * * * *",
    "7/20 * * * *": "7,27,47 * * * *",
    "*/99 * * * *": "0 * * * *",
    "0 9-17/4 * * *": "0 9,13,17 * * *",
    "0 22-4/3 * * *": "0 1,4,22 * * *",
    "0 0 1 10-3/2 *": "0 0 1 2,10,12 *",
    "0 0 */10 * *": "0 0 1,11,21,31 * *",
    # weekdays: 7 is Sunday; a step without an end goes nowhere
    "0 0 * * 7": "0 0 * * 0",
    "0 0 * * 5-7": "0 0 * * 0,5,6",
    "0 0 * * 7-2": "0 0 * * 0,1,2",
    "0 0 * * 3/2": "0 0 * * 3",
    "0 0 * * */2": "0 0 * * 0,2,4,6",
    "0 0 * * 1-5/2": "0 0 * * 1,3,5",
    "0 0 * * sat-wed/2": "0 0 * * 1,3,6",
    # hour 24
    "30 24 * * *": "30 0 * * *",
    "0 23-24 * * *": "0 0,23 * * *",
    # days from the month's end
    "0 0 L * *": "0 0 -1 * *",
    "0 0 last * *": "0 0 -1 * *",
    "0 0 -3,1 * *": "0 0 -3,1 * *",
    "0 0 -3--1 * *": "0 0 -3,-2,-1 * *",
    "0 0 -3-L * *": "0 0 -3,-2,-1 * *",
    "0 0 29-L * *": "0 0 29,30,31 * *",
    # the n-th weekday of the month, that of every n-th week
    "0 0 * * mon#2": "0 0 * * 1#2",
    "0 0 * * fri#L": "0 0 * * 5#-1",
    "0 0 * * fri#last,fri#-2": "0 0 * * 5#-2,5#-1",
    "0 0 * * 7#1": "0 0 * * 0#1",
    "0 0 * * mon%2": "0 0 * * 1%2",
    "0 0 * * mon%3+1": "0 0 * * 1%3+1",
    "0 0 * * mon%2+0": "0 0 * * 1%2",
    "0 0 * * wed,mon#2,tue%2": "0 0 * * 1#2,2%2,3",
    # both days
    "0 0 13 * fri": "0 0 13 * 5",
    "0 0 13 * fri&": "0 0 13 * 5&",
    "0 0 13& * fri": "0 0 13 * 5&",
    "0 0 13& * *": "0 0 13 * *",
    # dates that only some of the months have
    "0 0 31 */2 *": "0 0 31 1,3,5,7 *",
    "0 0 30,31 2,3 *": "0 0 30,31 3 *",
    # zones
    "5 4 * * * Europe/Berlin": "5 4 * * * Europe/Berlin",
    "10 5 4 * * * Europe/Berlin": "10 5 4 * * * Europe/Berlin",
    "5 4 * * * +0545": "5 4 * * * +0545",
    "0 0 * * 1 CET": "0 0 * * 1 CET",
    # nicknames
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@noon": "0 12 * * *",
    "@hourly": "0 * * * *",
    "@daily Europe/Berlin": "0 0 * * * Europe/Berlin",
}


@pytest.mark.parametrize(("text", "cron"), ROWS.items(), ids=list(ROWS))
def test_cron_is_read_and_written(text: str, cron: str) -> None:
    assert parse(text, timezone="UTC").cron == cron


@pytest.mark.parametrize("cron", sorted(set(ROWS.values())))
def test_what_is_written_is_read_again(cron: str) -> None:
    assert parse(cron, timezone="UTC").cron == cron
