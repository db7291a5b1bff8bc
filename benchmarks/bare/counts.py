"""What is counted in the same words on each database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

#: Of the jobs with a higher id: how many finished after the first batch, and the seconds from that
#: one to the last.
_DRAINED = """
select count(*), {seconds}
from queuekit_finished_executions finished,
  (
    select min(finished_at) as first, max(finished_at) as last
    from queuekit_finished_executions
    where job_id > {after}
  ) span
where job_id > {after} and finished_at > first
"""
_FINISHED = "select count(*) from queuekit_finished_executions where job_id > {after}"
_FAILED = "select count(*) from queuekit_failed_executions"
_NEWEST = "select coalesce(max(id), 0) from queuekit_jobs"


class Counts(ABC):
    """The part of Bare that asks what has become of the jobs."""

    #: The seconds between `first` and `last`.
    _SECONDS: str

    def newest(self) -> int:
        return int(self._one_row(_NEWEST)[0])

    def finished(self, after: int) -> int:
        return int(self._one_row(_FINISHED.format(after=after))[0])

    def failed(self) -> int:
        return int(self._one_row(_FAILED)[0])

    def drained(self, after: int) -> tuple[int, float]:
        jobs, seconds = self._one_row(_DRAINED.format(seconds=self._SECONDS, after=after))
        return jobs, float(seconds or 0)

    @abstractmethod
    def _one_row(self, sql: str) -> Any: ...
