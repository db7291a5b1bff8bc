"""Runs whose time came while no scheduler was alive: skipped, made up for once, or all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queuekit import events
from queuekit.database import Database
from queuekit.processes.scheduler import Scheduler
from queuekit.recurring import missed
from queuekit.recurring.task import RecurringTask
from tests.dialects.scheduling import (
    MIDNIGHT,
    Clock,
    begun,
    catch_up,
    enqueued,
    known_since,
    minutes,
    reported,
    runs,
    scheduler,
    task,
)
from tests.dialects.support import configure, in_threads


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def away(clock: Clock, *tasks: RecurringTask, **span: float) -> None:
    """A scheduler begins now, runs these tasks for two minutes, and is gone for so long."""
    catch_up(alive := begun(*tasks))
    known_since(clock.now)
    for _ in range(2):
        clock.advance(minutes=1)
        catch_up(alive)
    clock.advance(**span)


def back(*tasks: RecurringTask, **settings: Any) -> Scheduler:
    catch_up(made := scheduler(*tasks, **settings))
    return made


def test_they_are_skipped_unless_a_task_says_otherwise(clock: Clock) -> None:
    away(clock, often := task("often"), minutes=5.5)

    with reported() as found:
        made = back(often)
    clock.advance(minutes=1)
    catch_up(made)

    assert runs("often") == minutes(1, 2, 8)
    (said,) = (event for event in found if isinstance(event, events.RecurringRunsMissed))
    assert (said.skipped, said.cut) == (("often",), ())


def test_the_last_one_is_made_up_for_once_under_its_own_time(clock: Clock) -> None:
    away(clock, often := task("often", missed="once"), minutes=5.5)

    with reported() as found:
        made = back(often)

    assert runs("often") == minutes(1, 2, 7)
    (said,) = (event for event in found if isinstance(event, events.RecurringTasksEnqueued))
    assert (said.count, said.made_up) == (1, 1)
    clock.advance(minutes=1)
    catch_up(made)
    assert runs("often") == minutes(1, 2, 7, 8)
    assert enqueued() == 4


def test_all_are_made_up_for_in_order(clock: Clock) -> None:
    away(clock, often := task("often", missed="all"), minutes=5.5)

    with reported() as found:
        back(often)

    assert runs("often") == minutes(1, 2, 3, 4, 5, 6, 7)
    (said,) = (event for event in found if isinstance(event, events.RecurringTasksEnqueued))
    assert (said.count, said.made_up) == (5, 5)


def test_only_those_within_the_time_that_a_task_says(clock: Clock) -> None:
    tasks = [
        task("all", missed="all", missed_within=150.0),
        task("once", missed="once", missed_within=150.0),
        task("too late", "every hour", missed="once", missed_within=150.0),
        task("forever", missed="once", missed_within=1e18),
    ]
    away(clock, *tasks, minutes=65.5)

    back(*tasks)

    assert runs("all") == minutes(1, 2, 66, 67)
    assert runs("once") == runs("forever") == minutes(1, 2, 67)
    assert runs("too late") == []


def test_a_run_that_is_due_in_the_moment_it_begins_is_no_more_than_missed(clock: Clock) -> None:
    tasks = [task("all", missed="all"), task("skip")]
    away(clock, *tasks, minutes=1)

    made = back(*tasks)
    clock.advance(minutes=1)
    catch_up(made)

    assert runs("all") == minutes(1, 2, 3, 4)
    assert runs("skip") == minutes(1, 2, 4)


@pytest.mark.parametrize("policy", ["skip", "once", "all"])
def test_who_begins_beside_one_that_is_alive_has_missed_nothing(clock: Clock, policy: Any) -> None:
    alive = begun(often := task("often", missed=policy))
    known_since(MIDNIGHT - timedelta(days=3))
    clock.advance(minutes=1)
    catch_up(alive)
    clock.advance(seconds=30)

    with reported() as found:
        back(often)

    assert runs("often") == minutes(1)
    assert found == []


@pytest.mark.parametrize("policy", ["once", "all"])
def test_a_new_task_has_missed_nothing(clock: Clock, policy: Any) -> None:
    back(task("often", missed=policy))

    assert runs("often") == []


@pytest.mark.parametrize("policy", ["once", "all"])
def test_a_task_whose_schedule_has_changed_has_missed_nothing(clock: Clock, policy: Any) -> None:
    away(clock, task("often", missed=policy), minutes=90)

    back(task("often", "every hour", missed=policy))

    assert runs("often") == minutes(1, 2)


def test_a_policy_that_has_changed_holds_for_what_was_missed_before(clock: Clock) -> None:
    away(clock, task("often"), minutes=3)

    back(task("often", missed="all"))

    assert runs("often") == minutes(1, 2, 3, 4, 5)


@pytest.mark.parametrize(("policy", "made_up"), [("once", [7]), ("all", [3, 4, 5, 6, 7])])
def test_of_several_that_begin_at_once_exactly_one_makes_up(
    clock: Clock, policy: Any, made_up: list[int]
) -> None:
    away(clock, often := task("often", missed=policy), minutes=5)
    made = [scheduler(often) for _ in range(5)]

    with reported() as found:
        in_threads(lambda index: catch_up(made[index]), len(made))

    assert runs("often") == minutes(1, 2, *made_up)
    assert enqueued() == 2 + len(made_up)
    said = [event for event in found if isinstance(event, events.RecurringTasksEnqueued)]
    assert sum(event.made_up for event in said) == len(made_up)


def test_what_is_missed_by_years_of_seconds_is_bounded(clock: Clock) -> None:
    tasks = [
        task("all", "every second", missed="all"),
        task("once", "every second", missed="once"),
        task("skip", "every second"),
    ]
    catch_up(begun(*tasks))
    known_since(MIDNIGHT)
    clock.advance(days=1_000)

    with reported() as found:
        back(*tasks)

    last = clock.now
    assert runs("all") == [
        last - timedelta(seconds=number) for number in reversed(range(missed.MOST_RUNS))
    ]
    assert runs("once") == [last]
    assert runs("skip") == []
    (said,) = (event for event in found if isinstance(event, events.RecurringRunsMissed))
    assert (said.skipped, said.cut, said.kept) == (("skip",), ("all",), 1_000)


def test_exactly_as_many_as_there_may_be_are_no_cut(clock: Clock) -> None:
    catch_up(begun(often := task("often", "every second", missed="all")))
    known_since(MIDNIGHT)
    clock.advance(seconds=missed.MOST_RUNS)

    with reported() as found:
        back(often)

    assert len(runs("often")) == missed.MOST_RUNS
    assert [event for event in found if isinstance(event, events.RecurringRunsMissed)] == []


# A scheduler that lives, and was away


@pytest.mark.parametrize(
    ("policy", "made_up"), [("skip", []), ("once", [10]), ("all", range(2, 11))]
)
def test_a_machine_that_was_suspended_has_missed_what_nobody_else_has_run(
    clock: Clock, policy: Any, made_up: list[int]
) -> None:
    made = begun(task("often", missed=policy))
    known_since(MIDNIGHT)
    clock.advance(minutes=1)
    catch_up(made)

    clock.advance(minutes=9.5)
    catch_up(made)
    clock.advance(minutes=1)
    catch_up(made)

    assert runs("often") == minutes(1, *made_up, 11)


def test_a_machine_that_was_suspended_has_missed_nothing_that_another_has_run(clock: Clock) -> None:
    made = [begun(task("often", missed="all")) for _ in range(2)]
    known_since(MIDNIGHT)
    for _ in range(10):
        clock.advance(minutes=1)
        catch_up(made[0])

    with reported() as found:
        catch_up(made[1])

    assert runs("often") == minutes(*range(1, 11))
    assert found == []


def test_a_sleep_of_its_own_is_no_absence(clock: Clock) -> None:
    """However short the time is after which a process counts as dead."""
    configure(process_heartbeat_interval=0.5, process_alive_threshold=2.0)
    made = begun(task("often"))
    for _ in range(1_000):
        clock.advance(seconds=made.poll() + 0.001)

    assert len(runs("often")) >= 3
    assert runs("often") == minutes(*range(1, len(runs("often")) + 1))
    assert clock.now - runs("often")[-1] < timedelta(minutes=1)
