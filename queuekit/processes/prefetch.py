"""How far a worker claims ahead of its threads.

A thread that has ended a job waits for a turn to bring the next one. Where jobs are shorter than a
turn, most of its time goes by in that way; so jobs are claimed ahead, and wait in the process, as
many as the threads will use until the turn after the next has brought more. Where jobs are longer,
none are: what waits here is out of reach of other workers, and of whatever is enqueued with a
higher priority meanwhile.

Nothing is promised by an average. So a job that has waited for MOST_SECONDS goes back to ready,
with all that were to come after it, and counts as a sign that jobs are long.
"""

from __future__ import annotations

#: How long a claimed job may wait for a thread.
MOST_SECONDS = 1.0

#: A turn that took longer than this is no measure: what is claimed for it would wait for too long.
_LONGEST_TURN = 0.1

#: The least part of what is to wait with which a turn begins.
_LOWEST = 8

#: What one job, and one turn, count for in their average.
_WEIGHT_OF_JOB = 0.02
_WEIGHT_OF_TURN = 0.2


class Prefetch:
    """Averages of how long a worker's jobs and turns take, the latest ones counting the most.

    `limit` is what a worker may have claimed at a time when it claims ahead. Its threads may have
    a job each, whatever that is.
    """

    def __init__(self, threads: int, limit: int) -> None:
        self._threads = threads
        self._most = max(limit - threads, 0)
        self._job: float | None = None
        self._turn = 0.0

    def note_jobs(self, count: int, seconds: float) -> None:
        """So many jobs took so many seconds, all together, each in a thread of its own."""
        if self._job is None:
            self._job = seconds / count
        else:
            rest: float = (1 - _WEIGHT_OF_JOB) ** count
            self._job = rest * self._job + (1 - rest) * seconds / count

    def note_turn(self, seconds: float) -> None:
        """A turn took so long, with all that goes with it between two claims."""
        seconds = min(seconds, _LONGEST_TURN)
        self._turn += (seconds - self._turn) * (_WEIGHT_OF_TURN if self._turn else 1.0)

    @property
    def ahead(self) -> int:
        """How many jobs to have waiting beside those that run: what is used within a turn, and as
        much again, since the next turn takes as long."""
        return min(2 * self._used_in_a_turn, self._most)

    @property
    def low(self) -> int:
        """With how many left a turn is to begin: as late as it can without leaving a thread idle,
        since big turns are cheaper. Where the limit is less than is used within a turn, threads
        are idle in any case."""
        ahead = self.ahead
        return max(ahead - self._used_in_a_turn, ahead // _LOWEST)

    @property
    def _used_in_a_turn(self) -> int:
        if self._job is None or self._job >= self._turn:
            return 0
        # A clock may say that a job took no time at all.
        return int(self._threads * self._turn / max(self._job, 1e-9))
