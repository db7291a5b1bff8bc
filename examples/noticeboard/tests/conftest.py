"""What the tests work with: a board in a transaction that is taken back, jobs, another server.

`jobs` keeps what is enqueued in memory, which is enough for most; `queued_jobs` has it in the real
tables, in the test's transaction.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from noticeboard import board, database
from noticeboard.accounts import Account, Current

from queuekit.database import prepare
from queuekit.testing import Jobs, in_memory, on_connection


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no rows."""
    path = tmp_path_factory.mktemp("storage") / "noticeboard.sqlite3"
    prepare(f"sqlite:///{path}")
    with closing(database.connect(path)) as connection:
        connection.executescript(database.SCHEMA)
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """All that the test writes is written here, and taken back after it."""
    with closing(database.connect(path)) as connection:
        connection.execute("begin immediate")
        with database.using(connection):
            yield connection


@pytest.fixture
def jobs(connection: sqlite3.Connection) -> Iterator[Jobs]:
    with in_memory() as jobs:
        yield jobs


@pytest.fixture
def queued_jobs(connection: sqlite3.Connection) -> Iterator[Jobs]:
    with on_connection(connection) as jobs:
        yield jobs


@pytest.fixture
def account(connection: sqlite3.Connection) -> Iterator[Account]:
    """The account that the test acts for."""
    account = board.open_account("Tea House", "ada@example.org", "grace@example.org")
    with Current.acting_for(account):
        yield account


class OtherServer(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, with 200 when there are no more."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.answers: list[int] = []
        self.told: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: OtherServer

    def do_POST(self) -> None:
        self.server.told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Said in `told`."""


@pytest.fixture
def server() -> Iterator[OtherServer]:
    with OtherServer() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
