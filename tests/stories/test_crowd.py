"""Ten supervisors started at once, on a database that nobody has used before."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import CHECKOUT, Application, enqueue_all, environment, wait_until

CROWD = 10


@pytest.fixture
def application(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An application on a database without any table."""
    yield from make_application(tmp_path / "application", empty_url, monkeypatch)


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_ten_at_once_prepare_a_server_and_share_the_work(application: Application) -> None:
    preparing = [
        subprocess.Popen(
            [sys.executable, CHECKOUT / "bin" / "jobs", "prepare"],
            cwd=application.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(CROWD)
    ]
    for process in preparing:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed

    share_the_work(application)


@pytest.mark.databases("sqlite")
def test_ten_at_once_on_a_file_that_is_not_there_yet(application: Application) -> None:
    """SQLite is prepared by whoever comes first."""
    share_the_work(application)


def share_the_work(application: Application) -> None:
    application.configure(workers={"threads": 2})
    supervisors = []
    for _ in range(CROWD):
        application.launch()
        assert application.supervisor is not None
        supervisors.append(application.supervisor)
    wait_until(
        lambda: (
            Counter(process.kind for process in application.processes())
            == Counter(Supervisor=CROWD, Dispatcher=CROWD, Worker=CROWD)
        ),
        application,
        "everybody registers",
        patience=60,
    )
    assert_registered(application, Supervisor=CROWD, Dispatcher=CROWD, Worker=CROWD)

    receipts = enqueue_all([("jobs.note", (f"{number}",)) for number in range(1000)])
    receipts += enqueue_all([("jobs.note", (f"late {n}",)) for n in range(200)], wait=0.5)
    application.wait_until_jobs(finished=1200)

    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert len(application.ran()) == 1200
    assert_ended_once(receipts)
    for supervisor in supervisors:
        supervisor.terminate()
    for supervisor in supervisors:
        assert supervisor.wait(60) == 0
    assert_clean_termination(application)
