"""The log's lines, word for word, in both formats."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from queuekit import events, logs
from queuekit.events import Event
from queuekit.executions.errors import describe_error
from tests.naming import case_name

ME = f"pid={os.getpid()}, hostname={socket.gethostname()}"
JOB: dict[str, Any] = {"job_id": "some-id", "class_name": "jobs.welcome"}
ENDED: dict[str, Any] = {**JOB, "queue": "mailers", "attempt": 2, "duration": 0.0123}
BURIED: dict[str, Any] = {"kind": "Worker", "process": 9, "hostname": "web2", "reason": "it died"}
NOTHING: dict[str, Any] = {"failed": (), "retried": (), "released": ()}

LINES: list[tuple[Event, str, str]] = [
    (
        events.ProcessStarted(kind="Worker", metadata={"queues": "*", "polling_interval": 0.1}),
        "INFO",
        f'Starting Worker({ME}, metadata={{queues: "*", polling_interval: 0.1}})',
    ),
    (
        events.ProcessStopping(kind="Worker", reason="finishing the jobs that run"),
        "INFO",
        "Stopping Worker: finishing the jobs that run",
    ),
    (
        events.ProcessStopped(kind="Worker", released=0, uptime=61.4),
        "INFO",
        "Stopped Worker after 61 s",
    ),
    (
        events.ProcessStopped(kind="Worker", released=1, uptime=61.6),
        "INFO",
        "Stopped Worker after 62 s; 1 job released back to ready",
    ),
    (
        events.ProcessLeftClaims(kind="Worker", error="no route"),
        "ERROR",
        "Worker could not say goodbye to the database: no route; its row stays there, with what it "
        "had claimed, until others find it dead",
    ),
    (
        events.ProcessWasPruned(kind="Worker", consequence="2 results change nothing"),
        "ERROR",
        "Worker was taken for dead and pruned: 2 results change nothing",
    ),
    (
        events.SupervisorStopping(children=3, at_once=False, timeout=5.0),
        "INFO",
        "Stopping 3 processes; after 5 s they are told to quit",
    ),
    (
        events.SupervisorStopping(children=1, at_once=True, timeout=5.0),
        "INFO",
        "Quitting 1 process at once: running jobs go back to ready",
    ),
    (events.ChildForked(child=9, kind="Worker"), "DEBUG", "Forked Worker 9"),
    (
        events.ChildExited(child=9, how="was killed by SIGKILL", lived=3.14, expected=False),
        "ERROR",
        "Process 9 was killed by SIGKILL after 3.1 s; replacing it",
    ),
    (
        events.ChildExited(child=9, how="exited with status 0", lived=3.14, expected=True),
        "INFO",
        "Process 9 exited with status 0 after 3.1 s",
    ),
    (
        events.ChildKilled(child=9, reason="does not quit"),
        "ERROR",
        "Killing process 9, which does not quit",
    ),
    (
        events.ProcessBuried(**BURIED, **NOTHING),
        "WARNING",
        "Buried Worker 9 on web2: it died; it had claimed nothing",
    ),
    (
        events.ProcessBuried(**BURIED, **{**NOTHING, "retried": ("a", "b")}),
        "WARNING",
        "Buried Worker 9 on web2: it died; retried 2 jobs: a, b",
    ),
    (
        events.ProcessBuried(**BURIED, failed=tuple("abcdef"), retried=("g",), released=("h",)),
        "ERROR",
        "Buried Worker 9 on web2: it died; failed 6 jobs: a, b, c, d, e, ...; retried 1 job: g; "
        "released 1 job: h",
    ),
    (
        events.Reloaded(problems=()),
        "INFO",
        "Reloaded the configuration; replacing the processes one by one",
    ),
    (
        events.Reloaded(problems=("a: no", "b: no")),
        "ERROR",
        "Keeping the old configuration: a: no; b: no",
    ),
    (
        events.HintsUnavailable(database="postgresql://pooler/app"),
        "INFO",
        "No hints of new jobs come through the pooler at postgresql://pooler/app: polling",
    ),
    (
        events.DatabaseLost(who="Worker", error="no route\n\tis it running?"),
        "ERROR",
        "Worker waits for the database: no route is it running?",
    ),
    (
        events.DatabaseBack(who="Worker", duration=1.26),
        "WARNING",
        "Worker can use the database again, after 1.3 s",
    ),
    (
        events.DatabaseGivenUp(who="Worker", error="no\nsuch password", duration=300.04),
        "ERROR",
        "Worker gives the database up, after 300.0 s: no such password",
    ),
    (
        events.ErrorOccurred(where="the hook warm_up", error=ValueError("no\nroom")),
        "ERROR",
        "An error in the hook warm_up: ValueError: no room",
    ),
    (events.JobsEnqueued(count=5, duration=0.0123), "DEBUG", "Enqueued 5 jobs in 12.3 ms"),
    (events.JobsDispatched(count=1, duration=0.0123), "DEBUG", "Dispatched 1 job in 12.3 ms"),
    (
        events.JobsUnblocked(count=2, duration=0.0123),
        "WARNING",
        "Unblocked 2 jobs in 12.3 ms: their slots had expired",
    ),
    (events.JobsThrottled(count=2, duration=0.0123), "DEBUG", "Throttled 2 jobs in 12.3 ms"),
    (events.JobsHandedBack(count=2), "DEBUG", "Handed back 2 jobs: claimed, not begun"),
    (
        events.RecurringTasksEnqueued(count=1, made_up=0, duration=0.0123),
        "DEBUG",
        "Enqueued 1 run of a recurring task in 12.3 ms",
    ),
    (
        events.RecurringTasksEnqueued(count=5, made_up=2, duration=0.0123),
        "INFO",
        "Enqueued 5 runs of recurring tasks in 12.3 ms, 2 of them late: no scheduler was alive",
    ),
    (
        events.RecurringRunsMissed(skipped=("a",), cut=(), kept=1000),
        "INFO",
        "Skipped what 1 recurring task missed: a",
    ),
    (
        events.RecurringRunsMissed(skipped=tuple("abcdef"), cut=("g", "h"), kept=1000),
        "WARNING",
        "Skipped what 6 recurring tasks missed: a, b, c, d, e, ...; "
        "Gave up all but the last 1000 runs that 2 recurring tasks missed: g, h",
    ),
    (
        events.TurnTaken(queue=None, settled=3, failed=1, claimed=5, duration=0.0123),
        "DEBUG",
        "Polled all queues: settled 3, claimed 5 in 12.3 ms",
    ),
    (
        events.TurnTaken(queue="mailers", settled=0, failed=0, claimed=1, duration=0.0123),
        "DEBUG",
        "Polled mailers: settled 0, claimed 1 in 12.3 ms",
    ),
    (
        events.ResultsDropped(count=2),
        "ERROR",
        "Dropped 2 results: not claimed by this process any more",
    ),
    (
        events.JobEnded(**ENDED, outcome="finished", error=None),
        "DEBUG",
        "Performed jobs.welcome (some-id, attempt 2) in 12.3 ms",
    ),
    (
        events.JobEnded(**ENDED, outcome="retried", error=None),
        "DEBUG",
        "Performed jobs.welcome (some-id, attempt 2) in 12.3 ms, to be retried",
    ),
    (
        events.JobEnded(**ENDED, outcome="finished", error=describe_error(ValueError("too late"))),
        "ERROR",
        "Performed jobs.welcome (some-id, attempt 2), which had completed itself before it raised "
        "ValueError: too late",
    ),
    (
        events.JobEnded(**ENDED, outcome="failed", error=describe_error(ValueError("no\r\nroom"))),
        "ERROR",
        "Failed jobs.welcome (some-id, attempt 2) after 12.3 ms: ValueError: no room",
    ),
    (
        events.JobEnded(**ENDED, outcome="retried", error=describe_error(ValueError("busy"))),
        "INFO",
        "Failed jobs.welcome (some-id, attempt 2) after 12.3 ms, to be retried: ValueError: busy",
    ),
    (
        events.JobEnded(**ENDED, outcome="discarded", error=describe_error(ValueError("gone"))),
        "ERROR",
        "Discarded jobs.welcome (some-id, attempt 2) after 12.3 ms: ValueError: gone",
    ),
    (
        events.JobTimedOut(**JOB, timeout=2.5, stuck=False),
        "ERROR",
        "jobs.welcome (some-id) ran longer than 2.5 s and is told to end",
    ),
    (
        events.JobTimedOut(**JOB, timeout=2.5, stuck=True),
        "ERROR",
        "jobs.welcome (some-id) ran longer than 2.5 s and does not end: this process leaves, and "
        "is replaced",
    ),
    (
        events.JobTimedOut(**JOB, timeout=2.5, stuck=True, keeps_thread=True),
        "ERROR",
        "jobs.welcome (some-id) ran longer than 2.5 s and does not end: it keeps its thread until "
        "it does",
    ),
    (events.JobsRetried(count=2), "INFO", "Retried 2 jobs by hand"),
    (events.JobsDiscarded(count=1), "INFO", "Discarded 1 job by hand"),
    (events.JobsCleared(count=0), "INFO", "Cleared 0 finished jobs"),
    (
        events.SlotReleased(job_id="j", concurrency_key="exports/7", ready=1),
        "INFO",
        "Released the slot of job j of exports/7 by hand: 1 job came in",
    ),
    (events.QueuePaused(queue="mailers"), "INFO", "Paused queue mailers"),
    (events.QueueResumed(queue="mailers"), "INFO", "Resumed queue mailers"),
]


def kinds_of_events() -> set[type[Event]]:
    return {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }


# The lines


def test_every_kind_of_event_has_its_line_and_its_test() -> None:
    assert {type(event) for event, _, _ in LINES} == kinds_of_events()
    assert set(logs._LINES) == kinds_of_events()


@pytest.mark.parametrize(("event", "level", "line"), LINES, ids=lambda part: case_name(part, 50))
def test_lines(caplog: pytest.LogCaptureFixture, event: Event, level: str, line: str) -> None:
    with caplog.at_level(logging.DEBUG, "queuekit"):
        events.emit(event)

    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("queuekit", level, line)


def test_a_level_that_is_not_wanted_costs_no_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "queuekit"):
        events.emit(events.JobsEnqueued(count=1, duration=0.0))
        # Its words could not even be made.
        events.emit(events.ProcessStopped(kind="Worker", released=0, uptime=None))  # type: ignore[arg-type]

    assert caplog.records == []


@pytest.mark.parametrize("message", ["x" * 10_000, "\n" * 10_000, "\u2028x" * 5_000])
def test_a_failed_jobs_line_stays_one_short_line(
    caplog: pytest.LogCaptureFixture, message: str
) -> None:
    error = describe_error(ValueError(message))

    events.emit(events.JobEnded(**ENDED, outcome="failed", error=error))

    assert len(caplog.messages[0]) < 400
    assert len(caplog.messages[0].splitlines()) == 1


def test_no_event_has_arguments_to_log() -> None:
    fields = {name for kind in kinds_of_events() for name in kind.__slots__}

    assert fields
    assert [name for name in fields if "arg" in name] == []


@pytest.mark.parametrize(
    ("queue", "shown"),
    [
        ("a\nb\r\n\n c", "a b  c"),
        ("a\x1b[2Jb\0\x7f", r"a\x1b[2Jb\x00\x7f"),
        ("a\u2028b \u202ec \ud800", r"a b \u202ec \ud800"),
        (
            "n\u00b0\u00a05, \N{SNOWMAN}\N{PILE OF POO}",
            "n\u00b0\u00a05, \N{SNOWMAN}\N{PILE OF POO}",
        ),
    ],
)
def test_a_line_is_one_line_and_does_nothing_to_a_terminal(
    caplog: pytest.LogCaptureFixture, queue: str, shown: str
) -> None:
    assert record(events.QueuePaused(queue=queue), caplog).message == f"Paused queue {shown}"


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_without_words_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    line = as_json(events.ErrorOccurred(where="a hook", error=UnspeakableError()), caplog)

    assert line["message"] == (
        "An error in a hook: UnspeakableError: <no message: its str() raised RuntimeError>"
    )
    assert line["error"] == "<no message: its str() raised RuntimeError>"


def test_an_error_of_queuekits_own_comes_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise ValueError("no room")
    except ValueError as error:
        events.emit(events.ErrorOccurred(where="the hook warm_up", error=error))

    assert "in test_an_error_of_queuekits_own_comes_with_its_traceback" in caplog.text


# The formats


@pytest.fixture
def worker() -> Iterator[None]:
    """This process is a worker, for its lines."""
    before = logs.process_kind()
    logs.set_process_kind("Worker")
    yield
    logs.set_process_kind(before)


def record(event: Event, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    with caplog.at_level(logging.DEBUG, "queuekit"):
        events.emit(event)
    return caplog.records[-1]


def as_json(event: Event, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    text = logs._JSONFormatter().format(record(event, caplog))
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


@pytest.mark.usefixtures("worker")
def test_a_line_of_text_says_when_and_which_process(caplog: pytest.LogCaptureFixture) -> None:
    line = logs._TextFormatter().format(record(events.QueuePaused(queue="mail"), caplog))

    time, _, rest = line.partition(" [queuekit] ")
    assert len(time) == len("2026-03-01 12:00:00,123")
    assert rest == f"[Worker {os.getpid()}] Paused queue mail"


@pytest.mark.usefixtures("worker")
def test_a_line_of_json_says_more(caplog: pytest.LogCaptureFixture) -> None:
    event = events.JobEnded(**ENDED, outcome="finished", error=None)
    line = as_json(event, caplog)

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "debug",
        "process": "Worker",
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "message": "Performed jobs.welcome (some-id, attempt 2) in 12.3 ms",
        "event": "JobEnded",
        "job_id": "some-id",
        "class_name": "jobs.welcome",
        "queue": "mailers",
        "attempt": 2,
        "outcome": "finished",
        "duration": 0.0123,
    }


@pytest.mark.parametrize(
    "event", [event for event, _, _ in LINES], ids=lambda event: case_name(event, 50)
)
def test_every_event_is_a_line_of_json_with_all_it_knows(
    caplog: pytest.LogCaptureFixture, event: Event
) -> None:
    line = as_json(event, caplog)

    said = [json.dumps(value, default=str) for value in line.values()]
    for name in type(event).__slots__:
        value = getattr(event, name)
        assert value is None or json.dumps(value, default=str) in said


@pytest.mark.usefixtures("worker")
def test_the_process_that_an_event_is_about_is_not_the_one_that_says_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = as_json(events.ProcessBuried(**BURIED, **NOTHING), caplog)

    assert (line["process"], line["hostname"]) == ("Worker", socket.gethostname())
    assert (line["event_process"], line["event_hostname"]) == (9, "web2")


def test_a_traceback_is_part_of_the_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("no room")
    except ValueError as error:
        line = as_json(events.ErrorOccurred(where="a hook", error=error), caplog)

    assert line["error"] == "no room"
    assert line["traceback"].startswith("Traceback (most recent call last):\n")


@pytest.mark.usefixtures("worker")
def test_a_thread_can_be_of_a_kind_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """As in the mode async, where the roles are threads."""
    lines = []

    def dispatch() -> None:
        logs.set_thread_kind("Dispatcher")
        lines.append(as_json(events.QueuePaused(queue="mail"), caplog)["process"])

    thread = threading.Thread(target=dispatch)
    thread.start()
    thread.join()

    lines.append(as_json(events.QueuePaused(queue="mail"), caplog)["process"])
    assert lines == ["Dispatcher", "Worker"]


def test_lines_of_others_can_be_json_too() -> None:
    other = logging.LogRecord("queuekit", logging.INFO, "f.py", 1, "by %s", ("hand",), None)

    assert json.loads(logs._JSONFormatter().format(other))["message"] == "by hand"


# Setting up


@pytest.mark.parametrize(
    ("setting_up", "lines"),
    [
        ("", 1),
        ("logging.basicConfig(stream=sys.stderr, format='mine: %(message)s')", 1),
        ("logs.log_to_stderr()", 1),
    ],
)
def test_an_application_that_has_set_up_logging_keeps_it(setting_up: str, lines: int) -> None:
    printed = printed_by(f"{setting_up}\nlogs.log_to_stderr()")

    assert len(printed) == lines
    assert ("mine: " in printed[0]) is ("mine: " in setting_up)
    assert ("[queuekit] " in printed[0]) is ("mine: " not in setting_up)


def test_the_level_and_the_format_can_be_chosen() -> None:
    first, second = printed_by("logs.log_to_stderr(logging.DEBUG, 'json')")

    assert json.loads(first)["event"] == "JobsEnqueued"
    assert json.loads(second)["level"] == "info"


def printed_by(setting_up: str) -> list[str]:
    """What a process prints to standard error: a line of debug is emitted, and one of info."""
    code = (
        f"import logging, sys\nfrom queuekit import events, logs\n{setting_up}\n"
        "events.emit(events.JobsEnqueued(count=1, duration=0.0))\n"
        "events.emit(events.QueuePaused(queue='mail'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    return done.stderr.splitlines()
