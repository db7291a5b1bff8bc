"""Connections that break while jobs are claimed ahead and handed back: each job runs once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

import queuekit
from queuekit import DatabaseError, application, events
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.events import Event
from queuekit.processes import pool, starting
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker
from tests.database.test_losses import end_all_connections
from tests.dialects.gated_jobs import alone_for, begun, gently_for, say_for
from tests.dialects.support import counts, misplaced, register, wait_until
from tests.servers import Server

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")

#: With less patience more is handed back.
IMPATIENCE = 0.01


def test_each_job_runs_once_whatever_breaks_while_it_is_handed_back(
    server: Server, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MOST_SECONDS", IMPATIENCE)
    monkeypatch.setattr(starting, "MOST_SECONDS", IMPATIENCE)
    begun.clear()
    handed_back: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, events.JobsHandedBack):
            handed_back.append(event.count)

    events.subscribe(note)
    chance = Random(7)
    jobs = [
        chance.choice([say_for, say_for, say_for, alone_for, gently_for]).bind(
            number, 0.0 if chance.random() < 0.95 else 0.03
        )
        for number in range(1500)
    ]
    queuekit.enqueue_all(jobs)

    crew = [Hand() for _ in range(3)]
    while counts() != {"finished": len(jobs)} and all(hand.is_alive() for hand in crew):
        break_connections(server, database_url)
        time.sleep(chance.uniform(0, 0.1))
    for hand in crew:
        hand.stop()
    events.unsubscribe(note)

    assert counts() == {"finished": len(jobs)}
    assert Counter(begun) == Counter(range(len(jobs)))
    assert misplaced() == []
    assert handed_back


def break_connections(server: Server, url: str) -> None:
    """One that ends by itself meanwhile is no matter."""
    try:
        end_all_connections(server, url)
    except Exception as error:
        assert "Unknown thread id" in str(error)


class Hand(threading.Thread):
    """A worker, polled by a thread of its own, which has found its jobs to be short."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._is_over = False
        self.start()

    def run(self) -> None:
        configuration = Configuration(
            database_url=application.configuration().database_url, process_heartbeat_interval=0.2
        )
        settings = WorkerSettings(threads=2, prefetch_limit=50)
        wakeup, scoreboard = Wakeup(), Scoreboard(settings.claims)
        worker = Worker(settings, configuration, application.database(), wakeup, scoreboard)
        worker.start(self._register())
        while not (self._is_over and worker.is_done):
            worker._pool.note_turn(0.01)
            worker._pool._prefetch._job = 0.0001
            with suppress(DatabaseError):
                wakeup.wait(min(worker.poll(), 0.02))
            if self._is_over:
                worker.stop()
        worker.close()
        wait_until(lambda: not worker.runs_jobs)

    def _register(self) -> int:
        while True:
            with suppress(DatabaseError):
                return register()

    def stop(self) -> None:
        self._is_over = True
        self.join()
