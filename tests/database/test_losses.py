"""Servers restart, connections die, answers get lost: the next enqueue works, and enqueues once."""

from __future__ import annotations

import pytest

import queuekit
from queuekit import DatabaseUnavailableError, EnqueueError, application, enqueueing
from queuekit.database import Database, prepare
from tests.clusters import Cluster
from tests.database.proxy import Proxy
from tests.databases import PostgreSQLDatabases
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    failed_note,
    finished,
    in_threads,
    in_use,
    misplaced,
    register,
    take,
)
from tests.servers import Server

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")


# Connections that die


def end_all_connections(server: Server, url: str) -> None:
    with server.databases.connection(url) as connection:
        if isinstance(server.databases, PostgreSQLDatabases):
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        else:
            connection.execute(
                "select id from information_schema.processlist "
                "where db = database() and id <> connection_id()"
            )
            for (thread,) in connection.fetchall():
                connection.execute(f"kill {thread}")


def test_after_a_connection_was_ended_the_next_enqueue_works(
    server: Server, database: Database, database_url: str
) -> None:
    note.enqueue(1)
    end_all_connections(server, database_url)

    note.enqueue(2)
    end_all_connections(server, database_url)
    queuekit.enqueue_all([note.bind(3), note.bind(4)])

    assert counts() == {"ready": 4}


def test_every_thread_gets_over_it(server: Server, database: Database, database_url: str) -> None:
    def work(index: int) -> None:
        note.enqueue(index)
        barrier.append(index)
        while len(barrier) < 4:
            pass
        if index == 0:
            end_all_connections(server, database_url)
            barrier.append(9)
        while len(barrier) < 5:
            pass
        note.enqueue(index)

    barrier: list[int] = []
    in_threads(work, 4)

    assert counts() == {"ready": 8}


def test_inside_a_transaction_the_whole_of_it_is_run_again(
    server: Server, database: Database, database_url: str
) -> None:
    receipt = note.enqueue()
    runs: list[int] = []

    def work(connection: object) -> None:
        runs.append(1)
        connection.run(database.named("queues.pause"), {"queue_name": "a"})  # type: ignore[attr-defined]
        if len(runs) == 1:
            end_all_connections(server, database_url)
        connection.run(database.named("queues.pause"), {"queue_name": "b"})  # type: ignore[attr-defined]

    database.transact(work)

    assert len(runs) == 2
    assert [queue.name for queue in queuekit.queues.list()] == ["a", "b", "default"]
    assert counts() == {"ready": 1}
    assert receipt.row_id


def test_a_turn_is_never_sent_twice_by_itself(
    server: Server, database: Database, database_url: str
) -> None:
    note.enqueue()
    worker = register()
    end_all_connections(server, database_url)

    with pytest.raises(DatabaseUnavailableError):
        claim(worker)

    assert len(claim(worker)) == 1  # on a new connection


def test_a_restart_of_the_server_is_got_over(killable_server: Cluster, empty_url: str) -> None:
    prepare(empty_url)
    with in_use(empty_url):
        one = note.enqueue(1)
        worker = register()
        (job,) = claim(worker)

        killable_server.restart()

        two = note.enqueue(2)
        assert two.row_id > one.row_id
        assert take(worker, [finished(job)]).settled == {one.row_id}
        assert misplaced() == []


def test_while_the_server_is_away_enqueueing_says_so_and_afterwards_works(
    killable_server: Cluster, empty_url: str
) -> None:
    prepare(empty_url)
    with in_use(empty_url):
        note.enqueue(1)
        killable_server.kill()

        for _ in range(2):
            with pytest.raises(EnqueueError) as refused:
                note.enqueue("lost")
            assert isinstance(refused.value.__cause__, DatabaseUnavailableError)

        killable_server.start()
        note.enqueue(2)
        assert counts() == {"ready": 2}
        assert misplaced() == []


# Answers that get lost


def test_a_job_whose_commit_is_not_answered_is_enqueued_once(proxy: Proxy) -> None:
    note.enqueue("connected")
    proxy.lose_answer_to("queuekit_jobs")

    receipt = note.enqueue("answer lost")

    assert proxy.losses == 1
    assert counts() == {"ready": 2}
    assert [(row_id, str(job_id)) for row_id, job_id in jobs()][1] == (
        receipt.row_id,
        receipt.job_id,
    )


def test_a_scheduled_job_whose_commit_is_not_answered_has_the_same_receipt(proxy: Proxy) -> None:
    note.enqueue("connected")
    proxy.lose_answer_to("queuekit_jobs")

    receipt = note.using(wait=60).enqueue("answer lost")

    assert proxy.losses == 1
    assert counts() == {"ready": 1, "scheduled": 1}
    assert receipt.row_id == jobs()[1][0]
    assert receipt.scheduled_at is not None


@pytest.mark.parametrize(("size", "lost"), [(2_000_000, "queuekit_jobs"), (1000, "commit")])
def test_many_jobs_whose_commit_is_not_answered_are_enqueued_once(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, size: int, lost: str
) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", size)
    note.enqueue("connected")
    proxy.lose_answer_to(lost)

    receipts = queuekit.enqueue_all(note.bind(f"{number:->300}") for number in range(20))

    assert proxy.losses == 1
    assert counts() == {"ready": 21}
    assert [row_id for row_id, _ in jobs()][1:] == [receipt.row_id for receipt in receipts]


def test_a_job_that_never_reached_the_server_is_sent_again(proxy: Proxy) -> None:
    note.enqueue("connected")
    proxy.lose_request("queuekit_jobs")

    note.enqueue("request lost")

    assert proxy.losses == 1
    assert counts() == {"ready": 2}


def test_a_turn_whose_commit_is_not_answered_can_be_found_out_about(proxy: Proxy) -> None:
    from queuekit.executions.claimed import held_by

    receipt = note.enqueue()
    worker = register()
    proxy.lose_answer_to("queuekit_ready_executions")

    with pytest.raises(DatabaseUnavailableError):
        claim(worker)

    (job,) = held_by(application.database(), worker)
    assert job.row_id == receipt.row_id
    proxy.lose_answer_to("queuekit_ready_executions")
    with pytest.raises(DatabaseUnavailableError):
        take(worker, [finished(job)])
    assert held_by(application.database(), worker) == []
    assert take(worker, [finished(job)]).settled == frozenset()
    assert counts() == {"finished": 1}


def test_a_retry_whose_commit_is_not_answered_makes_one_attempt(proxy: Proxy) -> None:
    receipt = failed_note()
    proxy.lose_answer_to("'retried'")

    queuekit.failed.retry(receipt.job_id)

    assert proxy.losses == 1
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


def jobs() -> list[tuple[int, str]]:
    return [(row[0], row[1]) for row in ask("select id, uuid from queuekit_jobs order by id")]
