"""Outages: the server is not there, not prepared, killed; no job is lost, or ends twice."""

from __future__ import annotations

import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from queuekit.database import prepare
from tests.clusters import Cluster
from tests.stories.conftest import make_application
from tests.stories.promises import (
    assert_clean_termination,
    assert_failed,
    assert_invariant,
    assert_registered,
)
from tests.stories.support import Application, enqueue_all, wait_until


@pytest.fixture
def application(
    killable_server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An application on a database of its own, on the server that the story ends and starts."""
    name = f"queuekit_{secrets.token_hex(6)}"
    url = killable_server.create_database(name)
    prepare(url)
    yield from make_application(tmp_path / "application", url, monkeypatch)
    killable_server.start()
    killable_server.drop_database(name)


def test_a_supervisor_waits_for_a_server_that_is_not_there_yet(
    application: Application, killable_server: Cluster
) -> None:
    application.enqueue("jobs.note", "enqueued before")
    killable_server.stop()
    application.launch()
    application.wait_until_printed("waits for the database: ")

    killable_server.start()

    application.wait_until_ran("enqueued before")
    assert application.printed().count("waits for the database") == 1
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_supervisor_that_waits_for_its_server_can_be_stopped(
    application: Application, killable_server: Cluster, number: signal.Signals
) -> None:
    killable_server.stop()
    application.launch()
    application.wait_until_printed("waits for the database: ")

    application.stop(number)

    killable_server.start()
    assert_clean_termination(application)


def test_every_job_ends_once_when_the_server_is_killed_under_them(
    application: Application, killable_server: Cluster
) -> None:
    application.configure(workers={"threads": 3, "processes": 2})
    application.start()
    enqueue_all([("jobs.wait", (f"{number}",)) for number in range(20)])
    wait_until(lambda: len(application.ran()) == 6, application, "six jobs run")

    killable_server.kill()
    application.open()
    wait_until(lambda: len(application.ran()) == 12, application, "the six jobs end")
    application.wait_until_printed("waits for the database: ", times=2)
    killable_server.start()

    application.wait_until_jobs(finished=20)
    assert Counter(application.ran()) == Counter(
        f"{number} {what}" for number in range(20) for what in ("began", "ended")
    )
    assert "can use the database again, after" in application.printed()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    application.stop()
    assert_clean_termination(application)


def test_every_job_ends_once_when_the_server_restarts_again_and_again(
    application: Application, killable_server: Cluster
) -> None:
    application.configure(workers={"threads": 5, "processes": 2}, dispatchers={"batch_size": 50})
    application.start()
    for batch in range(4):
        enqueue_all([("jobs.note", (f"{batch} {number}",)) for number in range(500)])
        enqueue_all([("jobs.note", (f"{batch} late {n}",)) for n in range(100)], wait=0.2)
        before = len(application.ran())
        wait_until(
            lambda before=before: len(application.ran()) > before,  # type: ignore[misc]
            application,
            "jobs run",
        )
        killable_server.restart()

    application.wait_until_jobs(finished=2400)
    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert len(application.ran()) == 2400
    application.stop()
    assert_clean_termination(application)


def test_stopping_without_a_server_loses_no_job(
    application: Application, killable_server: Cluster
) -> None:
    application.configure(process_heartbeat_interval=0.5, process_alive_threshold=4)
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")
    killable_server.kill()
    application.wait_until_printed("waits for the database: ")

    application.stop(signal.SIGQUIT)

    assert application.wait_for_end() == 1
    assert "Supervisor could not say goodbye to the database" in application.printed()
    wait_until(lambda: not application.alive(), application, "all processes end")
    killable_server.start()
    application.open()
    application.start()
    application.wait_until_jobs(failed=1)
    assert_failed(receipt, "queuekit.errors.ProcessPrunedError", "Worker ")
    assert_invariant()
    application.stop()
    assert_registered(application)


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_a_server_that_was_not_prepared_gets_one_line_that_says_what_to_run(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for application in make_application(tmp_path / "application", empty_url, monkeypatch):
        application.launch()

        assert application.wait_for_end() == 1
        (line,) = application.printed().splitlines()
        assert "run bin/jobs prepare" in line

        application.run("prepare")
        application.start()
        application.enqueue("jobs.note", "prepared")
        application.wait_until_ran("prepared")
        application.stop()
        assert_clean_termination(application)


@pytest.mark.databases("sqlite")
def test_sqlite_prepares_itself(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for application in make_application(tmp_path / "application", empty_url, monkeypatch):
        application.python("import jobs; jobs.note.enqueue('prepared')")
        application.start()
        application.wait_until_ran("prepared")
        application.stop()
        assert_clean_termination(application)


def test_what_a_lost_server_means_for_enqueueing_has_a_name(
    application: Application, killable_server: Cluster
) -> None:
    application.enqueue("jobs.note", "before")
    killable_server.stop()

    with pytest.raises(queuekit.EnqueueError) as raised:
        application.enqueue("jobs.note", "lost")
    assert isinstance(raised.value.__cause__, queuekit.DatabaseUnavailableError)

    killable_server.start()
    application.enqueue("jobs.note", "after")
    assert_invariant()
    assert application.jobs() == {"ready": 2}
