"""Deploys: workers of two versions at once, jobs that only one of them knows, renamed jobs."""

from __future__ import annotations

import pytest

from queuekit.enqueueing import Receipt
from queuekit.executions.errors import read_error
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_ended_once, attempts
from tests.stories.support import Application
from tests.stories.times import pass_time_until, pass_time_until_jobs, waits

OLD = """
import queuekit
from jobs import note

@queuekit.job
def greet(name):
    note(f"greet {name}")

@queuekit.job(name="billing")
def bill(number):
    note(f"bill {number}")
"""

NEW = """
import queuekit
from jobs import note

@queuekit.job(aliases=["shop.greet", "shop.hello"])
def welcome(name):
    note(f"welcome {name}")

@queuekit.job
def ship(number):
    note(f"ship {number}")
"""

ACCOUNTS = """
import queuekit
from jobs import note

@queuekit.job(name="billing")
def invoice(number):
    note(f"invoice {number}")
"""


def enqueue_there(application: Application, code: str) -> Receipt:
    """Enqueue as the application's own code does: the version that lies in the folder now."""
    job_id = application.python(f"import shop; print(shop.{code}.job_id)").strip()
    return Receipt(job_id, None, "default")


def test_a_job_that_the_workers_do_not_know_yet_waits_for_those_that_do(
    application: Application,
) -> None:
    application.configure(dispatchers={"polling_interval": 0.1})
    application.write("shop.py", OLD)
    application.start()
    old = application.supervisor
    assert old is not None
    first = enqueue_there(application, "greet.enqueue('Ada')")
    application.wait_until_ran("greet Ada")

    application.write("shop.py", NEW)
    receipt = enqueue_there(application, "ship.enqueue(7)")
    pass_time_until(
        lambda: len(attempts().get(receipt.job_id, [])) > 3, application, "it is retried"
    )
    assert waits(receipt)[:3] == pytest.approx([2, 4, 8], abs=0.2)
    assert reasons(receipt) == {
        "job shop.ship is not known: shop was imported and declares no job of that name"
    }

    application.start()  # the new version, beside the old one
    old.terminate()
    pass_time_until(lambda: "ship 7" in application.ran(), application, "it runs")

    assert old.wait(60) == 0
    application.stop()
    assert_clean_termination(application)
    assert_ended_once([first, receipt])


def reasons(receipt: Receipt) -> set[str]:
    """The messages of the errors that attempts of this job have ended with."""
    rows = ask(
        "select ended.error from queuekit_jobs job"
        " join queuekit_finished_executions ended on ended.job_id = job.id"
        " where job.uuid = :job_id",
        job_id=receipt.job_id,
    )
    return {read_error(error).message for (error,) in rows}


def test_jobs_under_their_old_names_run_after_they_were_renamed_or_moved(
    application: Application,
) -> None:
    application.write("shop.py", OLD)
    receipts = [
        enqueue_there(application, "greet.enqueue('Ada')"),
        enqueue_there(application, "greet.using(wait=3600).enqueue('Grace')"),
        enqueue_there(application, "bill.enqueue(7)"),
        application.enqueue("shop.hello", "Hedy"),
    ]

    application.write("shop.py", NEW)
    application.write("accounts.py", ACCOUNTS)
    application.configure(imports=["accounts"], dispatchers={"polling_interval": 0.1})
    application.start()
    receipts.append(enqueue_there(application, "welcome.enqueue('Mary')"))

    pass_time_until_jobs(application, finished=5)
    assert sorted(application.ran()) == [
        "invoice 7",
        "welcome Ada",
        "welcome Grace",
        "welcome Hedy",
        "welcome Mary",
    ]
    application.stop()
    assert_clean_termination(application)
    assert_ended_once(receipts)
