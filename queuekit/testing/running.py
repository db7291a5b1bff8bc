"""Running a job inside a test: as a worker would, but what no policy takes reaches the test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from queuekit.concluding import Conclusion
from queuekit.current import CurrentJob
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, Result
from queuekit.importing import find
from queuekit.performing import run, run_async


def run_here(claimed: ClaimedJob, process_id: int | None = None) -> Conclusion:
    """Run a claimed job in this thread. Raises what none of its policies takes, and
    UnknownJobError."""
    job = CurrentJob(claimed, find(claimed.class_name), process_id=process_id)
    if job.declaration.is_async:
        return _run_on_a_loop(job, claimed)
    conclusion, _ = run(job, claimed)
    return conclusion


def _run_on_a_loop(job: CurrentJob, claimed: ClaimedJob) -> Conclusion:
    """Run an `async def` job on a loop of its own: in a test that is async itself, in a thread,
    since this one has a loop already."""
    import asyncio

    async def perform() -> Conclusion:
        conclusion, _ = await run_async(job, claimed)
        return conclusion

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(perform())
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(copy_context().run, lambda: asyncio.run(perform())).result()


def success(claimed: ClaimedJob, conclusion: Conclusion) -> Result:
    """What settles a run that ended without an error of its own, or with one that was taken."""
    error = None if conclusion.error is None else describe_error(conclusion.error)
    return Result(
        claimed.row_id,
        conclusion.outcome,
        error,
        0.0,
        conclusion.next_attempt,
        concurrency_key=claimed.concurrency_key,
    )


def failure(claimed: ClaimedJob, error: BaseException) -> Result:
    """What settles a run whose error nothing took."""
    return Result(
        claimed.row_id, FAILED, describe_error(error), concurrency_key=claimed.concurrency_key
    )
