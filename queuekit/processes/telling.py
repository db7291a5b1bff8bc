"""What a worker tells of its jobs, as events."""

from __future__ import annotations

from queuekit import events
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.settling import Refusal
from queuekit.executions.turn import FINISHED, Result


def refusals(where: str, refused: list[Refusal]) -> None:
    for refusal in refused:
        events.emit(events.ErrorOccurred(where=where, error=refusal.error))


def end(job: ClaimedJob, result: Result, *, unless_well: bool = False) -> None:
    """How a job has ended; with `unless_well`, nothing of one that has finished."""
    if unless_well and result.outcome == FINISHED and result.error is None:
        return
    events.emit(
        events.JobEnded(
            job_id=job.job_id,
            class_name=job.class_name,
            queue=job.queue,
            attempt=job.attempt,
            outcome=result.outcome,
            error=result.error,
            duration=result.duration,
        )
    )


def timeout(job: ClaimedJob, seconds: float, *, stuck: bool, keeps_thread: bool = False) -> None:
    events.emit(
        events.JobTimedOut(
            job_id=job.job_id,
            class_name=job.class_name,
            timeout=seconds,
            stuck=stuck,
            keeps_thread=keeps_thread,
        )
    )
