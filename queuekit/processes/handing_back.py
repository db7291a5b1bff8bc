"""Claimed jobs on their way back to ready, because no thread has come to begin them.

Whatever was taken back never begins here, until the database has said that it is ready again and a
turn has claimed it anew. So what could not be put back, or may have been, is kept and asked for
again, and not run: the commit whose answer was lost may be on its way still, and would take the
claim away from a job in the midst of its run, for another worker to run it, too. Asking twice does
no harm: the second time waits for the first, and finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from queuekit import events
from queuekit.database import Database
from queuekit.executions import claimed
from queuekit.executions.claimed import ClaimedJob
from queuekit.processes.pool import Pool
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.starting import Starting


class HandingBack:
    """What one worker gives back: what has waited for too long, all of it with what came after it;
    once the worker is stopping, whatever waits."""

    def __init__(
        self, database: Database, pool: Pool, starting: Starting, scoreboard: Scoreboard
    ) -> None:
        self._database = database
        self._pool = pool
        self._starting = starting
        self._scoreboard = scoreboard
        self._row_ids: set[int] = set()

    @property
    def row_ids(self) -> frozenset[int]:
        """The jobs that are on their way."""
        return frozenset(self._row_ids)

    def add(self, jobs: Sequence[ClaimedJob]) -> None:
        """Give back jobs that have got nowhere yet."""
        self._row_ids.update(job.row_id for job in jobs)

    def take_back(self, *, is_stopping: bool) -> int:
        """Take from the pool, and from those who are to go there, what is to go back. Returns how
        many there were in the pool."""
        if is_stopping:
            posted, held = self._pool.take_back(), self._starting.take_back()
        else:
            posted, held = self._pool.take_back_late(), self._starting.take_back_late()
        for job in posted:
            self._scoreboard.settle(job.row_id)
        self.add(posted)
        self.add(held)
        return len(posted)

    def send(self, process_id: int) -> None:
        """Put them back to ready, in one transaction. Raises the DatabaseErrors; then they stay
        here."""
        if self._row_ids:
            claimed.release(self._database, process_id, sorted(self._row_ids))
            events.emit(events.JobsHandedBack(count=len(self._row_ids)))
            self._row_ids.clear()
