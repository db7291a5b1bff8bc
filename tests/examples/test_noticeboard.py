"""examples/noticeboard: its own tests, as its users run them, and its README's two minutes."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

import queuekit
from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination
from tests.stories.support import CHECKOUT, PATIENCE, Application, wait_until

EXAMPLE = CHECKOUT / "examples" / "noticeboard"
DATABASE = "storage/noticeboard.sqlite3"

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def board(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """The example, copied into a folder of its own."""
    for application in make_application(tmp_path / "board", database_url, monkeypatch):
        shutil.rmtree(application.folder)
        shutil.copytree(EXAMPLE, application.folder, ignore=shutil.ignore_patterns("storage"))
        application.log.touch()
        queuekit.configure(database_url=f"sqlite:///{application.folder / DATABASE}")
        yield application


def test_its_own_tests_pass(board: Application) -> None:
    """The ini file is none: what they need, they bring along."""
    said = board.execute(
        sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", "tests"
    )

    assert " passed" in said
    assert "skipped" not in said
    assert not (board.folder / "storage").exists()


def test_the_two_minutes_of_its_readme(board: Application) -> None:
    with AnsweringServer() as server:
        board.run("prepare")
        for command in (
            ["setup"],
            ["subscribe", server.url],
            ["post", "Tea at four", "tea"],
        ):
            board.execute(sys.executable, "-m", "noticeboard", *command)

        board.start()
        board.wait_until_jobs(finished=3)
        assert server.wait_until_told() == b'{"notice": "Tea at four"}'

    with closing(sqlite3.connect(board.folder / DATABASE, timeout=PATIENCE)) as connection:
        connection.execute("update bundles set due_at = 0")
        connection.commit()
    board.run("enqueue", "noticeboard.jobs.DeliverBundles")
    board.run("enqueue", "noticeboard.jobs.DeleteUnusedTags")
    wait_until(lambda: board.jobs() == {"finished": 7}, board, "the mails are written")

    shown = board.execute(sys.executable, "-m", "noticeboard", "show")
    assert "ada@example.org New at Tea House Tea at four" in shown
    assert "1 1 1 completed None" in shown
    board.stop()
    assert_clean_termination(board)


class AnsweringServer(HTTPServer):
    """Answers one request with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.told = b""
        self._thread = Thread(target=self.handle_request)
        self.timeout = PATIENCE
        self._thread.start()

    def wait_until_told(self) -> bytes:
        self._thread.join()
        return self.told


class _Answer(BaseHTTPRequestHandler):
    server: AnsweringServer

    def do_POST(self) -> None:
        self.server.told = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Said in `told`."""
