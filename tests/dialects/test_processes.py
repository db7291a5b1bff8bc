"""The processes' rows: who registers, beats, leaves or is buried, and what becomes of claims."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

import queuekit
from queuekit import ProcessExitError, application, status
from queuekit.database import Database
from queuekit.executions.claimed import orphaned_processes
from queuekit.processes import registration
from queuekit.processes.registration import Burial, ProcessRow, Registration, release, silent
from tests.dialects.sample_jobs import mail, note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    configure,
    counts,
    finished,
    register,
    silent_for,
    states,
    take,
)

DIED = ProcessExitError("exited with status 9")


def bury(database: Database, process_id: int, **how: Any) -> Burial:
    """Bury a process with the configuration in use."""
    return registration.bury(database, application.configuration(), process_id, DIED, **how)


def error_of(receipt: queuekit.Receipt) -> tuple[str, str]:
    error = queuekit.failed.show(receipt.job_id).error
    return error.exception_class.rpartition(".")[2], error.message


def test_a_registered_process_says_who_and_where_it_is(database: Database) -> None:
    supervisor = Registration(database, "Supervisor", {})
    worker = Registration(database, "Worker", {"queues": "Größe 🚀"}, supervisor.id)
    note.enqueue()
    claim(worker.id)

    boss, process = status.gather().processes

    assert (boss.id, boss.kind, boss.supervisor_id) == (supervisor.id, "Supervisor", None)
    assert (process.id, process.kind, process.supervisor_id) == (worker.id, "Worker", supervisor.id)
    assert (process.pid, process.hostname) == (os.getpid(), socket.gethostname())
    assert process.metadata == {"queues": "Größe 🚀"}
    assert (boss.claims, process.claims) == (0, 1)
    assert 0 <= process.seconds_since_heartbeat < 30
    assert registration.child(database, supervisor.id, os.getpid()) == ProcessRow(
        worker.id, "Worker", os.getpid(), socket.gethostname()
    )
    assert registration.child(database, supervisor.id, 1) is None
    assert registration.child(database, worker.id, os.getpid()) is None


def test_ids_of_processes_are_not_used_again(database: Database) -> None:
    first = Registration(database, "Worker", {})
    first.leave()

    assert Registration(database, "Worker", {}).id > first.id


def test_a_heartbeat_tells_whether_the_registration_stands(database: Database) -> None:
    worker = Registration(database, "Worker", {})
    silent_for(worker.id, 100)

    assert worker.beat()
    assert silent(database, 50) == []

    bury(database, worker.id)
    assert not worker.beat()


def test_two_heartbeats_in_one_moment_both_stand(database: Database) -> None:
    worker = Registration(database, "Worker", {})

    assert all(worker.beat() for _ in range(20))


def test_who_leaves_releases_what_it_claimed(database: Database) -> None:
    worker, other = Registration(database, "Worker", {}), register()
    one = mail.using(priority=-2).enqueue(1)
    claim(worker.id)
    kept = note.enqueue()
    claim(other)

    assert worker.leave() == 1

    assert states() == {"ready": [one.row_id], "claimed": [kept.row_id]}
    (again,) = claim(other, queue="mailers")
    assert (again.row_id, again.attempt, again.priority) == (one.row_id, 1, -2)
    assert worker.leave() == 0


def test_what_was_released_can_no_longer_be_settled_by_who_left(database: Database) -> None:
    note.enqueue()
    worker = register()
    (job,) = claim(worker)
    release(database, worker)

    assert not take(worker, [finished(job)]).registered
    assert counts() == {"ready": 1}


def test_the_jobs_of_a_dead_process_fail_with_the_error_given(database: Database) -> None:
    one, two = note.enqueue(1), note.enqueue(2)
    dead, alive = register(), register()
    claim(dead, 1)
    claim(alive, 1)

    assert bury(database, dead) == Burial(failed=(one.job_id,))

    assert states() == {"failed": [one.row_id], "claimed": [two.row_id]}
    assert error_of(one) == ("ProcessExitError", "exited with status 9")
    assert ask("select id from queuekit_processes") == [(alive,)]
    assert bury(database, dead) == Burial(happened=False)


def test_who_has_beaten_lately_is_not_buried(database: Database) -> None:
    receipt = note.enqueue()
    worker = register()
    claim(worker)
    silent_for(worker, 20)

    assert bury(database, worker, silent_for=30) == Burial(happened=False)
    assert states() == {"claimed": [receipt.row_id]}

    assert bury(database, worker, silent_for=10) == Burial(failed=(receipt.job_id,))
    assert states() == {"failed": [receipt.row_id]}


def test_those_are_silent_whose_last_heartbeat_is_too_long_ago(database: Database) -> None:
    quiet, alive, idle = register(), register(), register("Dispatcher")
    silent_for(quiet, 301)
    silent_for(alive, 299)
    silent_for(idle, 400)

    found = silent(database, 300)

    assert [(process.id, process.kind) for process in found] == [
        (quiet, "Worker"),
        (idle, "Dispatcher"),
    ]
    assert {(process.pid, process.hostname) for process in found} == {
        (os.getpid(), socket.gethostname())
    }


def test_a_silent_process_says_whose_child_it_is(database: Database) -> None:
    supervisor = Registration(database, "Supervisor", {})
    child = Registration(database, "Worker", {}, supervisor.id)
    for process in (supervisor, child):
        silent_for(process.id, 400)

    assert [process.supervisor_id for process in silent(database, 300)] == [None, supervisor.id]


def test_whoever_buries_a_process_knows_that_it_was_the_first(database: Database) -> None:
    worker, idle = register(), register("Dispatcher")
    note.enqueue()
    claim(worker)

    assert [bury(database, worker).happened for _ in range(2)] == [True, False]
    assert [bury(database, idle).happened for _ in range(2)] == [True, False]


# Claims that had begun, and those that had not


def test_what_had_not_begun_goes_back_to_ready_as_it_was(database: Database) -> None:
    begun, waiting = note.enqueue(1), mail.using(priority=-2).enqueue(2)
    worker = register()
    claim(worker)

    assert bury(database, worker, begun=[begun.row_id]) == Burial(
        failed=(begun.job_id,), released=(waiting.job_id,)
    )

    assert states() == {"failed": [begun.row_id], "ready": [waiting.row_id]}
    (again,) = claim(register(), queue="mailers")
    assert (again.row_id, again.attempt, again.priority) == (waiting.row_id, 1, -2)


@pytest.mark.parametrize("on_process_death", ["fail", "retry"])
def test_when_nothing_had_begun_nothing_is_charged(
    database: Database, on_process_death: str
) -> None:
    configure(on_process_death=on_process_death)
    receipts = [note.enqueue(number) for number in range(3)]
    worker = register()
    claim(worker)

    burial = bury(database, worker, begun=[])

    assert sorted(burial.released) == sorted(receipt.job_id for receipt in receipts)
    assert (burial.failed, burial.retried) == ((), ())
    assert counts() == {"ready": 3}
    assert ask("select distinct process_deaths from queuekit_jobs") == [(0,)]


def test_when_nobody_knows_what_had_begun_all_of_it_counts(database: Database) -> None:
    receipts = [note.enqueue(number) for number in range(3)]
    worker = register()
    claim(worker)

    burial = bury(database, worker, begun=None)

    assert sorted(burial.failed) == sorted(receipt.job_id for receipt in receipts)
    assert counts() == {"failed": 3}


def test_what_had_begun_and_is_not_claimed_any_more_is_nobodys_business(
    database: Database,
) -> None:
    settled, others, free = note.enqueue(1), note.enqueue(2), note.using(queue="other").enqueue(3)
    worker = register()
    (job,) = claim(worker, 1)
    take(worker, [finished(job)], limit=0)
    claim(register(), 1)

    begun = [settled.row_id, others.row_id, free.row_id, 999_999]
    assert bury(database, worker, begun=begun) == Burial()
    assert counts() == {"finished": 1, "claimed": 1, "ready": 1}


def test_one_burial_may_do_all_three(database: Database) -> None:
    configure(on_process_death="retry", max_process_deaths=2)
    worn, fresh, waiting = note.enqueue(1), note.enqueue(2), note.enqueue(3)
    ask("update queuekit_jobs set process_deaths = 1 where id = :id", id=worn.row_id)
    worker = register()
    claim(worker)

    assert bury(database, worker, begun=[worn.row_id, fresh.row_id]) == Burial(
        failed=(worn.job_id,), retried=(fresh.job_id,), released=(waiting.job_id,)
    )

    assert attempts(worn.job_id) == [(1, "failed")]
    assert attempts(fresh.job_id) == [(1, "retried"), (2, "ready")]
    assert attempts(waiting.job_id) == [(1, "ready")]


@pytest.mark.parametrize("number", [0, 1000])
@pytest.mark.parametrize("on_process_death", ["fail", "retry"])
def test_any_number_of_claims_goes_with_its_process(
    database: Database, number: int, on_process_death: str
) -> None:
    configure(on_process_death=on_process_death)
    receipts = queuekit.enqueue_all(note.bind(index) for index in range(number))
    worker = register()
    claim(worker, 2000)
    begun = [receipt.row_id for receipt in receipts[::2]]

    burial = bury(database, worker, begun=begun)

    half = number // 2
    assert len(burial.released) == number - half
    if on_process_death == "fail":
        assert len(burial.failed) == half
        assert counts() == ({"ready": half, "failed": half} if number else {})
    else:
        assert len(burial.retried) == half
        assert counts() == ({"ready": number, "finished": half} if number else {})


# Claims without a process


def test_claims_whose_process_is_not_registered_are_found(database: Database) -> None:
    one, two = note.enqueue(1), note.enqueue(2)
    gone, alive = register(), register()
    claim(gone, 1)
    claim(alive, 1)
    assert orphaned_processes(database) == []

    ask("delete from queuekit_processes where id = :id", id=gone)
    assert orphaned_processes(database) == [gone]

    assert bury(database, gone) == Burial(failed=(one.job_id,))
    assert attempts(one.job_id) == [(1, "failed")]
    assert attempts(two.job_id) == [(1, "claimed")]
    assert orphaned_processes(database) == []


def test_each_process_that_is_gone_is_found_once(database: Database) -> None:
    queuekit.enqueue_all(note.bind(index) for index in range(4))
    gone = [register(), register()]
    for process_id in gone:
        claim(process_id, 2)
    ask("delete from queuekit_processes")

    assert sorted(orphaned_processes(database)) == gone


def test_status_counts_every_state() -> None:
    note.enqueue()
    note.using(wait=60).enqueue()
    claim(register())
    note.enqueue()

    assert status.gather().jobs == {
        "scheduled": 1,
        "ready": 1,
        "blocked": 0,
        "claimed": 1,
        "failed": 0,
        "finished": 0,
    }
