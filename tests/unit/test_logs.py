"""The log's lines, word for word."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from queuekit import logs
from queuekit.errors import DatabaseUnavailableError, ProcessExitError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, Result

JOB = ClaimedJob(7, "some-id", 2, "mailers", "jobs.welcome", '{"args":[1],"kwargs":{}}', 0)
ERROR = DatabaseUnavailableError("no route")
ME = f"Worker(pid={os.getpid()}, hostname={socket.gethostname()}"

LINES: list[tuple[Callable[[], None], str, str]] = [
    (
        lambda: logs.process_started("Worker", {"queues": "*", "polling_interval": 0.1}),
        "INFO",
        f'Starting {ME}, metadata={{queues: "*", polling_interval: 0.1}})',
    ),
    (
        lambda: logs.process_stopping("Worker"),
        "INFO",
        f"Stopping {ME}): finishing the jobs that run",
    ),
    (lambda: logs.process_stopped("Worker", 0), "INFO", f"Stopped {ME})"),
    (
        lambda: logs.process_stopped("Worker", 2),
        "INFO",
        f"Stopped {ME}), 2 jobs released back to ready",
    ),
    (
        lambda: logs.supervisor_stopping(3, 5.0),
        "INFO",
        "Stopping 3 processes; after 5 s they are told to quit",
    ),
    (
        lambda: logs.supervisor_quitting(3),
        "INFO",
        "Quitting 3 processes at once: running jobs go back to ready",
    ),
    (
        lambda: logs.killing([1, 2]),
        "ERROR",
        "Killing processes that do not quit: 1, 2",
    ),
    (
        lambda: logs.child_died(9, "was killed by SIGKILL"),
        "ERROR",
        "Process 9 was killed by SIGKILL; replacing it",
    ),
    (
        lambda: logs.child_buried(9, ["a", "b"]),
        "ERROR",
        "Process 9 left 2 jobs, now failed: a, b",
    ),
    (
        lambda: logs.pruned("Worker", 9, "host", list("abcdefg")),
        "ERROR",
        "Pruned Worker(pid=9, hostname=host), silent for too long; its 7 jobs failed: "
        "a, b, c, d, e, ...",
    ),
    (
        lambda: logs.pruned("Worker", 9, "host", []),
        "ERROR",
        "Pruned Worker(pid=9, hostname=host), silent for too long",
    ),
    (
        lambda: logs.orphans_failed(["a"]),
        "ERROR",
        "Failed 1 jobs whose process is not registered any more: a",
    ),
    (
        lambda: logs.database_lost("Worker", ERROR),
        "ERROR",
        f"{ME}) waits for the database: no route",
    ),
    (
        lambda: logs.database_back("Worker", 1.26),
        "WARNING",
        f"{ME}) can use the database again, after 1.3 s",
    ),
    (
        lambda: logs.job_claimed(JOB),
        "DEBUG",
        "Performing jobs.welcome (some-id, attempt 2) from queue mailers",
    ),
    (
        lambda: logs.job_ended(JOB, Result(7, FINISHED)),
        "DEBUG",
        "Performed jobs.welcome (some-id, attempt 2) from queue mailers",
    ),
    (
        lambda: logs.job_ended(JOB, Result(7, FAILED, describe_error(ProcessExitError("gone")))),
        "ERROR",
        "Failed jobs.welcome (some-id, attempt 2) from queue mailers: "
        "queuekit.errors.ProcessExitError: gone",
    ),
    (
        lambda: logs.polled(None, 3, 5),
        "DEBUG",
        "Polled all queues: settled 3, claimed 5",
    ),
    (lambda: logs.dispatched(5), "DEBUG", "Dispatched 5 scheduled jobs"),
]


@pytest.mark.parametrize(("say", "level", "line"), LINES, ids=lambda part: str(part)[:50])
def test_lines(
    caplog: pytest.LogCaptureFixture, say: Callable[[], None], level: str, line: str
) -> None:
    with caplog.at_level(logging.DEBUG, "queuekit"):
        say()

    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("queuekit", level, line)


def test_a_burial_without_jobs_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logs.child_buried(9, [])

    assert not caplog.records


def test_a_line_stays_short_whatever_the_error_says(caplog: pytest.LogCaptureFixture) -> None:
    error = describe_error(ValueError("x" * 10_000))

    logs.job_ended(JOB, Result(7, FAILED, error))

    assert len(json.loads(error)["message"]) == 10_000
    assert len(caplog.messages[0]) < 400


def test_arguments_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "queuekit"):
        logs.job_claimed(ClaimedJob(7, "id", 1, "default", "jobs.login", '{"args":["secret"]}', 0))

    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("setting_up", "lines"),
    [
        ("", 1),
        ("logging.basicConfig(stream=sys.stderr, format='mine: %(message)s')", 1),
        ("logs.log_to_stderr()", 1),
    ],
)
def test_an_application_that_has_set_up_logging_keeps_it(setting_up: str, lines: int) -> None:
    code = (
        "import logging, sys\nfrom queuekit import logs\n"
        f"{setting_up}\nlogs.log_to_stderr()\nlogs.dispatched(1)\nlogs.supervisor_quitting(1)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)

    assert len(done.stderr.splitlines()) == lines
    assert ("mine: " in done.stderr) is ("mine: " in setting_up)
    assert ("[queuekit] " in done.stderr) is ("mine: " not in setting_up)
