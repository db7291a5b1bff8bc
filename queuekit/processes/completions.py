"""Jobs that have said that they completed themselves (`context.complete`), until it is known.

Only the database knows whether the transaction in which they said so was committed. Where the claim
is gone, it was, and all is well. Where it stands and nobody holds a lock on it, it was rolled back:
the job's own result counts, and a job that returned as if all were well fails. Where it stands and
is locked, the transaction is open still, left behind by the job: that is asked again, and never
waited for, since a turn has other jobs to settle.
"""

from __future__ import annotations

from dataclasses import replace

from queuekit.database import Database
from queuekit.errors import NotCommittedError
from queuekit.executions import semaphores
from queuekit.executions.claimed import ClaimedJob, completions
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import FAILED, FINISHED, Result

Ended = tuple[ClaimedJob, Result]


class Completions:
    """The jobs of one worker whose completion is not known yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unknown: dict[int, Ended] = {}

    @property
    def row_ids(self) -> frozenset[int]:
        return frozenset(self._unknown)

    def add(self, job: ClaimedJob, result: Result) -> None:
        self._unknown[job.row_id] = job, result

    def settle(self, process_id: int) -> tuple[list[Ended], list[Ended]]:
        """Ask what became of them: those that have completed themselves, which are settled, and
        those that have not, with the results that are to be.

        Raises the DatabaseErrors; then nothing has changed.
        """
        if not self._unknown:
            return [], []
        found = completions(self._database, process_id, self._unknown)
        semaphores.release(self._database, self._slots_without(found.stand))
        completed, others = [], []
        for row_id, (job, result) in list(self._unknown.items()):
            if row_id not in found.stand:
                completed.append((job, _as_finished(result)))
            elif row_id in found.free:
                others.append((job, _as_not_committed(job, result)))
            else:
                continue
            del self._unknown[row_id]
        return completed, others

    def _slots_without(self, stand: frozenset[int]) -> dict[int, str]:
        """The slots of those that have ended, by their keys: the transaction that ended them was
        the caller's and did not lock the keys, since it may stay open for long."""
        return {
            row_id: job.concurrency_key
            for row_id, (job, _) in self._unknown.items()
            if job.concurrency_key is not None and row_id not in stand
        }


def _as_finished(result: Result) -> Result:
    """Whatever came after the commit changes nothing any more. Its error is kept for the log."""
    return replace(result, outcome=FINISHED, next_attempt=None)


def _as_not_committed(job: ClaimedJob, result: Result) -> Result:
    if result.error is not None:
        return result
    error = NotCommittedError(
        f"{job.class_name} has called context.complete(), and returned without committing the "
        "transaction that it called it in"
    )
    return replace(result, outcome=FAILED, next_attempt=None, error=describe_error(error))
