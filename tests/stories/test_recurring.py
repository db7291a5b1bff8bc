"""Recurring tasks with real processes: each run once, as long as one scheduler lives."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

import queuekit
from queuekit.application import database
from queuekit.recurring import rows
from tests.clusters import Cluster
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_invariant, assert_registered
from tests.stories.support import Application, lives, wait_until
from tests.stories.test_clocks import Clock, clock, pass_seconds

assert clock  # a fixture


def recurring(application: Application, **tasks: dict[str, Any]) -> None:
    """Write config/recurring.yml. JSON is YAML, too."""
    application.write("config/recurring.yml", json.dumps(tasks))


def every_second(text: str = "tick", **options: Any) -> dict[str, Any]:
    return {"class": "jobs.note", "args": [text], "schedule": "every second"} | options


def runs(key: str) -> list[datetime]:
    found = ask(
        "select run_at from queuekit_recurring_executions where task_key = :key order by run_at",
        key=key,
    )
    return [database().moment_from_database(run_at) for (run_at,) in found]


def gaps(moments: list[datetime]) -> list[datetime]:
    """The seconds between the first and the last of these that are not among them."""
    first, last = moments[0], moments[-1]
    every = {first + timedelta(seconds=n) for n in range(int((last - first).total_seconds()) + 1)}
    return sorted(every.difference(moments))


def assert_one_job_for_each_run() -> None:
    jobs = [str(job_id) for (job_id,) in ask("select uuid from queuekit_jobs")]
    named = [str(job_id) for (job_id,) in ask("select job_uuid from queuekit_recurring_executions")]
    assert Counter(jobs) == Counter(named)
    assert set(Counter(jobs).values()) == {1}


def assert_no_error(application: Application) -> None:
    printed = application.printed()
    for word in ("Traceback", "An error in", "waits for the database", "Error"):
        assert word not in printed, printed


# One


@pytest.mark.parametrize("mode", ["fork", "async"])
def test_a_task_runs_at_its_times(application: Application, mode: str) -> None:
    application.configure(mode=mode)
    recurring(application, tick=every_second())
    application.start()
    assert_registered(application, Supervisor=1, Scheduler=1, Dispatcher=1, Worker=1)

    application.wait_until_ran(*["tick"] * 3)

    application.stop()
    assert_clean_termination(application)
    assert gaps(runs("tick")) == []
    assert_one_job_for_each_run()
    assert_no_error(application)
    assert "Starting Scheduler(" in application.printed()
    assert 'recurring_schedule: "tick"' in application.printed()


def test_nothing_is_late_by_more_than_its_polling(application: Application) -> None:
    """A scheduler sleeps until the very time, by the database's clock."""
    recurring(application, tick=every_second())
    application.start()
    wait_until(lambda: len(runs("tick")) >= 4, application, "it has run")
    application.stop()

    late = ask("select created_at, run_at from queuekit_recurring_executions")
    moment = database().moment_from_database
    seconds = sorted((moment(made) - moment(due)).total_seconds() for made, due in late)
    assert seconds[0] >= 0.0
    assert seconds[len(seconds) // 2] < 0.5


def test_there_is_no_scheduler_where_there_is_nothing_to_schedule(
    application: Application,
) -> None:
    application.start()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()

    recurring(application, tick=every_second())
    application.start("--skip-recurring")
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


def test_a_bad_task_among_good_ones_is_reported_and_nothing_else_happens(
    application: Application,
) -> None:
    recurring(application, bad=every_second() | {"class": "jobs.nowhere"}, tick=every_second())
    application.start()

    application.wait_until_ran(*["tick"] * 3)
    application.wait_until_printed("An error in enqueueing the recurring task bad", times=2)

    application.stop()
    assert gaps(runs("tick")) == []
    assert application.wait_for_end() == 0


def test_a_reload_brings_other_tasks_and_a_file_that_is_wrong_changes_nothing(
    application: Application,
) -> None:
    recurring(application, old=every_second("old"))
    application.start()
    application.wait_until_ran("old")

    recurring(application, old=every_second("old", schedule="whenever"))
    application.send(signal.SIGHUP)
    application.wait_until_printed("Keeping the old configuration")
    recurring(application, new=every_second("new"))
    application.send(signal.SIGHUP)

    application.wait_until_ran("new")
    assert [key for (key,) in ask("select task_key from queuekit_recurring_tasks")] == ["new"]
    wait_until(
        lambda: len(application.processes("Scheduler")) == 1, application, "the old one is gone"
    )
    count = len(runs("old"))
    application.wait_until_ran("new", "new")
    assert len(runs("old")) == count
    application.stop()
    assert_clean_termination(application)


def test_a_file_that_is_wrong_keeps_the_supervisor_from_starting(application: Application) -> None:
    recurring(
        application,
        first=every_second(schedule="whenever"),
        second=every_second(queue="a,b"),
    )

    printed = application.run("start", succeeds=False)

    assert "first" in printed and "second" in printed
    assert "Traceback" not in printed


def test_a_scheduler_that_is_killed_is_replaced_and_makes_up_what_was_missed(
    application: Application,
) -> None:
    recurring(application, tick=every_second(missed="all"))
    application.start()
    application.wait_until_ran("tick")
    (scheduler,) = application.processes("Scheduler")

    os.kill(scheduler.pid, signal.SIGKILL)

    application.wait_until_replaced(scheduler)
    count = len(runs("tick"))
    wait_until(lambda: len(runs("tick")) > count + 2, application, "it goes on")
    application.stop()
    assert gaps(runs("tick")) == []
    assert_one_job_for_each_run()


def test_dynamic_tasks_come_and_go_while_everything_runs(application: Application) -> None:
    application.configure(scheduler={"dynamic_tasks_enabled": True, "polling_interval": 0.2})
    application.start()
    assert_registered(application, Supervisor=1, Scheduler=1, Dispatcher=1, Worker=1)

    application.python(
        "import queuekit, jobs\n"
        "queuekit.schedule_recurring_task("
        "'digest', job=jobs.note, args=['digest'], schedule='every second')"
    )
    application.wait_until_ran("digest", "digest")
    application.stop()
    application.start()
    application.wait_until_ran(*["digest"] * (application.ran().count("digest") + 1))

    queuekit.unschedule_recurring_task("digest")
    time_to_notice = rows.now(database()) + timedelta(seconds=2)
    wait_until(lambda: rows.now(database()) > time_to_notice, application, "2 s pass")
    count = len(runs("digest"))
    wait_until(
        lambda: rows.now(database()) > time_to_notice + timedelta(seconds=3),
        application,
        "3 s more pass",
    )
    assert len(runs("digest")) == count
    assert len(set(runs("digest"))) == count
    application.stop()
    assert_clean_termination(application)
    assert_no_error(application)


def test_a_server_that_was_away_costs_no_run(
    killable_application: Application, killable_server: Cluster
) -> None:
    """Less than process_alive_threshold, that is: what became due meanwhile is late."""
    application = killable_application
    recurring(application, tick=every_second())
    application.start()
    application.wait_until_ran("tick", "tick")

    killable_server.kill()
    application.wait_until_printed("Scheduler waits for the database")
    pass_seconds(application, 3)
    killable_server.start()

    application.wait_until_printed("Scheduler can use the database again")
    count = len(runs("tick"))
    wait_until(lambda: len(runs("tick")) >= count + 3, application, "it goes on")
    application.stop()
    assert gaps(runs("tick")) == []
    assert_one_job_for_each_run()
    assert_invariant()


# Many


def test_of_four_schedulers_each_second_has_one_job_while_one_lives(
    application: Application,
) -> None:
    crowd(application, schedulers=4, seconds=10, restarts=2)


@pytest.mark.long
def test_of_ten_schedulers_each_second_of_a_minute_has_one_job_while_one_lives(
    application: Application,
) -> None:
    crowd(application, schedulers=10, seconds=60, restarts=20)


def crowd(application: Application, *, schedulers: int, seconds: int, restarts: int) -> None:
    """So many supervisors with a scheduler each; two of these are killed again and again, and are
    back each time."""
    application.configure(workers={"threads": 1, "polling_interval": 1})
    tasks = {f"tick {number}": every_second("tick") for number in range(3)}
    recurring(application, **tasks)
    supervisors = []
    for _ in range(schedulers):
        application.launch()
        assert application.supervisor is not None
        supervisors.append(application.supervisor)
    wait_until(
        lambda: len(application.processes("Scheduler")) == schedulers,
        application,
        "all schedulers register",
    )
    began = rows.now(database())
    victims = [supervisor.pid for supervisor in supervisors[:2]]
    for number in range(restarts):
        moment = began + timedelta(seconds=seconds * (number + 1) / (restarts + 1))
        wait_until(lambda: rows.now(database()) >= moment, application, "it is time")  # noqa: B023
        kill_scheduler(application, victims[number % 2])
    end = began + timedelta(seconds=seconds)
    wait_until(lambda: rows.now(database()) >= end, application, "the time is over", patience=90)

    for supervisor in supervisors:
        supervisor.terminate()
    for supervisor in supervisors:
        assert supervisor.wait(60) == 0
    for key in tasks:
        assert gaps(runs(key)) == []
        assert len(runs(key)) >= seconds
    assert_one_job_for_each_run()
    assert_invariant()
    printed = application.printed()
    assert printed.count("was killed by SIGKILL after") == restarts, printed
    for line in printed.splitlines():
        assert "Error" not in line and "An error in" not in line, printed
        assert "waits for the database" not in line, printed


def kill_scheduler(application: Application, supervisor_pid: int) -> None:
    """Kill this supervisor's scheduler, as soon as it has one."""

    def its_scheduler() -> list[int]:
        processes = application.processes()
        (supervisor,) = [p for p in processes if p.pid == supervisor_pid and p.kind == "Supervisor"]
        return [
            p.pid
            for p in processes
            if p.supervisor_id == supervisor.id and p.kind == "Scheduler" and lives(p.pid)
        ]

    wait_until(its_scheduler, application, "there is a scheduler to kill")
    os.kill(its_scheduler()[0], signal.SIGKILL)


# Clocks


@pytest.mark.databases("postgresql", "mariadb")
def test_a_host_whose_clock_is_wrong_or_jumps_repeats_and_skips_nothing(
    application: Application, clock: Clock
) -> None:
    recurring(application, tick=every_second())
    clock.set("+2d")
    application.start()
    application.wait_until_ran("tick")

    for offset in ("-3h", "+10y", "-90s", "+0"):
        clock.set(offset)
        pass_seconds(application, 1.5)

    application.stop()
    assert_clean_termination(application)
    assert gaps(runs("tick")) == []
    assert abs(runs("tick")[-1].timestamp() - time.time()) < 60
    assert_one_job_for_each_run()
    assert_no_error(application)
