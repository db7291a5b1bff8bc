"""Whatever the text: a schedule or a reason, soon."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuekit.schedules import Schedule, ScheduleError, parse

OF_PHRASES = (
    "every at on in from to through and or the of month starting day days hour hours minute second "
    "seconds week weekday year monday mon-fri Tue sat,sun 1st 2nd third last twenty-first noon "
    "midnight five thirty o'clock dark am pm 5pm 12:30 24:00 9 15 0 61 999999 UTC Z EST +05:30"
)
OF_CRON = (
    "Europe/Berlin America/Nowhere -99:99 * */5 1-5 L -1 fri#2 mon%2 5-1/2 & , , ? @daily jan FEB "
    "31 30 / - # % : \u0665 \xa0 \n \t \0 é"
)
WORDS = [*OF_PHRASES.split(" "), *OF_CRON.split(" ")]
CLAUSES = [
    *("every day", "every 5 minutes", "every hour", "every weekday", "every week", "every month"),
    *("every mon, wed and fri", "every 1st of the month", "every 2 hours starting at hour 1"),
    *("at 5pm", "at 7:15 and 7:45", "at noon", "at five thirty", "at minute 12", "at second 30"),
    *(
        "on monday",
        "on the last",
        "on days 1, 15",
        "on minute 30",
        "on the hour",
        "from 9am to 5pm",
    ),
    *("monday to friday", "from the 1st to the 7th", "in Europe/Berlin", "UTC", "-0330"),
]
SIGNS = "0123456789*/,-#%&@:+ \tLamptehvryonduMTW~?"
WHEN = datetime(2025, 6, 18, 10, 17, 23, tzinfo=UTC)

#: A hundred times what the slowest takes, on a machine that has other things to do.
SOON = 3.0


def outcome(text: str) -> Schedule | ScheduleError:
    begun = time.monotonic()
    try:
        schedule = parse(text, timezone="Europe/Berlin")
        assert schedule.next(WHEN) > WHEN > schedule.previous(WHEN)
        assert parse(schedule.cron, timezone="Europe/Berlin").cron == schedule.cron
        assert schedule.describe()
        return schedule
    except ScheduleError as refusal:
        assert str(refusal)
        return refusal
    finally:
        assert time.monotonic() - begun < SOON


def texts(randomly: random.Random) -> list[str]:
    """Words of the grammars in any order, and signs of theirs."""
    of_words = [
        randomly.choice([" ", " ", " ", "", ", "]).join(
            randomly.choices(WORDS, k=randomly.randint(1, 9))
        )
        for _ in range(3_500)
    ]
    of_clauses = [
        randomly.choice([" ", ", "]).join(randomly.sample(CLAUSES, randomly.randint(1, 4)))
        for _ in range(1_500)
    ]
    of_fields = [
        " ".join(
            "".join(randomly.choices(SIGNS[:19], k=randomly.randint(1, 5)))
            if randomly.random() < 0.2
            else "*"
            for _ in range(randomly.randint(4, 7))
        )
        for _ in range(3_000)
    ]
    of_signs = ["".join(randomly.choices(SIGNS, k=randomly.randint(0, 200))) for _ in range(2_000)]
    return [text[:200] for text in of_words + of_clauses + of_fields + of_signs]


def test_ten_thousand_texts_are_schedules_or_are_refused() -> None:
    outcomes = [outcome(text) for text in texts(random.Random(20250618))]

    schedules = sum(isinstance(one, Schedule) for one in outcomes)
    assert len(outcomes) == 10_000
    assert 500 < schedules < 9_000, "texts of both kinds, or this test says nothing"


@given(st.text(max_size=200))
def test_any_text_at_all(text: str) -> None:
    outcome(text)


@pytest.mark.parametrize(
    "part",
    [
        *("every ", "at 5 and ", "1,", "mon and ", "the 1st and ", "at minute 5 and ", "5 to "),
        *("from mon to ", "five ", "1st, ", "0-", "every mon-", "day 1 and on ", "A/", "+09", "* "),
    ],
)
def test_a_text_that_repeats_itself_is_read_as_soon(part: str) -> None:
    for length in (50, 250, 1_000, 100_000):
        outcome((part * length)[:length])
        outcome(f"every day {part * length}"[:length])
