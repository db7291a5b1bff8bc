"""Throttles with real processes: how many jobs start within a span of time, as the jobs themselves
have seen it, and by the database's clock."""

from __future__ import annotations

import random
import re
import time
from collections import defaultdict
from collections.abc import Sequence

from queuekit import application as own
from queuekit import arguments
from queuekit.description import Description
from queuekit.enqueueing import write
from queuekit.limits import HeldLimit
from queuekit.recurring import rows
from queuekit.throttles import HeldThrottle
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_ended_once
from tests.stories.support import Application, describe, wait_until
from tests.stories.test_chaos import kill

TO, PER = 20, 2.0

#: What a busy machine may make of the same delay for two jobs, beyond what is allowed for.
UNEVEN = 0.2


def throttled(key: str, to: int = TO, per: float = PER, queue: str = "default") -> Description:
    described = describe("jobs.note_times", arguments.dump((key,), {}), queue=queue)
    return described._replace(throttle=HeldThrottle(key, to, per))


def began(application: Application) -> dict[str, list[float]]:
    """When the jobs of each key began, by the machine's clock."""
    found: dict[str, list[float]] = defaultdict(list)
    for text in application.ran():
        key, what, moment = text.split()
        if what == "began":
            found[key].append(float(moment))
    return {key: sorted(moments) for key, moments in found.items()}


def wait_until_begun(application: Application, key: str, number: int) -> None:
    wait_until(
        lambda: len(began(application).get(key, ())) >= number, application, f"{number} have begun"
    )


def started(key: str) -> list[float]:
    """When they were let start, by the database's clock."""
    moment = own.database().moment_from_database
    rows = ask("select starts_at from queuekit_throttle_starts where throttle_key = :key", key=key)
    return sorted(moment(row[0]).timestamp() for row in rows)


def shortest(moments: Sequence[float], to: int = TO) -> float:
    """The shortest span with more than `to` of these."""
    spans = [last - first for first, last in zip(moments, moments[to:], strict=False)]
    return min(spans)


def times_throttled(application: Application) -> int:
    return sum(int(number) for number in re.findall(r"Throttled (\d+) job", application.printed()))


def configure(application: Application, **settings: object) -> None:
    application.configure(
        **{
            "workers": {"processes": 2, "threads": 3, "polling_interval": 0.05},
            "dispatchers": {"polling_interval": 0.1},
        }
        | settings
    )
    application.start("--verbose")


def test_no_span_of_time_holds_more_starts_than_allowed(application: Application) -> None:
    configure(application)

    receipts = write([throttled("api") for _ in range(100)])
    since = time.monotonic()
    wait_until(lambda: application.jobs() == {"finished": 100}, application, "all jobs end")

    assert 4 * PER < time.monotonic() - since < 4 * PER + 10
    assert_ended_once(receipts)
    assert len(started("api")) == 100
    assert shortest(started("api")) > PER
    assert shortest(began(application)["api"]) > PER - UNEVEN
    assert times_throttled(application) <= 120
    application.stop()
    assert_clean_termination(application)


def test_keys_and_queues_and_limits_go_together(application: Application) -> None:
    configure(application)

    free = write([describe("jobs.note_times", arguments.dump(("free",), {})) for _ in range(50)])
    a = [throttled("a", 5, 1.0, queue) for queue in ("one", "two") * 6]
    b = [
        throttled("b", 2, 1.0)._replace(limit=HeldLimit("b", 1, 3600.0, None), priority=number % 3)
        for number in range(6)
    ]
    receipts = write([*a, *b])
    wait_until(lambda: application.jobs() == {"finished": 68}, application, "all jobs end")

    assert_ended_once([*free, *receipts])
    assert shortest(started("a"), 5) > 1.0
    assert shortest(started("b"), 2) > 1.0
    assert ask("select * from queuekit_semaphore_slots") == []
    application.stop()
    assert_clean_termination(application)


def test_a_fast_throttle_needs_no_dispatcher_for_each_job(application: Application) -> None:
    configure(application, dispatchers={"polling_interval": 1})

    write([throttled("fast", 1, 0.05) for _ in range(60)])
    wait_until(lambda: application.jobs() == {"finished": 60}, application, "all jobs end")

    assert shortest(started("fast"), 1) > 0.05
    assert times_throttled(application) <= 120
    application.stop()
    assert_clean_termination(application)


def test_a_worker_that_stops_begins_what_it_keeps(application: Application) -> None:
    configure(application, workers={"processes": 1, "threads": 3})
    receipts = write([throttled("kept", 1, 0.2) for _ in range(2)])
    wait_until(lambda: len(began(application).get("kept", [])) >= 1, application, "one begins")

    application.stop()

    assert_clean_termination(application)
    assert application.jobs().get("claimed") is None
    assert sum(application.jobs().values()) == len(receipts)


def test_an_outage_is_caught_up_with_without_spinning(application: Application) -> None:
    """All workers are away while the moments of a backlog pass."""
    overdue = 60
    configure(application)
    write([throttled("late", 5, 0.5) for _ in range(overdue)])
    wait_until(lambda: len(started("late")) == overdue, application, "all have a moment")
    application.stop()
    moments = started("late")
    wait_until(
        lambda: rows.now(own.database()).timestamp() > moments[overdue // 2],
        application,
        "half of the moments pass",
    )

    application.start("--verbose")
    wait_until(lambda: application.jobs() == {"finished": overdue}, application, "all jobs end")

    assert shortest(started("late"), 5) > 0.5
    assert times_throttled(application) <= 3 * overdue
    application.stop()
    assert_clean_termination(application)


def test_kills_let_nobody_start_too_many(application: Application) -> None:
    """What was killed runs again, as another start."""
    configure(application, on_process_death="retry", max_process_deaths=1_000)
    receipts = write([throttled("killed", 10, 1.0) for _ in range(50)])
    dice = random.Random(5)
    for number in (8, 16, 24, 32, 40):
        wait_until_begun(application, "killed", number)
        if workers := application.processes("Worker"):
            kill(dice.choice(workers).pid)

    wait_until(lambda: set(application.jobs()) == {"finished"}, application, "all jobs end")

    assert_ended_once(receipts)
    assert len(started("killed")) >= 50
    assert shortest(started("killed"), 10) > 1.0
    application.stop()
    assert_clean_termination(application)
