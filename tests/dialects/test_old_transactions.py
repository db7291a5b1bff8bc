"""An old transaction keeps the rows of what was claimed from being removed. Workers read past them
now and then, not in every turn; and what gets ready before them is found all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from queuekit.database import Database
from queuekit.executions import ready
from queuekit.executions.turn import START
from queuekit.processes.frontier import Frontier
from queuekit.processes.selector import QueueSelector
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, register, take, wait_until

#: As many were claimed; of this priority and in this queue, so before all others in every order.
GONE = 200_000
BEFORE = -10
QUEUE = "a queue"


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def frontier(database: Database, clock: Clock) -> Frontier:
    return Frontier(database, clock)


@contextmanager
def many_gone(database: Database) -> Iterator[None]:
    """Many were claimed, and somebody could still see them all."""
    connection = database.connect()
    if database.dialect.name == "mysql":
        connection.execute("set session transaction isolation level repeatable read", {})
        connection.execute("start transaction with consistent snapshot", {})
    elif database.dialect.name == "postgresql":
        connection.execute("begin isolation level repeatable read", {})
    else:
        connection.execute("begin", {})
    connection.execute("select count(*) from queuekit_ready_executions", {})
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at) "
        "with recursive small (n) as (select 0 union all select n + 1 from small where n < 999) "
        f"select 1000000 + a.n * 1000 + b.n, '{QUEUE}', {BEFORE}, process.created_at "
        "from small a cross join small b cross join queuekit_processes process "
        f"where a.n < {GONE // 1000}"
    )
    ask(f"delete from queuekit_ready_executions where priority = {BEFORE}")
    try:
        yield
    finally:
        connection.close()


def keeps_rows(database: Database) -> bool:
    """SQLite keeps old pages instead, where nobody has to read past them."""
    return database.dialect.name != "sqlite"


@pytest.mark.parametrize("queue", [None, QUEUE])
def test_turns_begin_past_what_an_old_transaction_keeps(
    database: Database, frontier: Frontier, queue: str | None
) -> None:
    worker = register()
    with many_gone(database):
        receipt = note.using(queue=QUEUE).enqueue()

        position = frontier.of(queue)

        assert frontier.is_far == keeps_rows(database)
        assert position == ((0, receipt.row_id - 1) if keeps_rows(database) else START)
        taken = take(worker, queue=queue, after=position)
        assert [job.row_id for job in taken.claimed] == [receipt.row_id]


def test_a_position_moves_on_with_what_is_claimed(database: Database, frontier: Frontier) -> None:
    worker = register()
    with many_gone(database):
        for number in range(3):
            note.enqueue(number)
        jobs = take(worker, limit=2, after=frontier.of(None)).claimed

        frontier.claimed(None, jobs)

        if keeps_rows(database):
            assert frontier.of(None) == (0, jobs[-1].row_id)
        assert len(take(worker, after=frontier.of(None)).claimed) == 1


def test_what_gets_ready_before_the_position_is_found_by_the_next_look(
    database: Database, frontier: Frontier, clock: Clock
) -> None:
    worker = register()
    with many_gone(database):
        note.enqueue()
        assert len(take(worker, after=frontier.of(None)).claimed) == 1
        late = note.using(priority=BEFORE - 1).enqueue()
        assert ready.any_waiting(database)
        assert ready.any_waiting(database, frontier.of_peek()) != keeps_rows(database)

        clock.now += 60

        assert ready.any_waiting(database, frontier.of_peek())
        taken = take(worker, after=frontier.of(None))
        assert [job.row_id for job in taken.claimed] == [late.row_id]


def test_with_nothing_ready_a_worker_looks_past_what_is_gone(
    database: Database, frontier: Frontier
) -> None:
    worker = register()
    note.enqueue()
    assert take(worker).claimed
    with many_gone(database):
        assert (frontier.of(None) > START) == keeps_rows(database)

        note.enqueue()

        assert ready.any_waiting(database, frontier.of_peek())


def test_it_looks_seldom(database: Database, frontier: Frontier, clock: Clock) -> None:
    register()
    with many_gone(database):
        before = frontier.of(None)
        first = note.enqueue()
        assert frontier.of(None) == before, "it did not look again at once"

        clock.now += 60

        assert frontier.of(None) == ((0, first.row_id - 1) if keeps_rows(database) else START)


def test_everything_is_as_before_when_the_transaction_has_ended(
    database: Database, frontier: Frontier, clock: Clock
) -> None:
    register()
    with many_gone(database):
        note.enqueue()
        frontier.of(None)
    if database.dialect.name == "postgresql":
        ask("vacuum queuekit_ready_executions")
    if database.dialect.name == "mysql":
        return  # nobody can tell it to purge now

    def looks_again() -> bool:
        clock.now += 60
        return frontier.of(None) == START and not frontier.is_far

    wait_until(looks_again)  # on a busy machine one look may take long even so


def test_where_the_search_is_short_turns_begin_at_the_start(
    database: Database, frontier: Frontier, clock: Clock
) -> None:
    worker = register()
    for number in range(3):
        note.using(priority=5).enqueue(number)
    frontier.claimed(None, take(worker, limit=2, after=frontier.of(None)).claimed)
    # On a busy machine, or while InnoDB purges what a test has left, it may be long even so.
    while frontier.is_far:
        clock.now += 60
        frontier.of(None)

    assert frontier.of(None) == START
    assert frontier.of_peek() == START
    late = note.enqueue()
    assert take(worker, limit=1, after=frontier.of(None)).claimed[0].row_id == late.row_id


def test_the_names_of_queues_are_remembered_where_they_take_long(database: Database) -> None:
    clock = Clock()
    selector = QueueSelector(["a*"], clock)
    register()
    with many_gone(database):
        note.using(queue="a b").enqueue()
        assert selector.choose(database, frozenset()) == ["a b"]
        note.using(queue="a c").enqueue()
        remembered = selector.choose(database, frozenset())

        clock.now += 60

        assert (remembered == ["a b"]) == keeps_rows(database)
        assert selector.choose(database, frozenset()) == ["a b", "a c"]
