"""Concurrency limits under fire: workers are killed at random, and no key ever runs more jobs
than it has slots, as the jobs themselves have seen it. Nothing waits for a slot to expire: that
takes an hour."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import pytest

from queuekit import arguments
from queuekit.enqueueing import Description, Receipt, write
from queuekit.limits import HeldLimit
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_ended_once
from tests.stories.support import Application, describe, wait_until
from tests.stories.test_chaos import INTERVAL, kill

HOUR = 3600.0


ENDS = (
    ("jobs.note", ("well",)),
    ("jobs.nowhere", ()),
    ("jobs.note", ("too", "many", "arguments")),
    ("jobs.exit_politely", ()),
    ("jobs.exit_process", (1,)),
    ("jobs.be_killed", ()),
    ("jobs.die_once", ()),
    ("jobs.die_again_and_again", ()),
    ("jobs.overrun", ("late",)),
    ("jobs.overrun_in_c", ("late",)),
)


def test_whatever_becomes_of_a_job_the_next_of_its_key_runs(application: Application) -> None:
    application.configure(
        workers={"processes": 2, "threads": 1, "polling_interval": 0.05},
        dispatchers={"polling_interval": 0.1, "concurrency_maintenance": False},
        max_process_deaths=2,
        timeout_grace_period=0.5,
    )
    described = []
    for number, (name, args) in enumerate(ENDS):
        described.append(under(f"key{number}", name, *args))
        described.append(under(f"key{number}", "jobs.note", f"after {number}"))
    receipts = write(described)
    assert [receipt.status for receipt in receipts] == ["enqueued", "blocked"] * len(ENDS)

    application.start()

    wanted = {f"after {number}" for number in range(len(ENDS))}
    wait_until(lambda: wanted <= {*application.ran()}, application, "the next ones run")
    wait_until(
        lambda: ask("select * from queuekit_semaphore_slots") == [], application, "all slots free"
    )
    application.stop()
    assert_clean_termination(application)


def under(key: str, name: str, *args: object) -> Description:
    """A job under a key with one slot."""
    described = describe(name, arguments.dump(args, {}))
    return described._replace(limit=HeldLimit(key, 1, HOUR, None))


def test_limits_hold_under_10_seconds_of_kills(application: Application) -> None:
    survive(application, jobs=600, keys=10, seconds=10)


@pytest.mark.long
def test_limits_hold_for_20_000_jobs_under_kills(application: Application) -> None:
    survive(application, jobs=20_000, keys=50, seconds=120)


def survive(application: Application, *, jobs: int, keys: int, seconds: float) -> None:
    application.configure(
        workers={"processes": 8, "threads": 2, "polling_interval": 0.05},
        dispatchers={"polling_interval": 0.1, "concurrency_maintenance": False},
        on_process_death="retry",
        max_process_deaths=1_000,
        process_heartbeat_interval=1,
        process_alive_threshold=10,
    )
    application.start()

    receipts, killed = harass(application, jobs, keys, seconds)

    wait_until(
        lambda: set(application.jobs()) == {"finished"}, application, "all jobs end", patience=300
    )
    assert_ended_once(receipts)
    assert killed
    assert over_the_limit(application, killed) == {}
    assert ask("select * from queuekit_semaphore_slots") == []
    application.stop()
    assert_clean_termination(application)


def harass(
    application: Application, jobs: int, keys: int, seconds: float
) -> tuple[list[Receipt], dict[int, float]]:
    """Enqueue the jobs, some of them for later, and kill a worker now and then. Returns when each
    was killed, by its pid."""
    dice = random.Random(20)
    receipts: list[Receipt] = []
    killed: dict[int, float] = {}
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        wanted = min(int(jobs * passed / seconds * 2) + 1, jobs)
        fresh = [limited(dice.randrange(keys), dice) for _ in range(len(receipts), wanted)]
        receipts += write(fresh)
        workers = application.processes("Worker")
        if workers:
            victim = dice.choice(workers).pid
            kill(victim)
            killed[victim] = time.monotonic()
        time.sleep(INTERVAL)
    return receipts, killed


def limited(number: int, dice: random.Random) -> Description:
    """A job under one of the keys; those have 1 to 5 slots."""
    key = f"key{number}"
    described = describe("jobs.note_times", arguments.dump((key,), {}))
    return described._replace(
        limit=HeldLimit(key, slots_of(key), HOUR, None),
        wait=dice.choice([None, None, 0.2]),
        priority=dice.randrange(3),
    )


def slots_of(key: str) -> int:
    return int(key.removeprefix("key")) % 5 + 1


def over_the_limit(application: Application, killed: dict[int, float]) -> dict[str, int]:
    """The keys of which more jobs ran at a time than they have slots. What was running in a process
    when it was killed ran until then."""
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    running: dict[tuple[int, str], int] = defaultdict(int)
    for pid, text in application.ran_where():
        key, what, moment = text.split()
        change = 1 if what == "began" else -1
        changes[key].append((float(moment), change))
        running[pid, key] += change
    for (pid, key), left in running.items():
        if left:
            changes[key].append((killed[pid], -left))
    most = {key: _most_at_once(found) for key, found in changes.items()}
    return {key: count for key, count in most.items() if count > slots_of(key)}


def _most_at_once(changes: list[tuple[float, int]]) -> int:
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
