"""A connection is never shared across fork: parent and child each speak on their own."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, claim, counts, register


def in_child(work: Callable[[], object], *, orderly: bool = True) -> None:
    """Run this in a forked child, which then ends with or without telling its database."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            if orderly:
                application.database().disconnect()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("orderly", [True, False])
def test_a_child_enqueues_and_its_parents_connection_still_works(
    database: Database, orderly: bool
) -> None:
    worker = register()
    mine = session(database)
    note.enqueue("before")

    for number in range(3):
        in_child(lambda number=number: note.enqueue(number), orderly=orderly)  # type: ignore[misc]
        note.enqueue("after")

    assert session(database) == mine
    assert counts() == {"ready": 7}
    assert len(claim(worker)) == 7


def test_a_child_has_a_connection_of_its_own(database: Database) -> None:
    mine = session(database)

    def work() -> None:
        assert session(database) != mine
        for _ in range(3):
            note.enqueue()

    in_child(work)

    assert session(database) == mine


def test_a_child_that_disconnects_leaves_its_parents_connection_alone(database: Database) -> None:
    note.enqueue()
    mine = session(database)

    in_child(database.disconnect)
    in_child(lambda: (database.disconnect(), note.enqueue()))

    assert session(database) == mine
    assert counts() == {"ready": 2}


def test_a_child_may_fork_again(database: Database) -> None:
    note.enqueue()

    in_child(lambda: (note.enqueue(), in_child(note.enqueue), note.enqueue()))

    assert counts() == {"ready": 4}


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_transaction_of_the_parent_is_not_the_childs(database: Database) -> None:
    def work(connection: object) -> None:
        connection.run(database.named("queues.pause"), {"queue_name": "mine"})  # type: ignore[attr-defined]
        in_child(lambda: queuekit.queues.pause("the child's"))

    database.transact(work)

    assert [queue.name for queue in queuekit.queues.list()] == ["mine", "the child's"]


def session(database: Database) -> object:
    """What tells one connection from another on this database."""
    match database.dialect.name:
        case "postgresql":
            return ask("select pg_backend_pid()")[0][0]
        case "mysql":
            return ask("select connection_id()")[0][0]
        case _:
            return id(database._held()[0].connection), os.getpid()
