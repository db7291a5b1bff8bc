"""The wording of every log line, and nothing else. Lines go to the logger `queuekit`.

Functions are named after what happened. Levels: info for processes, warning for what somebody may
want to look at, error for what somebody should, debug for each single job.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queuekit.errors import DatabaseError
    from queuekit.executions.claimed import ClaimedJob
    from queuekit.executions.turn import Result

logger = logging.getLogger("queuekit")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send queuekit's lines to standard error, unless the application has set up logging."""
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s [queuekit] %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(level)


# Processes


def process_started(kind: str, metadata: Mapping[str, Any]) -> None:
    logger.info("Starting %s", _process(kind, metadata))


def process_stopping(kind: str) -> None:
    logger.info("Stopping %s: finishing the jobs that run", _process(kind))


def process_stopped(kind: str, released: int) -> None:
    back = f", {released} jobs released back to ready" if released else ""
    logger.info("Stopped %s%s", _process(kind), back)


def process_pruned(kind: str, consequence: str) -> None:
    logger.error("%s was taken for dead and pruned: %s", _process(kind), consequence)


def leaving_failed(kind: str, error: DatabaseError) -> None:
    logger.error("%s could not say goodbye to the database: %s", _process(kind), error)


def supervisor_gone(kind: str) -> None:
    logger.error("%s lost its supervisor and leaves", _process(kind))


def supervisor_stopping(children: int, timeout: float) -> None:
    logger.info("Stopping %d processes; after %g s they are told to quit", children, timeout)


def supervisor_quitting(children: int) -> None:
    logger.info("Quitting %d processes at once: running jobs go back to ready", children)


def killing(pids: Sequence[int]) -> None:
    logger.error("Killing processes that do not quit: %s", ", ".join(map(str, pids)))


def child_died(pid: int, how: str) -> None:
    logger.error("Process %d %s; replacing it", pid, how)


def child_buried(pid: int, failed: Sequence[str]) -> None:
    if failed:
        logger.error("Process %d left %d jobs, now failed: %s", pid, len(failed), _some(failed))


def pruned(kind: str, pid: int, hostname: str, failed: Sequence[str]) -> None:
    jobs = f"; its {len(failed)} jobs failed: {_some(failed)}" if failed else ""
    logger.error("Pruned %s(pid=%d, hostname=%s), silent for too long%s", kind, pid, hostname, jobs)


def orphans_failed(failed: Sequence[str]) -> None:
    logger.error(
        "Failed %d jobs whose process is not registered any more: %s", len(failed), _some(failed)
    )


def service_manager_deaf(error: OSError) -> None:
    logger.warning("The service manager at NOTIFY_SOCKET does not answer: %s", error)


# The database


def database_lost(kind: str, error: DatabaseError) -> None:
    logger.error("%s waits for the database: %s", _process(kind), error)


def database_back(kind: str, seconds: float) -> None:
    logger.warning("%s can use the database again, after %.1f s", _process(kind), seconds)


# Jobs


def job_claimed(job: ClaimedJob) -> None:
    logger.debug("Performing %s", _Job(job))


def job_ended(job: ClaimedJob, result: Result) -> None:
    if result.error is None:
        logger.debug("Performed %s", _Job(job))
    else:
        logger.error("Failed %s: %s", _Job(job), _Error(result.error))


def results_dropped(count: int) -> None:
    logger.error("Dropped %d results: their jobs were not claimed by this process any more", count)


def dispatched(count: int) -> None:
    logger.debug("Dispatched %d scheduled jobs", count)


def polled(queue: str | None, settled: int, claimed: int) -> None:
    logger.debug("Polled %s: settled %d, claimed %d", queue or "all queues", settled, claimed)


def _process(kind: str, metadata: Mapping[str, Any] | None = None) -> str:
    parts = f"pid={os.getpid()}, hostname={socket.gethostname()}"
    if metadata is not None:
        details = ", ".join(f"{key}: {json.dumps(value)}" for key, value in metadata.items())
        parts += f", metadata={{{details}}}"
    return f"{kind}({parts})"


def _some(job_ids: Sequence[str]) -> str:
    """The first few ids: a line must not grow with the number of jobs."""
    shown = ", ".join(job_ids[:5])
    return f"{shown}, ..." if len(job_ids) > 5 else shown


class _Job:
    """Formatted only when the line is really written."""

    def __init__(self, job: ClaimedJob) -> None:
        self._job = job

    def __str__(self) -> str:
        job = self._job
        return f"{job.class_name} ({job.job_id}, attempt {job.attempt}) from queue {job.queue}"


class _Error:
    def __init__(self, stored: str) -> None:
        self._stored = stored

    def __str__(self) -> str:
        error = json.loads(self._stored)
        return f"{error['exception_class']}: {error['message'][:200]}"
