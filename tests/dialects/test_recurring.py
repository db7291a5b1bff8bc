"""Recurring tasks: at each of its times a task is enqueued, once, whoever else does it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import DatabaseUnavailableError, arguments, events
from queuekit.database import Database
from queuekit.description import Description
from queuekit.ids import new_job_id
from queuekit.recurring import rows, targets
from queuekit.recurring.clearing import Clearing
from queuekit.recurring.rows import RunRow
from queuekit.recurring.targets import JobTarget
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.scheduling import (
    MIDNIGHT,
    NOTE,
    Clock,
    begun,
    catch_up,
    enqueued,
    errors,
    job_ids,
    known_since,
    minutes,
    reported,
    runs,
    scheduler,
    task,
)
from tests.dialects.support import (
    ask,
    attempts,
    counts,
    in_background,
    in_threads,
    wait_until_blocked,
)
from tests.dialects.unique_jobs import refresh
from tests.servers import Server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# A run


def test_a_run_enqueues_what_its_task_says(database: Database, clock: Clock) -> None:
    made = begun(task("report", args=("two",), kwargs={"full": True}, queue="reports", priority=3))
    assert enqueued() == 0

    clock.advance(minutes=1, seconds=0.25)
    catch_up(made)

    assert runs("report") == minutes(1)
    ((job_id, queue, priority, stored),) = ask(
        "select uuid, queue_name, priority, arguments from queuekit_jobs"
    )
    assert (queue, priority) == ("reports", 3)
    assert arguments.load(stored) == (["two"], {"full": True})
    assert job_ids(database) == [str(job_id)]
    assert attempts(job_ids(database)[0]) == [(1, "ready")]


def test_it_goes_to_its_jobs_own_queue_where_the_task_names_none(clock: Clock) -> None:
    made = begun(task("mail", class_name="tests.dialects.sample_jobs.mail", args=(1,)))

    clock.advance(minutes=1)
    catch_up(made)

    assert ask("select queue_name, priority from queuekit_jobs") == [("mailers", 5)]


def test_it_runs_at_each_time_and_says_how_long_to_sleep_until_the_next(clock: Clock) -> None:
    made = begun(task("often"))
    assert 59 < made.poll() <= 60

    for second in (30, 59.5, 60, 61, 119, 120, 121):
        clock.now = MIDNIGHT + timedelta(seconds=second)
        catch_up(made)

    assert runs("often") == minutes(1, 2)
    assert 58 < made.poll() <= 59


def test_what_became_due_between_two_looks_is_enqueued_in_order(clock: Clock) -> None:
    made = begun(task("often"), task("seldom", "every hour"))

    clock.advance(minutes=4.5)
    catch_up(made)

    assert runs("often") == minutes(1, 2, 3, 4)
    assert enqueued() == 4
    assert ask("select run.run_at from queuekit_recurring_executions run order by run.run_at") == (
        ask(
            "select run.run_at from queuekit_jobs job"
            " join queuekit_recurring_executions run on run.job_uuid = job.uuid order by job.id"
        )
    )


def test_the_clock_of_the_database_is_the_one_that_counts(database: Database) -> None:
    (now,) = ask("select created_at from queuekit_jobs where uuid = :id", id=note.enqueue().job_id)

    asked = rows.now(database)

    assert timedelta() <= asked - database.moment_from_database(now[0]) < timedelta(seconds=30)


def test_a_limit_holds_for_recurring_jobs_too(clock: Clock) -> None:
    made = begun(
        task("limited", class_name="tests.dialects.limited_jobs.one_at_a_time", args=("k",))
    )

    clock.advance(minutes=3)
    catch_up(made)

    assert counts() == {"ready": 1, "blocked": 2}
    assert one_at_a_time.enqueue("k").status == "blocked"


def test_a_unique_job_that_is_there_already_is_the_runs_job(
    database: Database, clock: Clock
) -> None:
    made = begun(task("unique", class_name="tests.dialects.unique_jobs.refresh", args=("k",)))
    (first,) = queuekit.enqueue_all([refresh.bind("k")])

    clock.advance(minutes=2)
    catch_up(made)

    assert counts() == {"ready": 1}
    assert runs("unique") == minutes(1, 2)
    assert job_ids(database) == [first.job_id] * 2


# Many


def test_a_thousand_tasks_are_as_many_queries_as_one(clock: Clock, asked: Counter[str]) -> None:
    made = begun(*(task(f"task {number}") for number in range(1_000)))
    clock.advance(minutes=1)

    catch_up(made)

    assert enqueued() == 1_000
    assert asked == {"recurring.record": 1, "jobs.enqueue": 1}


@pytest.mark.parametrize("number", [1, 300])
def test_of_several_schedulers_exactly_one_enqueues_each_run(clock: Clock, number: int) -> None:
    tasks = [task(f"task {index}") for index in range(number)]
    made = [begun(*tasks) for _ in range(5)]
    clock.advance(minutes=2)

    with reported() as found:
        in_threads(lambda index: catch_up(made[index]), len(made))

    assert enqueued() == 2 * number
    assert all(runs(each.key) == minutes(1, 2) for each in tasks[:20])
    assert errors(found) == []
    assert sum(e.count for e in found if isinstance(e, events.RecurringTasksEnqueued)) == 2 * number


def test_who_loses_says_nothing(clock: Clock) -> None:
    first, second = begun(task("often")), begun(task("often"))
    clock.advance(minutes=1)
    catch_up(first)

    with reported() as found:
        catch_up(second)

    assert found == []
    assert enqueued() == 1


def test_a_run_that_another_is_writing_is_waited_for_and_taken_when_that_is_rolled_back(
    database: Database, server: Server | None, clock: Clock
) -> None:
    made = begun(task("often"), task("other"))
    clock.advance(minutes=1)
    other = database.connect()
    try:
        other.begin()
        row = RunRow("often", clock.now, new_job_id(), None)
        assert rows.record(database, other, [row]) == {("often", clock.now)}
        with in_background(lambda: catch_up(made)) as future:
            wait_until_blocked(server, future)
            other.rollback()
            future.result()
    finally:
        other.close()

    assert (runs("often"), runs("other")) == (minutes(1), minutes(1))
    assert enqueued() == 2


def test_a_run_that_another_is_writing_is_that_ones_when_it_commits(
    database: Database, server: Server | None, clock: Clock
) -> None:
    made = begun(task("often"), task("other"))
    clock.advance(minutes=1)
    other = database.connect()
    try:
        other.begin()
        rows.record(database, other, [RunRow("often", clock.now, new_job_id(), None)])
        with in_background(lambda: catch_up(made)) as future:
            wait_until_blocked(server, future)
            other.commit()
            future.result()
    finally:
        other.close()

    assert (runs("often"), runs("other")) == (minutes(1), minutes(1))
    assert enqueued() == 1


# Errors


def test_what_cannot_be_enqueued_is_reported_and_harms_no_other(clock: Clock) -> None:
    made = begun(
        task("unknown", class_name="nowhere.at_all"),
        task("wrong call", class_name="tests.dialects.sample_jobs.mail", args=(1, 2, 3)),
        task("good"),
    )

    with reported() as found:
        for _ in range(2):
            clock.advance(minutes=1)
            catch_up(made)

    assert runs("good") == minutes(1, 2)
    assert (runs("unknown"), runs("wrong call")) == ([], [])
    one = ["enqueueing the recurring task unknown", "enqueueing the recurring task wrong call"]
    assert sorted(errors(found)) == sorted(one * 2)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of a task whose jobs the database refuses: they have no queue."""
    find = targets.find

    def describe(target: JobTarget) -> Description:
        described = queuekit.description.describe(
            target.declaration, target.args, target.kwargs, target.options
        )
        if target.options.queue == "nowhere":
            return described._replace(queue=None)  # type: ignore[arg-type]
        return described

    assert find
    monkeypatch.setattr(JobTarget, "describe", describe)
    return "nowhere"


def test_what_the_database_refuses_is_rolled_back_alone(clock: Clock, refused: str) -> None:
    made = begun(task("a"), task("bad", queue=refused), task("c"))
    clock.advance(minutes=1)

    with reported() as found:
        catch_up(made)

    assert (runs("a"), runs("bad"), runs("c")) == (minutes(1), [], minutes(1))
    assert enqueued() == 2
    assert errors(found) == ["enqueueing the recurring task bad"]
    (total,) = (e for e in found if isinstance(e, events.RecurringTasksEnqueued))
    assert total.count == 2


def test_nothing_is_given_up_when_the_connection_is_lost(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(task("a"), task("b"))
    clock.advance(minutes=1)
    with monkeypatch.context() as patch, pytest.raises(DatabaseUnavailableError):
        lost = DatabaseUnavailableError("lost")
        patch.setattr(database, "transact", lambda *args, **kwargs: (_ for _ in ()).throw(lost))
        made.poll()
    assert enqueued() == 0

    catch_up(made)

    assert (runs("a"), runs("b")) == (minutes(1), minutes(1))


def test_a_commit_whose_answer_is_lost_is_not_repeated(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(task("a"), task("b"))
    clock.advance(minutes=1)
    transact = database.transact

    def losing(work: Any, **options: Any) -> Any:
        transact(work, **options)
        raise DatabaseUnavailableError("lost after the commit")

    with monkeypatch.context() as patch, pytest.raises(DatabaseUnavailableError):
        patch.setattr(database, "transact", losing)
        made.poll()

    with reported() as found:
        catch_up(made)

    assert enqueued() == 2
    assert errors(found) == []


# Other libraries


class Library:
    """What another library's task looks like."""

    def __init__(self) -> None:
        self.enqueued: list[tuple[Any, ...]] = []
        self.is_down = False

    def delay(self, *args: Any, **kwargs: Any) -> None:
        if self.is_down:
            raise ConnectionError("no broker")
        self.enqueued.append((args, kwargs))


elsewhere = Library()


def test_another_librarys_task_is_enqueued_there_once(clock: Clock) -> None:
    elsewhere.enqueued.clear()
    foreign = task("foreign", class_name=f"{__name__}.elsewhere", args=(1,), kwargs={"b": 2})
    made = [begun(foreign, task("ours")) for _ in range(2)]
    clock.advance(minutes=1)

    catch_up(*made)

    assert elsewhere.enqueued == [((1,), {"b": 2})]
    assert (runs("foreign"), runs("ours")) == (minutes(1), minutes(1))
    assert ask("select job_uuid from queuekit_recurring_executions where task_key = 'foreign'") == [
        (None,)
    ]


def test_when_the_other_library_does_not_take_it_that_is_reported(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "is_down", True)
    made = begun(task("foreign", class_name=f"{__name__}.elsewhere"), task("ours"))
    clock.advance(minutes=1)

    with reported() as found:
        catch_up(made)

    assert errors(found) == ["enqueueing the recurring task foreign"]
    assert enqueued() == 1


# The clock is set


def test_a_step_back_repeats_nothing_and_skips_nothing(clock: Clock) -> None:
    made = begun(task("often"))
    clock.advance(minutes=3)
    catch_up(made)

    clock.advance(minutes=-2)
    for _ in range(10):
        catch_up(made)
        clock.advance(seconds=30)
    catch_up(made)

    assert runs("often") == minutes(1, 2, 3, 4, 5, 6)
    assert enqueued() == 6


def test_a_step_forward_skips_nothing(clock: Clock) -> None:
    made = begun(task("often"))

    clock.advance(minutes=4, seconds=59)
    catch_up(made)
    clock.advance(seconds=1)
    catch_up(made)

    assert runs("often") == minutes(1, 2, 3, 4, 5)


def test_after_a_great_step_forward_and_back_it_goes_on_as_if_nothing_had_been(
    clock: Clock,
) -> None:
    made = begun(task("often"))
    clock.advance(minutes=1)
    catch_up(made)
    clock.advance(days=400)
    catch_up(made)
    clock.advance(minutes=1)
    catch_up(made)

    clock.now = minutes(1)[0] + timedelta(seconds=5)
    catch_up(made)
    clock.now = minutes(2)[0]
    catch_up(made)

    day = 400 * 24 * 60
    assert runs("often") == minutes(1, 2, 1 + day + 1)


def test_a_scheduler_that_begins_after_a_step_back_repeats_nothing(clock: Clock) -> None:
    catch_up(made := begun(task("often", missed="all")))
    clock.advance(minutes=3)
    catch_up(made)
    clock.advance(minutes=-2)

    again = begun(task("often", missed="all"))
    known_since(MIDNIGHT - timedelta(days=1))
    for _ in range(4):
        clock.advance(minutes=1)
        catch_up(again)

    assert runs("often") == minutes(1, 2, 3, 4, 5)


# Static tasks


def stored() -> list[tuple[Any, ...]]:
    return ask(
        "select task_key, schedule, class_name, description, missed"
        " from queuekit_recurring_tasks order by task_key"
    )


def test_static_tasks_are_written_for_people_to_see(clock: Clock) -> None:
    begun(task("a", description="what it does"), task("b", "every hour", missed="once"))

    assert stored() == [
        ("a", "every minute", NOTE, "what it does", "skip"),
        ("b", "every hour", NOTE, None, "once"),
    ]


def test_those_that_the_configuration_has_no_more_are_taken_away(clock: Clock) -> None:
    begun(task("a"), task("b"))

    begun(task("b"))
    assert [row[0] for row in stored()] == ["b"]

    begun()
    assert stored() == []


def test_a_task_is_new_since_its_schedule_changed_and_not_for_anything_else(clock: Clock) -> None:
    def since(key: str) -> Any:
        return ask("select updated_at from queuekit_recurring_tasks where task_key = :key", key=key)

    begun(task("a"), task("b"))
    known_since(MIDNIGHT)
    before = since("a")

    begun(task("a", description="other", args=(1,)), task("b", "every hour"))

    assert since("a") == before
    assert since("b") > before


def test_schedulers_of_two_versions_of_the_file_live_side_by_side(clock: Clock) -> None:
    old, new = [task("old"), task("both")], [task("both", "every hour"), task("new")]

    with reported() as found:
        made = [begun(*(old if index % 2 else new)) for index in range(4)]
        for _ in range(3):
            in_threads(lambda index: begun(*(old if index % 2 else new)), 6)
            clock.advance(minutes=1)
            catch_up(*made)

    assert errors(found) == []
    assert runs("old") == runs("new") == runs("both") == minutes(1, 2, 3)


# Clearing


def test_old_runs_are_cleared_but_never_a_tasks_last_one(database: Database, clock: Clock) -> None:
    made = begun(task("often"), task("seldom", "every hour"))
    for _ in range(70):
        clock.advance(minutes=1)
        catch_up(made)
    ask(
        "update queuekit_recurring_executions set created_at = :at where task_key <> 'often'"
        " or run_at < :half",
        at=database.to_database(MIDNIGHT),
        half=database.to_database(minutes(35)[0]),
    )

    assert Clearing(database, 60.0).attend() is False

    assert runs("often") == minutes(*range(35, 71))
    assert runs("seldom") == minutes(60)


def test_the_last_run_of_a_task_that_is_gone_is_cleared_too(
    database: Database, clock: Clock
) -> None:
    made = begun(task("often"))
    clock.advance(minutes=2)
    catch_up(made)
    begun()
    ask(
        "update queuekit_recurring_executions set created_at = :at",
        at=database.to_database(MIDNIGHT),
    )

    Clearing(database, 60.0).attend()

    assert runs("often") == []


def test_runs_outlive_their_jobs(database: Database, clock: Clock) -> None:
    made = begun(task("often"))
    clock.advance(minutes=2)
    catch_up(made)

    Clearing(database, 0.001).attend()

    assert runs("often") == minutes(1, 2)


def test_a_walk_takes_a_little_at_a_time_and_then_waits(database: Database, clock: Clock) -> None:
    made = begun(task("often", missed="all"))
    old = database.to_database(MIDNIGHT)
    database.transact(
        lambda connection: rows.record(
            database,
            connection,
            [RunRow("often", moment, new_job_id(), None) for moment in minutes(*range(1_200))],
        )
    )
    ask("update queuekit_recurring_executions set created_at = :at", at=old)
    clearing = Clearing(database, 60.0)

    while clearing.attend():
        pass

    assert runs("often") == minutes(1_199)
    assert made.poll() > 0
    assert scheduler().poll() > 0
