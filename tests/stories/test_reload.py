"""HUP: the configuration is read again, and the processes are replaced one by one."""

from __future__ import annotations

import signal

import pytest

from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import Application, enqueue_all, lives, wait_until


def test_the_new_configuration_holds_and_no_job_is_lost(application: Application) -> None:
    application.configure(workers={"processes": 2, "threads": 2})
    application.start()
    before = application.processes()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(4)])
    wait_until(lambda: len(application.ran()) == 4, application, "four jobs run")

    application.configure(
        workers=[{"queues": "fast", "threads": 7}, {"queues": "default", "threads": 1}]
    )
    application.send(signal.SIGHUP)
    application.wait_until_printed("Reloaded the configuration; replacing the processes one by one")
    application.wait_until_printed("Stopping Worker")
    receipts.append(application.enqueue("jobs.note", "meanwhile"))
    application.open()

    application.wait_until_jobs(finished=5)
    wait_until(
        lambda: (
            sorted(
                (worker.metadata["queues"], worker.metadata["thread_pool_size"])
                for worker in application.processes("Worker")
            )
            == [("default", 1), ("fast", 7)]
        ),
        application,
        "the new workers run, and no other",
    )
    supervisor, *children = before
    assert supervisor.pid in [process.pid for process in application.processes("Supervisor")]
    wait_until(
        lambda: not any(lives(child.pid) for child in children), application, "the old ones go"
    )
    receipts.append(application.enqueue("jobs.note", "fast", queue="fast"))
    application.wait_until_ran("fast")
    application.wait_until_jobs(finished=6)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_one_process_gives_way_at_a_time(application: Application) -> None:
    """While one of three workers still finishes its job, the other two are there for new ones."""
    application.configure(workers={"processes": 3, "threads": 1})
    application.start()
    old = application.processes("Worker")
    receipts = enqueue_all([("jobs.wait", (f"{n}", f"gate {n}")) for n in range(3)])
    wait_until(lambda: len(application.ran()) == 3, application, "three jobs run")

    application.send(signal.SIGHUP)

    for number in range(3):
        application.wait_until_printed("Stopping Worker", times=number + 1)
        assert application.printed().count("Stopping Worker") == number + 1
        assert sum(lives(worker.pid) for worker in old) == 3 - number
        for gate in range(3):
            if leaving_runs(application, gate):
                application.open(f"gate {gate}")
    wait_until(lambda: not any(lives(w.pid) for w in old), application, "the old ones are gone")

    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=3)
    application.wait_until_jobs(finished=3)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def leaving_runs(application: Application, number: int) -> bool:
    """Whether the worker that was last told to stop is the one that runs this job."""
    lines = [line for line in application.printed().splitlines() if "Stopping Worker" in line]
    (pid,) = [pid for pid, text in application.ran_where() if text == f"{number} began"]
    return f"[Worker {pid}]" in lines[-1]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "config/queue.yml is gone"),
        ("workers: {threads: 0}", "threads: got the number 0"),
        ("workers: [", "config/queue.yml"),
        ("wrokers: {}", "wrokers"),
    ],
)
def test_a_configuration_with_problems_is_not_taken_over(
    application: Application, text: str | None, complaint: str
) -> None:
    """Nothing reaches the database: one will do."""
    application.start()
    before = {process.id for process in application.processes()}
    receipts = [application.enqueue("jobs.wait", "one")]
    application.wait_until_ran("one began")

    if text is None:
        (application.folder / "config/queue.yml").unlink()
    else:
        application.write("config/queue.yml", text)
    application.send(signal.SIGHUP)

    application.wait_until_printed("Keeping the old configuration: ")
    (line,) = [line for line in application.printed().splitlines() if "Keeping the old" in line]
    assert complaint in line
    application.open()
    receipts.append(application.enqueue("jobs.note", "two"))
    application.wait_until_jobs(finished=2)
    assert {process.id for process in application.processes()} == before
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_reloading_under_load_again_and_again(application: Application) -> None:
    application.configure(workers={"processes": 2, "threads": 3})
    application.start()
    receipts = enqueue_all([("jobs.note_slowly", (f"{n}",)) for n in range(400)])
    receipts += enqueue_all([("jobs.note_slowly", (f"late {n}",)) for n in range(100)], wait=1)

    for round in range(3):
        old = [process for process in application.processes() if process.kind != "Supervisor"]
        application.send(signal.SIGHUP)
        application.wait_until_printed("Reloaded the configuration", times=round + 1)
        for process in old:
            application.wait_until_replaced(process)

    application.wait_until_jobs(finished=500)
    assert sorted(set(application.ran())) == sorted(application.ran())
    assert len(application.ran()) == 500
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


def test_two_hups_in_a_row_and_a_term_in_the_midst_of_it(application: Application) -> None:
    application.configure(workers={"processes": 2, "threads": 1})
    application.start()
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(3)])
    wait_until(lambda: len(application.ran()) == 2, application, "two jobs run")

    for round in range(2):
        application.send(signal.SIGHUP)
        application.wait_until_printed("Reloaded the configuration", times=round + 1)
    application.wait_until_printed("Stopping Worker")
    application.send(signal.SIGTERM)
    application.wait_until_printed("Stopping Worker", times=2)
    application.open()

    assert_clean_termination(application)
    assert application.jobs() == {"finished": 2, "ready": 1}
    assert_ended_once(receipts, outcomes=["finished", "ready"])
