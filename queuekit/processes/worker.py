"""The worker: claims jobs, has them run by a pool of threads, and settles how they ended.

Everything it says to the database goes through turns, on the main thread's one connection. When the
answer to a turn is lost, nobody knows whether it was committed: results are kept, and the next turn
begins by comparing what the database says is claimed with what is in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from queuekit import application, logs
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.errors import DatabaseError
from queuekit.executions import claimed, ready, turn
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import Result
from queuekit.performing import perform
from queuekit.processes.pool import Pool
from queuekit.processes.runner import PrunedError
from queuekit.processes.selector import QueueSelector
from queuekit.processes.wakeup import Wakeup


class Worker:
    """A role for a Runner.

    1. `poll` takes turns: settle what has ended, claim for the threads that are free.
    2. After `stop` it claims no more; `is_done` when what it had has ended and is settled.
    3. `close` settles what can still be settled. The rest is released with the registration.
    """

    name = "Worker"

    def __init__(
        self,
        settings: WorkerSettings,
        configuration: Configuration,
        database: Database,
        wakeup: Wakeup,
    ) -> None:
        self._settings = settings
        self._preserve_finished = configuration.preserve_finished_jobs
        self._imports = configuration.imports
        self._folder = Path.cwd()  # now: a job may change it, for all threads
        self._log_polling = not configuration.silence_polling
        self._database = database
        self._selector = QueueSelector(settings.queues)
        self._pool = Pool(
            settings.threads,
            self._perform,
            wake=wakeup.set,
            leave=lambda: application.database().disconnect(),
        )
        self._process_id = 0
        self._unsettled: list[Result] = []
        self._paused: frozenset[str] = frozenset()
        self._stopping = False
        self._uncertain = False

    def metadata(self) -> dict[str, Any]:
        return {
            "polling_interval": self._settings.polling_interval,
            "queues": ",".join(self._settings.queues),
            "thread_pool_size": self._settings.threads,
        }

    def start(self, process_id: int) -> None:
        self._process_id = process_id
        self._pool.start()

    def stop(self) -> None:
        self._stopping = True

    @property
    def is_done(self) -> bool:
        return not self._unsettled and not self._pool.in_flight

    def poll(self) -> float:
        """Take the turns that are due. Returns the seconds to wait for the next, if nothing comes.

        Raises PrunedError when the registration is gone, and the DatabaseErrors: then nothing is
        lost, and the next poll tries again.
        """
        if self._uncertain:
            self._reconcile()
        self._gather()
        if self._unsettled or self._may_claim():
            try:
                self._take_turns()
            except DatabaseError:
                self._uncertain = True
                raise
        return self._settings.polling_interval

    def close(self) -> None:
        self._pool.close()
        self._stopping = True
        self._gather()
        if self._unsettled:
            self._take_turns()

    def _perform(self, job: ClaimedJob) -> Result:
        return perform(job, self._imports, self._folder)

    def _gather(self) -> None:
        for job, result in self._pool.gather():
            logs.job_ended(job, result)
            self._unsettled.append(result)

    def _may_claim(self) -> bool:
        """Whether to claim: asked before a turn without results, which would only cost."""
        return self._free > 0 and ready.any_waiting(self._database)

    @property
    def _free(self) -> int:
        return 0 if self._stopping else self._pool.free

    def _take_turns(self) -> None:
        """A turn for each queue in order, until the threads have enough. The first settles all."""
        queues = self._selector.choose(self._database, self._paused) if self._free else [None]
        for queue in queues:
            self._take_turn(queue)
            if not self._free:
                return

    def _take_turn(self, queue: str | None) -> None:
        taken = turn.take(
            self._database,
            self._process_id,
            self._unsettled,
            queue=queue,
            limit=self._free,
            preserve_finished=self._preserve_finished,
        )
        if self._log_polling:
            logs.polled(queue, len(self._unsettled), len(taken.claimed))
        if not taken.registered:
            raise PrunedError(f"{len(self._unsettled)} results of this process change nothing")
        if len(taken.settled) < len(self._unsettled):
            logs.results_dropped(len(self._unsettled) - len(taken.settled))
        self._unsettled.clear()
        self._paused = taken.paused
        for job in taken.claimed:
            logs.job_claimed(job)
            self._pool.post(job)

    def _reconcile(self) -> None:
        """After a lost answer: drop the results that were settled, run what was claimed unheard."""
        held = {job.row_id: job for job in claimed.held_by(self._database, self._process_id)}
        self._unsettled = [result for result in self._unsettled if result.row_id in held]
        known = self._pool.in_flight | {result.row_id for result in self._unsettled}
        for row_id, job in held.items():
            if row_id not in known:
                self._pool.post(job)
        self._uncertain = False
