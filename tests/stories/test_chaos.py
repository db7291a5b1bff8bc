"""Chaos: workers are killed at random, again and again, while jobs run. Each ends exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter

import pytest

from queuekit.enqueueing import Receipt
from tests.stories.promises import assert_clean_termination, assert_ended_once
from tests.stories.support import Application, enqueue_all, wait_until

INTERVAL = 0.2
"""Seconds between two kills."""


def test_a_thousand_jobs_under_20_seconds_of_kills(application: Application) -> None:
    survive(application, jobs=1_000, seconds=20)


@pytest.mark.long
def test_five_thousand_jobs_under_5_minutes_of_kills(application: Application) -> None:
    survive(application, jobs=5_000, seconds=300)


def survive(application: Application, *, jobs: int, seconds: float) -> None:
    """Enqueue the jobs over this time, and kill a worker every 200 ms of it."""
    application.configure(
        workers={"processes": 10, "threads": 1, "polling_interval": 0.05},
        dispatchers={"polling_interval": 0.1},
        on_process_death="retry",
        max_process_deaths=1_000,
        process_heartbeat_interval=1,
        process_alive_threshold=10,
    )
    application.start()

    receipts = harass(application, jobs, seconds)

    wait_until(
        lambda: set(application.jobs()) == {"finished"}, application, "all jobs end", patience=120
    )
    runs = Counter(application.ran())
    assert set(runs) == {f"{number}" for number in range(jobs)}
    assert_ended_once(receipts)
    # Ever longer pauses follow on young deaths, so not every round has a victim.
    assert application.printed().count("was killed by SIGKILL") > seconds / 2
    assert "An error in" not in application.printed()
    application.stop()
    assert_clean_termination(application)


def harass(application: Application, jobs: int, seconds: float) -> list[Receipt]:
    """Half of the jobs are due at once, half a little later: the dispatcher has its part in it."""
    receipts: list[Receipt] = []
    dice = random.Random(20)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds or len(receipts) < jobs:
        wanted = min(int(jobs * passed / seconds) + 1, jobs)
        fresh = [("jobs.note_slowly", (f"{n}",)) for n in range(len(receipts), wanted)]
        receipts += enqueue_all(fresh[::2]) + enqueue_all(fresh[1::2], wait=dice.random())
        workers = application.processes("Worker")
        if workers:
            kill(dice.choice(workers).pid)
        next_kill = began + INTERVAL * (int(passed / INTERVAL) + 1)
        time.sleep(max(next_kill - time.monotonic(), 0))
    return receipts


def kill(pid: int) -> None:
    """Kill a process, whose row is there for a moment longer than itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
