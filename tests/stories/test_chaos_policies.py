"""Chaos among jobs that are retried, resumed, timed out and given up, in threads and on event
loops: their workers are killed or told to leave at random, ten times a second."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from queuekit.enqueueing import Receipt
from tests.stories.promises import assert_clean_termination, assert_ended_once, attempts
from tests.stories.support import Application, enqueue_all, wait_until

JOBS = Path(__file__).parent / "app" / "unruly.py"

NAMES = [
    f"unruly.{name}"
    for name in (
        "plain",
        "retried",
        "given_up",
        "overrun",
        "awaited",
        "awaited_too_long",
        "InSteps",
        "in_awaited_steps",
    )
]

INTERVAL = 0.1
"""Seconds between two kills."""

SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGTERM, signal.SIGQUIT]


def test_hundreds_of_unruly_jobs_under_20_seconds_of_kills(application: Application) -> None:
    survive(application, jobs=400, seconds=20)


@pytest.mark.long
def test_five_thousand_unruly_jobs_under_5_minutes_of_kills(application: Application) -> None:
    survive(application, jobs=5_000, seconds=300)


def survive(application: Application, *, jobs: int, seconds: float) -> None:
    shutil.copyfile(JOBS, application.folder / "unruly.py")
    application.configure(
        workers={
            "processes": 8,
            "threads": 2,
            "async_concurrency": 10,
            "polling_interval": 0.05,
        },
        dispatchers={"polling_interval": 0.1},
        imports=["unruly"],
        on_process_death="retry",
        max_process_deaths=1_000,
        process_heartbeat_interval=1,
        process_alive_threshold=10,
    )
    application.start()

    receipts, told_to_quit = harass(application, jobs, seconds)

    wait_until(
        lambda: set(application.jobs()) == {"finished"}, application, "all jobs end", patience=120
    )
    assert_ended_once(receipts, outcomes=("finished", "discarded"))
    ends = Counter(ends[-1][1] for ends in attempts().values())
    assert ends["discarded"] == len(receipts[2 :: len(NAMES)])
    assert_one_holder_at_a_time(application, told_to_quit)
    assert_nothing_recorded_was_done_again(application, told_to_quit)
    # Ever longer pauses follow on young deaths, so not every round has a victim.
    assert application.printed().count("was killed by SIGKILL") > seconds / 2
    application.stop()
    assert_clean_termination(application)


def harass(
    application: Application, jobs: int, seconds: float
) -> tuple[list[Receipt], frozenset[int]]:
    """Enqueue over this time, and end a worker every 100 ms of it. Returns those told to quit, too:
    what a worker was running when it quits runs on until its last moment."""
    receipts: list[Receipt] = []
    told_to_quit: set[int] = set()
    dice = random.Random(21)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds or len(receipts) < jobs:
        wanted = min(int(jobs * passed / seconds) + 1, jobs)
        numbers = range(len(receipts), wanted)
        receipts += enqueue_all([(NAMES[number % len(NAMES)], ()) for number in numbers])
        workers = application.processes("Worker")
        if workers:
            victim, number = dice.choice(workers).pid, dice.choice(SIGNALS)
            if number == signal.SIGQUIT:
                told_to_quit.add(victim)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, number)
        next_kill = began + INTERVAL * (int(passed / INTERVAL) + 1)
        time.sleep(max(next_kill - time.monotonic(), 0))
    return receipts, frozenset(told_to_quit)


def assert_one_holder_at_a_time(application: Application, told_to_quit: frozenset[int]) -> None:
    holders = [
        (pid, text)
        for pid, text in application.ran_where()
        if text.startswith("held ") and int(text.removeprefix("held ") or 0) not in told_to_quit
    ]
    assert holders == []


def assert_nothing_recorded_was_done_again(
    application: Application, told_to_quit: frozenset[int]
) -> None:
    """Where a job said that it was past something, no later run of it is there again."""
    past: set[tuple[str, str]] = set()
    for pid, text in application.ran_where():
        job_id, _, what = text.partition(" ")
        where, _, place = what.partition(" ")
        if where == "past":
            past.add((job_id, place))
        elif where == "in" and pid not in told_to_quit:
            assert (job_id, place) not in past, text
    assert past
