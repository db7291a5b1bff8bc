"""Jobs that go on where they were, and jobs that end themselves, whatever ends their processes."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

import queuekit
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_invariant, attempts
from tests.stories.support import Application, wait_until

JOBS = Path(__file__).parent / "app" / "continuing.py"
PLACES = ("validate", "row 0", "row 1", "finish")


@pytest.fixture
def application(application: Application) -> Application:
    shutil.copyfile(JOBS, application.folder / "continuing.py")
    application.configure(workers={"threads": 2}, imports=["continuing"])
    return application


def enqueue(application: Application, call: str) -> str:
    """Enqueue as an application does, with what the declaration says. Returns the job's id."""
    return application.python(f"import continuing; print(continuing.{call}.job_id)").strip()


def wait_until_began(application: Application, place: str, times: int = 1) -> None:
    application.wait_until_ran(*[f"{place} began"] * times)


def kill_the_worker(application: Application) -> None:
    worker = application.worker()
    os.kill(worker.pid, signal.SIGKILL)
    application.wait_until_replaced(worker)


def test_killed_in_every_step_no_recorded_step_runs_again(application: Application) -> None:
    application.start()
    job_id = enqueue(application, "Import.enqueue()")

    for place in PLACES:
        wait_until_began(application, place)
        kill_the_worker(application)
        wait_until_began(application, place, times=2)
        application.open(place)

    application.wait_until_jobs(finished=len(PLACES) + 1)
    expected = [text for p in PLACES for text in (f"{p} began", f"{p} began", f"{p} ended")]
    assert application.ran() == expected
    assert [state for _, state in attempts()[job_id]] == ["retried"] * len(PLACES) + ["finished"]
    application.stop()
    assert_clean_termination(application)


def test_told_to_stop_it_ends_at_a_checkpoint_and_the_next_worker_goes_on(
    application: Application,
) -> None:
    application.start()
    job_id = enqueue(application, "Import.enqueue()")
    application.open("validate")
    wait_until_began(application, "row 0")
    assert "0 of 2 (0%)" in application.run("status")
    application.send(signal.SIGTERM)
    application.wait_until_printed("Stopping Worker")
    application.open("row 0")

    assert_clean_termination(application)
    assert application.jobs() == {"finished": 1, "ready": 1}
    shown = application.run("show", job_id)
    assert "validate  finished" in shown
    assert "rows      begun     1" in shown

    for place in PLACES:
        application.open(place)
    application.start()
    application.wait_until_jobs(finished=2)
    assert application.ran() == [text for p in PLACES for text in (f"{p} began", f"{p} ended")]
    assert attempts() == {job_id: [(1, "retried"), (2, "finished")]}
    application.stop()
    assert_clean_termination(application)


def test_killed_before_and_after_the_commit_effect_and_end_go_together(
    application: Application,
) -> None:
    ask("drop table if exists orders")
    ask("create table orders (id integer)")
    application.start()
    job_id = enqueue(application, "order.enqueue()")

    wait_until_began(application, "commit")
    kill_the_worker(application)
    wait_until_began(application, "commit", times=2)
    application.open("commit")
    wait_until_began(application, "end")

    assert attempts() == {job_id: [(1, "retried"), (2, "finished")]}
    kill_the_worker(application)

    application.wait_until_jobs(finished=2)
    assert ask("select count(*) from orders") == [(1,)]
    assert attempts() == {job_id: [(1, "retried"), (2, "finished")]}
    assert_invariant()
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_completes_itself_is_settled_without_a_warning(
    application: Application,
) -> None:
    ask("drop table if exists orders")
    ask("create table orders (id integer)")
    application.start()
    job_id = enqueue(application, "order.enqueue()")
    application.open("commit")
    application.open("end")

    application.wait_until_ran("end ended")
    application.wait_until_jobs(finished=1)
    application.enqueue("jobs.note", "the next")
    application.wait_until_ran("the next")
    application.wait_until_jobs(finished=2)

    assert attempts()[job_id] == [(1, "finished")]
    application.stop()
    assert_clean_termination(application)
    assert "dropped" not in application.printed().lower(), application.printed()


@pytest.mark.databases("postgresql", "mariadb")
@pytest.mark.parametrize(("how", "end"), [("commit", "finished"), ("rollback", "failed")])
def test_a_transaction_left_open_holds_up_nobody_else(
    application: Application, how: str, end: str
) -> None:
    application.start()
    job_id = enqueue(application, "forget_to_commit.enqueue()")
    application.wait_until_ran("returned")
    for number in range(20):
        application.enqueue("jobs.note", f"{number}")
    application.wait_until_ran(*(f"{number}" for number in range(20)))
    wait_until(
        lambda: application.jobs() == {"claimed": 1, "finished": 20}, application, "others end"
    )

    application.enqueue("continuing.end_what_was_kept", how)

    wait_until(lambda: attempts()[job_id] == [(1, end)], application, f"it has {end}")
    if end == "failed":
        error = queuekit.failed.show(job_id).error
        assert error.exception_class == "queuekit.errors.NotCommittedError"
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
def test_cut_short_before_its_commit_it_has_done_nothing_and_runs_again(
    application: Application, number: signal.Signals
) -> None:
    """Its open transaction is in the way of giving the claim back, and ends with its process."""
    ask("drop table if exists orders")
    ask("create table orders (id integer)")
    application.configure(workers={"threads": 2}, imports=["continuing"], shutdown_timeout=1)
    application.start()
    job_id = enqueue(application, "order.enqueue()")
    wait_until_began(application, "commit")

    application.send(number)

    application.wait_for_end()
    wait_until(lambda: not application.alive(), application, "all processes end")
    assert attempts()[job_id] == [(1, "ready")]
    assert ask("select count(*) from orders") == [(0,)]
    assert application.processes() == []
    application.open("commit")
    application.open("end")
    application.start()
    application.wait_until_jobs(finished=1)
    assert ask("select count(*) from orders") == [(1,)]
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("postgresql", "mariadb")
def test_a_transaction_left_open_does_not_keep_the_worker_from_leaving(
    application: Application,
) -> None:
    """Its lock is in the way of giving the claim back; it ends with the process."""
    application.configure(workers={"threads": 2}, imports=["continuing"], shutdown_timeout=1)
    application.start()
    job_id = enqueue(application, "forget_to_commit.enqueue()")
    application.wait_until_ran("returned")

    application.send(signal.SIGTERM)

    application.wait_for_end()
    wait_until(lambda: not application.alive(), application, "all processes end")
    assert attempts()[job_id][0][1] in ("ready", "failed")
    assert application.processes() == []
    assert_invariant()
