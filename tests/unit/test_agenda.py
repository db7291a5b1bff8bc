"""When each task is to run next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from queuekit import schedules
from queuekit.recurring.agenda import Agenda
from queuekit.recurring.task import RecurringTask

START = datetime(2026, 3, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def task(key: str, schedule: str = "every second") -> RecurringTask:
    return RecurringTask(key=key, schedule=schedules.parse(schedule), class_name="jobs.note")


def taken(agenda: Agenda, now: float, limit: int = 100) -> list[tuple[str, datetime]]:
    return [(run.task.key, run.at) for run in agenda.take(after(now), limit)]


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


def test_an_empty_one_has_nothing(agenda: Agenda) -> None:
    assert agenda.next_at() is None
    assert taken(agenda, 1_000) == []


def test_a_run_is_taken_once_and_the_next_comes_after_it(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))

    assert taken(agenda, 0.9) == []
    assert taken(agenda, 1) == [("a", after(1))]
    assert taken(agenda, 1.5) == []
    assert agenda.next_at() == after(2)


def test_what_is_late_is_taken_in_the_order_of_its_times(agenda: Agenda) -> None:
    agenda.plan(task("b"), after(1))
    agenda.plan(task("a"), after(2))

    assert taken(agenda, 3) == [
        ("b", after(1)),
        ("a", after(2)),
        ("b", after(2)),
        ("a", after(3)),
        ("b", after(3)),
    ]


def test_no_more_than_the_limit_is_taken_and_the_rest_stays(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))

    assert taken(agenda, 10, limit=4) == [("a", after(second)) for second in (1, 2, 3, 4)]
    assert agenda.next_at() == after(5)
    assert len(taken(agenda, 10)) == 6


def test_a_task_that_is_planned_anew_keeps_nothing_of_before(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))
    agenda.plan(task("a", "every minute"), after(60))

    assert taken(agenda, 59) == []
    assert taken(agenda, 60) == [("a", after(60))]
    assert agenda.next_at() == after(120)


def test_planning_it_twice_for_the_same_time_is_one_run(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))
    agenda.plan(task("a"), after(1))

    assert taken(agenda, 1) == [("a", after(1))]


def test_a_task_that_is_replaced_keeps_its_time(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))
    other = task("a")
    agenda.replace(other)

    (run,) = agenda.take(after(1), 10)

    assert run.task is other


def test_a_task_that_is_forgotten_runs_no_more(agenda: Agenda) -> None:
    agenda.plan(task("a"), after(1))
    agenda.plan(task("b"), after(1))
    assert taken(agenda, 1, limit=1) == [("a", after(1))]

    agenda.forget("a")
    agenda.forget("b")
    agenda.forget("nothing")

    assert agenda.next_at() is None
    assert taken(agenda, 100) == []


def test_a_task_that_is_planned_while_its_run_is_under_way_stays_as_planned(
    agenda: Agenda,
) -> None:
    agenda.plan(task("a"), after(1))
    taken(agenda, 1)

    agenda.plan(task("a", "every minute"), after(60))

    assert agenda.next_at() == after(60)
