"""What Fugit makes of texts, as it was recorded: a file beside the checkout, for who has it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from queuekit.schedules import ScheduleError, parse

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "schedules.json"

#: Where Fugit passes over a time that the clocks skip, or takes one twice that they show twice.
OUR_DAYLIGHT_SAVING = {
    ("30 2 * * * Europe/Paris", "2024-03-30T12:00:00+00:00"): "2024-03-31T10:00:00+09:00",
    ("30 2 * * * America/New_York", "2024-03-09T12:00:00+00:00"): "2024-03-10T16:00:00+09:00",
    ("30 1 * * * America/New_York", "2024-11-03T14:30:00+09:00"): "2024-11-04T15:30:00+09:00",
}


def vectors(kind: str) -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.skip(f"there is no {VECTORS.name} beside the checkout")
    rows: list[dict[str, Any]] = json.loads(VECTORS.read_text())[kind]
    assert rows
    return rows


def test_each_phrase_is_the_cron_that_it_is_for_fugit() -> None:
    for row in vectors("phrases"):
        schedule = parse(row["phrase"], timezone="UTC")

        assert schedule.cron == row["canonical"], row
        assert schedule == parse(row["cron"], timezone="UTC"), row


@pytest.mark.parametrize(
    ("kind", "key"), [("rejected_phrases", "phrase"), ("rejected_crons", "cron")]
)
def test_what_fugit_refuses_is_refused(kind: str, key: str) -> None:
    for row in vectors(kind):
        with pytest.raises(ScheduleError):
            print(parse(row[key], timezone="UTC"), row)


@pytest.mark.parametrize("direction", ["next", "previous"])
def test_each_time_is_the_one_that_it_is_for_fugit(direction: str) -> None:
    for row in vectors("times"):
        if direction in row:
            asked = datetime.fromisoformat(row["from"]).astimezone(ZoneInfo(row["zone"]))
            schedule = parse(row["cron"], timezone=row["zone"])
            expected = OUR_DAYLIGHT_SAVING.get((row["cron"], row["from"]), row[direction])

            assert getattr(schedule, direction)(asked).isoformat() == expected, row
