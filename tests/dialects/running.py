"""A worker's threads and turns in one: claim a job, run it here, settle how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from queuekit import application
from queuekit.errors import ProcessExitError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import StoredError, read_error
from queuekit.executions.turn import Result
from queuekit.performing import Performer
from queuekit.processes import registration
from tests.dialects.support import ask, claim, register, take


@dataclass
class Process:
    """A registered process that runs jobs one after the other. `is_stopping` is for the test."""

    is_stopping: bool = False
    id: int = field(default_factory=register)

    def claim(self) -> ClaimedJob:
        (job,) = claim(self.id)
        return job

    def perform(self, job: ClaimedJob) -> Result:
        performer = Performer(is_stopping=lambda: self.is_stopping)
        performer.process_id = self.id
        result = performer.perform(job)
        return asyncio.run(performer.perform_async(job)) if result is None else result

    def settle(self, result: Result) -> bool:
        """Whether it counted."""
        return result.row_id in take(self.id, [result], limit=0).settled

    def run(self) -> Result:
        """Claim the one job that is ready, run it, and settle how it ended."""
        result = self.perform(self.claim())
        assert self.settle(result)
        return result


def run() -> Result:
    """Run the one job that is ready, in a process of its own."""
    return Process().run()


def error_of(result: Result) -> StoredError:
    assert result.error is not None
    return read_error(result.error)


def bury(process: Process) -> None:
    """Take the process for dead: what it has claimed is retried."""
    registration.bury(
        application.database(),
        application.configuration(),
        process.id,
        ProcessExitError("killed"),
        may_retry=True,
    )


def make_due() -> None:
    """Let scheduled jobs be ready now."""
    ask(
        "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at) "
        "select job_id, queue_name, priority, scheduled_at from queuekit_scheduled_executions"
    )
    ask("delete from queuekit_scheduled_executions")
