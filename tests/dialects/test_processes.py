"""The processes' rows: who registers, beats, leaves or is buried, and what becomes of claims."""

from __future__ import annotations

import os
import socket

import pytest

import queuekit
from queuekit import ProcessExitError, status
from queuekit.database import Database
from queuekit.executions.claimed import fail_orphans
from queuekit.processes.registration import Registration, bury, child_id, prune, release
from tests.dialects.sample_jobs import mail, note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    finished,
    register,
    silent_for,
    states,
    take,
)

DIED = ProcessExitError("exited with status 9")


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
    assert child_id(database, supervisor.id, os.getpid()) == worker.id
    assert child_id(database, supervisor.id, 1) is None


def test_ids_of_processes_are_not_used_again(database: Database) -> None:
    first = Registration(database, "Worker", {})
    first.leave()

    assert Registration(database, "Worker", {}).id > first.id


def test_a_heartbeat_tells_whether_the_registration_stands(database: Database) -> None:
    worker = Registration(database, "Worker", {})
    silent_for(worker.id, 100)

    assert worker.beat()
    assert prune(database, 50) == []

    bury(database, worker.id, DIED)
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

    assert bury(database, dead, DIED) == [one.job_id]

    assert states() == {"failed": [one.row_id], "claimed": [two.row_id]}
    assert error_of(one) == ("ProcessExitError", "exited with status 9")
    assert ask("select id from queuekit_processes") == [(alive,)]
    assert bury(database, dead, DIED) == []


def test_who_has_beaten_lately_is_not_buried(database: Database) -> None:
    receipt = note.enqueue()
    worker = register()
    claim(worker)
    silent_for(worker, 20)

    assert bury(database, worker, DIED, silent_for=30) == []
    assert states() == {"claimed": [receipt.row_id]}

    assert bury(database, worker, DIED, silent_for=10) == [receipt.job_id]
    assert states() == {"failed": [receipt.row_id]}


def test_pruning_buries_who_was_silent_for_too_long(database: Database) -> None:
    one, two = note.enqueue(1), note.enqueue(2)
    silent, alive, idle = register(), register(), register("Dispatcher")
    claim(silent, 1)
    claim(alive, 1)
    silent_for(silent, 301)
    silent_for(alive, 299)
    silent_for(idle, 400)

    buried = prune(database, 300)

    assert [(process.id, process.kind, jobs) for process, jobs in buried] == [
        (silent, "Worker", [one.job_id]),
        (idle, "Dispatcher", []),
    ]
    assert states() == {"failed": [one.row_id], "claimed": [two.row_id]}
    kind, message = error_of(one)
    assert kind == "ProcessPrunedError"
    assert f"Worker {os.getpid()}" in message
    assert "300 s" in message


def test_claims_without_a_process_fail(database: Database) -> None:
    one, two = note.enqueue(1), note.enqueue(2)
    gone, alive = register(), register()
    claim(gone, 1)
    claim(alive, 1)
    ask("delete from queuekit_processes where id = :id", id=gone)

    assert fail_orphans(database) == [one.job_id]

    assert attempts(one.job_id) == [(1, "failed")]
    assert attempts(two.job_id) == [(1, "claimed")]
    assert error_of(one)[0] == "ProcessMissingError"
    assert fail_orphans(database) == []


@pytest.mark.parametrize("number", [0, 1000])
def test_any_number_of_claims_goes_with_its_process(database: Database, number: int) -> None:
    queuekit.enqueue_all(note.bind(index) for index in range(number))
    worker = register()
    claim(worker, 2000)

    assert len(bury(database, worker, DIED)) == number
    assert counts() == ({"failed": number} if number else {})


def test_status_counts_every_state() -> None:
    note.enqueue()
    note.using(wait=60).enqueue()
    claim(register())
    note.enqueue()

    assert status.gather().jobs == {
        "scheduled": 1,
        "ready": 1,
        "claimed": 1,
        "failed": 0,
        "finished": 0,
    }
