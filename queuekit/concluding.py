"""How a run ends: what its steps, its policies and their handlers make of what it raised.

    conclude          an error of the job, within its context       ->  a Conclusion
    conclude_outside  an error that nothing took, or no job at all  ->  a Conclusion
    result            a Conclusion                                  ->  what the next turn settles

The steps of a continuable job are asked first, then the policies (queuekit.policies declares them).
What a handler raises is raised from here, and makes the job fail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from queuekit.continuation import Interruption, resumption
from queuekit.current import CurrentJob
from queuekit.errors import Abort, DeserializationError, ResumeLimitError, UnknownJobError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import DISCARDED, FAILED, FINISHED, RETRIED, NextAttempt, Result
from queuekit.policies import Discard, Handler, Rescue, Retry, match


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a run ended, and why."""

    outcome: str
    error: BaseException | None = None
    next_attempt: NextAttempt | None = None


def conclude(job: CurrentJob, error: BaseException) -> Conclusion:
    """What the job's steps and the policies make of an error. Raises what a handler raises."""
    if isinstance(error, Abort):
        return Conclusion(DISCARDED, error)
    try:
        next_attempt = resumption(job, error)
    except ResumeLimitError as limit:
        conclusion = _conclude_by_policies(job, limit)
        if conclusion.outcome == FAILED:
            raise
        return conclusion
    if next_attempt is not None:
        return Conclusion(RETRIED, None if isinstance(error, Interruption) else error, next_attempt)
    return _conclude_by_policies(job, error)


def _conclude_by_policies(job: CurrentJob, error: BaseException) -> Conclusion:
    job.next_attempt = None  # what the job asked for counts without an error; handlers may ask anew
    policy = match(job.declaration.policies, error)
    if isinstance(policy, Retry):
        return _retry_or_exhaust(job, policy, error)
    if isinstance(policy, Rescue):
        policy.handler(job, error)
        return conclude_without_error(job)
    handler = policy.handler if isinstance(policy, Discard) else None
    return _give_up(job, error, handler, FAILED if policy is None else DISCARDED)


def _retry_or_exhaust(job: CurrentJob, policy: Retry, error: BaseException) -> Conclusion:
    count = job.count_exception(policy.key)
    if policy.allows_another(count):
        wait = policy.seconds(count, error)
        next_attempt = job.another_attempt(wait, policy.queue, policy.priority)
        return Conclusion(RETRIED, error, next_attempt)
    outcome = FAILED if policy.on_exhausted is None else DISCARDED
    return _give_up(job, error, policy.on_exhausted, outcome)


def _give_up(
    job: CurrentJob, error: BaseException, handler: Handler | None, outcome: str
) -> Conclusion:
    """Give the job up, unless its handler asks for another run."""
    if handler is not None:
        handler(job, error)
    if job.next_attempt is not None:
        return Conclusion(RETRIED, error, job.next_attempt)
    _after_discard(job, error)
    return Conclusion(outcome, error)


def _after_discard(job: CurrentJob, error: BaseException) -> None:
    """Call every handler, whatever those before it raise; the last error raised is raised then."""
    raised: BaseException | None = None
    for handler in job.declaration.after_discard:
        try:
            handler(job, error)
        except Exception as trouble:
            raised = trouble
    if raised is not None:
        raise raised


def conclude_without_error(job: CurrentJob) -> Conclusion:
    if job.next_attempt is not None:
        return Conclusion(RETRIED, None, job.next_attempt)
    return Conclusion(FINISHED)


# Without a job


def conclude_outside(
    claimed: ClaimedJob, job: CurrentJob | None, error: BaseException
) -> Conclusion:
    """An error that no policy took, or that came before there was a job to run."""
    if job is None and isinstance(error, UnknownJobError):
        return _conclude_unknown(claimed, error)
    return Conclusion(FAILED, error)


def _wait_for_deploy(count: int) -> float:
    """2, 4, 8 ... seconds, at most ten minutes."""
    return min(2.0**count, 600.0)


#: A deploy may be under way, and the next worker that gets the job may know it. The ten waits add
#: up to 27 minutes.
UNKNOWN_JOB = Retry(UnknownJobError, wait=_wait_for_deploy, attempts=11)


def _conclude_unknown(claimed: ClaimedJob, error: UnknownJobError) -> Conclusion:
    try:
        counts = claimed.counted_errors()
    except DeserializationError as unreadable:
        return Conclusion(FAILED, unreadable)
    count = counts.get(UNKNOWN_JOB.key, 0) + 1
    if not UNKNOWN_JOB.allows_another(count):
        return Conclusion(FAILED, error)
    counts[UNKNOWN_JOB.key] = count
    wait = UNKNOWN_JOB.seconds(count, error)
    return Conclusion(RETRIED, error, NextAttempt(wait, claimed.executions, json.dumps(counts)))


# For the turn


def result(
    claimed: ClaimedJob, conclusion: Conclusion, duration: float, job: CurrentJob | None
) -> Result:
    error = conclusion.error
    return Result(
        claimed.row_id,
        conclusion.outcome,
        None if error is None else describe_error(error, _own_frames(error)),
        duration,
        conclusion.next_attempt,
        has_completed=job is not None and job.has_completed,
        concurrency_key=claimed.concurrency_key,
    )


def _own_frames(error: BaseException) -> int:
    """How many frames at the beginning are queuekit's own, and say nothing about the job."""
    count = 0
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_globals.get("__name__", "")):
        frames = frames.tb_next
        count += 1
    return 0 if frames is None else count


def _is_ours(module: str) -> bool:
    return module.startswith("queuekit.") or module == "contextlib"
