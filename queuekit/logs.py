"""The wording of every log line, and nothing else. Lines go to the logger `queuekit`.

A subscriber of events: each kind of event has its level and its words in one table. Levels: info
for processes, warning for what somebody may want to look at, error for what somebody should, debug
for each single job and turn.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

from queuekit import events

Format = Literal["text", "json"]

logger = logging.getLogger("queuekit")


def log_to_stderr(level: int = logging.INFO, log_format: Format = "text") -> None:
    """Send queuekit's lines to standard error, unless the application has set up logging."""
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(_JSONFormatter() if log_format == "json" else _TextFormatter())
        logger.addHandler(handler)
    logger.setLevel(level)


@events.subscribe
def log(event: events.Event) -> None:
    """Write the line of an event, if its level is wanted."""
    level, words = _LINES[type(event)]
    if callable(level):
        level = level(event)
    if logger.isEnabledFor(level):
        lines = words(event).splitlines()  # drivers have several for one error
        line = _harmless(" ".join(text.strip() for text in lines))
        error = event.error if isinstance(event, events.ErrorOccurred) else None
        logger.log(level, "%s", line, exc_info=error, extra={"event": event})


events.pass_over(log, events.JobEnded, lambda: not logger.isEnabledFor(logging.DEBUG))

_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def _harmless(line: str) -> str:
    """Without what moves a terminal's cursor or cannot be encoded: names and errors have it in."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


class _TextFormatter(logging.Formatter):
    """2026-03-01 12:00:00,123 [queuekit] [Worker 4711] words"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s [queuekit] [%(processName)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.processName = f"{process_kind()} {record.process}"
        return super().format(record)


class _JSONFormatter(logging.Formatter):
    """One object a line: time, level, process kind and pid, message, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "process": process_kind(),
            "pid": record.process,
            "hostname": socket.gethostname(),
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if event is not None:
            line["event"] = type(event).__name__
            for name, value in _fields(event).items():
                if line.setdefault(name, value) != value:
                    line[f"event_{name}"] = value  # of the process that it is about
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=_text)


_kind = "Process"
_thread = threading.local()


def process_kind() -> str:
    """What this process is, for its lines: Supervisor, Worker ... or this thread, if it is one."""
    kind: str = getattr(_thread, "kind", _kind)
    return kind


def set_process_kind(kind: str) -> None:
    global _kind
    _kind = kind


def set_thread_kind(kind: str) -> None:
    """Of this thread only: with the mode async, one process is of several kinds."""
    _thread.kind = kind


def _fields(event: events.Event) -> Mapping[str, Any]:
    return {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in fields(event)
        if (value := getattr(event, field.name)) is not None
    }


# The lines


def _started(event: events.ProcessStarted) -> str:
    details = ", ".join(f"{key}: {json.dumps(value)}" for key, value in event.metadata.items())
    process = f"pid={event.pid}, hostname={socket.gethostname()}"
    return f"Starting {event.kind}({process}, metadata={{{details}}})"


def _stopped(event: events.ProcessStopped) -> str:
    released = f"; {_count(event.released, 'job')} released back to ready" if event.released else ""
    return f"Stopped {event.kind} after {event.uptime:.0f} s{released}"


def _supervisor_stopping(event: events.SupervisorStopping) -> str:
    children = _count(event.children, "process", "processes")
    if event.at_once:
        return f"Quitting {children} at once: running jobs go back to ready"
    return f"Stopping {children}; after {event.timeout:g} s they are told to quit"


def _child_exited(event: events.ChildExited) -> str:
    after = f"after {event.lived:.1f} s"
    if event.expected:
        return f"Process {event.child} {event.how} {after}"
    return f"Process {event.child} {event.how} {after}; replacing it"


def _buried(event: events.ProcessBuried) -> str:
    ends = [
        f"{what} {_count(len(job_ids), 'job')}: {_some(job_ids)}"
        for what, job_ids in (
            ("failed", event.failed),
            ("retried", event.retried),
            ("released", event.released),
        )
        if job_ids
    ]
    what = "; ".join(ends) or "it had claimed nothing"
    return f"Buried {event.kind} {event.process} on {event.hostname}: {event.reason}; {what}"


def _buried_level(event: events.ProcessBuried) -> int:
    return logging.ERROR if event.failed else logging.WARNING


def _reloaded(event: events.Reloaded) -> str:
    if event.problems:
        return f"Keeping the old configuration: {'; '.join(event.problems)}"
    return "Reloaded the configuration; replacing the processes one by one"


def _turn(event: events.TurnTaken) -> str:
    queue = event.queue or "all queues"
    return (
        f"Polled {queue}: settled {event.settled}, claimed {event.claimed} "
        f"in {event.duration * 1000:.1f} ms"
    )


def _job_ended(event: events.JobEnded) -> str:
    job = _job(event.class_name, event.job_id, event.attempt)
    again = ", to be retried" if event.outcome == "retried" else ""
    if event.error is None:
        return f"Performed {job} in {event.duration * 1000:.1f} ms{again}"
    stored = json.loads(event.error)
    message = f"{stored['exception_class']}: {stored['message']}".strip()
    if event.outcome == "finished":  # by context.complete(): nothing can change that
        return f"Performed {job}, which had completed itself before it raised {message[:300]}"
    verb = "Discarded" if event.outcome == "discarded" else "Failed"
    return f"{verb} {job} after {event.duration * 1000:.1f} ms{again}: {message[:300]}"


def _job_ended_level(event: events.JobEnded) -> int:
    """As Active Job: what a policy will try again is no error yet."""
    if event.error is None:
        return logging.DEBUG
    return logging.INFO if event.outcome == "retried" else logging.ERROR


def _job_timed_out(event: events.JobTimedOut) -> str:
    what = f"{event.class_name} ({event.job_id}) ran longer than {event.timeout:g} s"
    if event.stuck and event.keeps_thread:
        return f"{what} and does not end: it keeps its thread until it does"
    if event.stuck:
        return f"{what} and does not end: this process leaves, and is replaced"
    return f"{what} and is told to end"


def _recurring_enqueued(event: events.RecurringTasksEnqueued) -> str:
    late = f", {event.made_up} of them late: no scheduler was alive" if event.made_up else ""
    runs = _count(event.count, "run of a recurring task", "runs of recurring tasks")
    return f"Enqueued {runs} in {event.duration * 1000:.1f} ms{late}"


def _recurring_missed(event: events.RecurringRunsMissed) -> str:
    ends = []
    if event.skipped:
        tasks = _count(len(event.skipped), "recurring task")
        ends.append(f"Skipped what {tasks} missed: {_some(event.skipped)}")
    if event.cut:
        tasks = _count(len(event.cut), "recurring task")
        ends.append(
            f"Gave up all but the last {event.kept} runs that {tasks} missed: {_some(event.cut)}"
        )
    return "; ".join(ends)


def _job(class_name: str, job_id: str, attempt: int) -> str:
    return f"{class_name} ({job_id}, attempt {attempt})"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # of an application's own class: it may do anything
        return f"<no message: its str() raised {type(error).__name__}>"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(ids: Sequence[str]) -> str:
    """The first few ids or keys: a line must not grow with their number."""
    shown = ", ".join(ids[:5])
    return f"{shown}, ..." if len(ids) > 5 else shown


_Level = int | Callable[[Any], int]

_LINES: dict[type[events.Event], tuple[_Level, Callable[[Any], str]]] = {
    events.ProcessStarted: (logging.INFO, _started),
    events.ProcessStopping: (logging.INFO, lambda e: f"Stopping {e.kind}: {e.reason}"),
    events.ProcessStopped: (logging.INFO, _stopped),
    events.ProcessLeftClaims: (
        logging.ERROR,
        lambda e: (
            f"{e.kind} could not say goodbye to the database: {e.error}; its row stays there, with "
            "what it had claimed, until others find it dead"
        ),
    ),
    events.ProcessWasPruned: (
        logging.ERROR,
        lambda e: f"{e.kind} was taken for dead and pruned: {e.consequence}",
    ),
    events.SupervisorStopping: (logging.INFO, _supervisor_stopping),
    events.ChildForked: (logging.DEBUG, lambda e: f"Forked {e.kind} {e.child}"),
    events.ChildExited: (
        lambda e: logging.INFO if e.expected else logging.ERROR,
        _child_exited,
    ),
    events.ChildKilled: (
        logging.ERROR,
        lambda e: f"Killing process {e.child}, which {e.reason}",
    ),
    events.ProcessBuried: (_buried_level, _buried),
    events.Reloaded: (
        lambda e: logging.ERROR if e.problems else logging.INFO,
        _reloaded,
    ),
    events.DatabaseLost: (
        logging.ERROR,
        lambda e: f"{e.who} waits for the database: {e.error}",
    ),
    events.HintsUnavailable: (
        logging.INFO,
        lambda e: f"No hints of new jobs come through the pooler at {e.database}: polling",
    ),
    events.DatabaseBack: (
        logging.WARNING,
        lambda e: f"{e.who} can use the database again, after {e.duration:.1f} s",
    ),
    events.DatabaseGivenUp: (
        logging.ERROR,
        lambda e: f"{e.who} gives the database up, after {e.duration:.1f} s: {e.error}",
    ),
    events.ErrorOccurred: (
        logging.ERROR,
        lambda e: f"An error in {e.where}: {type(e.error).__name__}: {_text(e.error)}",
    ),
    events.JobsEnqueued: (
        logging.DEBUG,
        lambda e: f"Enqueued {_count(e.count, 'job')} in {e.duration * 1000:.1f} ms",
    ),
    events.JobsDispatched: (
        logging.DEBUG,
        lambda e: f"Dispatched {_count(e.count, 'job')} in {e.duration * 1000:.1f} ms",
    ),
    events.JobsUnblocked: (
        logging.WARNING,
        lambda e: (
            f"Unblocked {_count(e.count, 'job')} in {e.duration * 1000:.1f} ms: "
            "their slots had expired"
        ),
    ),
    events.JobsThrottled: (
        logging.DEBUG,
        lambda e: f"Throttled {_count(e.count, 'job')} in {e.duration * 1000:.1f} ms",
    ),
    events.JobsHandedBack: (
        logging.DEBUG,
        lambda e: f"Handed back {_count(e.count, 'job')}: claimed, not begun",
    ),
    events.RecurringTasksEnqueued: (
        lambda e: logging.INFO if e.made_up else logging.DEBUG,
        _recurring_enqueued,
    ),
    events.RecurringRunsMissed: (
        lambda e: logging.WARNING if e.cut else logging.INFO,
        _recurring_missed,
    ),
    events.TurnTaken: (logging.DEBUG, _turn),
    events.ResultsDropped: (
        logging.ERROR,
        lambda e: f"Dropped {_count(e.count, 'result')}: not claimed by this process any more",
    ),
    events.JobEnded: (_job_ended_level, _job_ended),
    events.JobTimedOut: (logging.ERROR, _job_timed_out),
    events.JobsRetried: (logging.INFO, lambda e: f"Retried {_count(e.count, 'job')} by hand"),
    events.JobsDiscarded: (logging.INFO, lambda e: f"Discarded {_count(e.count, 'job')} by hand"),
    events.JobsCleared: (
        logging.INFO,
        lambda e: f"Cleared {_count(e.count, 'finished job')}",
    ),
    events.SlotReleased: (
        logging.INFO,
        lambda e: (
            f"Released the slot of job {e.job_id} of {e.concurrency_key} by hand: "
            f"{_count(e.ready, 'job')} came in"
        ),
    ),
    events.QueuePaused: (logging.INFO, lambda e: f"Paused queue {e.queue}"),
    events.QueueResumed: (logging.INFO, lambda e: f"Resumed queue {e.queue}"),
}
