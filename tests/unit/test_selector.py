"""Which queues a worker asks, in which order; on every database, since it asks one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database
from queuekit.processes.selector import QueueSelector


@queuekit.job
def nothing() -> None: ...


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """With ready jobs in some queues."""
    for name in ("_configuration", "_database"):
        monkeypatch.setattr(application, name, None)
    queuekit.configure(database_url=database_url)
    for queue in ("mail_b", "default", "mail_a", "mail", "mailbox", "B", "b"):
        nothing.using(queue=queue).enqueue()
    yield application.database()
    application.database().disconnect()


@pytest.mark.parametrize(
    ("queues", "paused", "chosen"),
    [
        (["*"], [], [None]),
        (["default", "*"], [], [None]),
        (["one", "default"], [], ["one", "default"]),
        (["one", "default"], ["default"], ["one", "default"]),
        (["mail_*"], [], ["mail_a", "mail_b"]),
        (["mail*"], [], ["mail", "mail_a", "mail_b", "mailbox"]),
        (["mail_b", "default", "mail_*"], [], ["mail_b", "default", "mail_a"]),
        (["mail_*", "mail_b"], [], ["mail_a", "mail_b"]),
        (["mail_*"], ["mail_a"], ["mail_b"]),
        (["b*"], [], ["b"]),
        (["B*"], [], ["B"]),
        (["*"], ["nobody"], ["B", "b", "default", "mail", "mail_a", "mail_b", "mailbox"]),
        (["*"], ["mail", "b"], ["B", "default", "mail_a", "mail_b", "mailbox"]),
        (["default", "*"], ["mail"], ["default", "B", "b", "mail_a", "mail_b", "mailbox"]),
        (["%*"], [], ["%*"]),
        (["mai_*"], [], ["mai_*"]),
    ],
)
def test_queues_are_asked_in_order_each_once(
    database: Database, queues: list[str], paused: list[str], chosen: list[str | None]
) -> None:
    assert QueueSelector(queues).choose(database, frozenset(paused)) == chosen
