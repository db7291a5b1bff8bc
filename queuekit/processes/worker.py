"""The worker: claims jobs, has them run by threads and an event loop, and settles how they ended.

Everything it says to the database goes through turns, on the main thread's one connection. When the
answer to a turn is lost, nobody knows whether it was committed: results are kept, and the next turn
begins by comparing what the database says is claimed with what is in memory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from queuekit import application, events
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database
from queuekit.database.hints import READY
from queuekit.errors import DatabaseError
from queuekit.executions import claimed, ready
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.settling import Settler, Settling
from queuekit.executions.turn import FAILED, START, Result
from queuekit.performing import Performer
from queuekit.processes import telling
from queuekit.processes.completions import Completions
from queuekit.processes.frontier import Frontier
from queuekit.processes.handing_back import HandingBack
from queuekit.processes.hints import Hints
from queuekit.processes.lease import Lease
from queuekit.processes.lifetime import Lifetime
from queuekit.processes.pace import Pace
from queuekit.processes.pool import Pool
from queuekit.processes.runner import EXIT_TIMED_OUT, PrunedError, ThreadDiedError
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.selector import QueueSelector
from queuekit.processes.starting import Starting
from queuekit.processes.wakeup import Wakeup

#: How long results may wait for a turn, in seconds, while the threads have enough to do.
_LINGER = 0.005


class Worker:
    """A role for a Runner.

    1. `poll` takes turns: settle what has ended, claim for the threads that are free, and ahead of
       them while jobs are short. What then waits for a thread for too long, it hands back.
    2. It interrupts jobs past their timeouts. When one is stuck, it drains the others and leaves:
       with the process gone, the supervisor fails the stuck one.
    3. It leaves by itself, after draining, when it has lived, performed or grown enough.
    4. After `stop` it claims no more, and hands back what has not begun; `is_done` when what it had
       has ended and is settled.
    5. `close` settles what can still be settled. The rest is released with the registration.
    """

    name = "Worker"

    def __init__(
        self,
        settings: WorkerSettings,
        configuration: Configuration,
        database: Database,
        wakeup: Wakeup,
        scoreboard: Scoreboard,
    ) -> None:
        self._settings = settings
        self._configuration = configuration
        self._database = database
        self._scoreboard = scoreboard
        self._selector = QueueSelector(settings.queues)
        self._frontier = Frontier(database)
        # The folder now: a job may change it, for all threads.
        self._performer = Performer(
            configuration.imports, Path.cwd(), is_stopping=lambda: self.is_stopping
        )
        lease = Lease(configuration.process_alive_threshold)
        scoreboard.on_beat = lease.renew
        self._pool = Pool(
            settings.threads,
            self._performer.perform,
            began=lambda job: scoreboard.begin(job.row_id),
            wake=wakeup.set,
            leave=lambda: application.database().disconnect(),
            perform_async=self._performer.perform_async,
            is_async=self._performer.is_async,
            async_concurrency=settings.async_concurrency,
            prefetch_limit=settings.prefetch_limit,
            lease=lease,
        )
        self._process_id = 0
        self._lifetime = Lifetime(settings)
        self._claimed_in_all = 0
        self._unsettled: list[Result] = []
        self._settler = Settler(database, configuration.preserve_finished_jobs)
        self._refused: dict[int, Result] = {}
        self._completions = Completions(database)
        self._starting = Starting(database, self._pool, self._post)
        self._handing_back = HandingBack(database, self._pool, self._starting, scoreboard)
        self._stuck: set[int] = set()
        self._paused: frozenset[str] = frozenset()
        self.hints = Hints(database, wakeup, READY, wanted=configuration.wake_on_enqueue)
        self._pace = Pace(settings.polling_interval, self.hints)
        self._uncertain = False
        self._compared_at = time.monotonic()
        self.is_stopping = False
        self.leaves_because: str | None = None

    def metadata(self) -> dict[str, Any]:
        return {
            "polling_interval": self._settings.polling_interval,
            "queues": ",".join(self._settings.queues),
            "thread_pool_size": self._settings.threads,
        }

    def start(self, process_id: int) -> None:
        self._process_id = self._performer.process_id = self._settler.process_id = process_id
        self._pool.start()

    def stop(self) -> None:
        self.is_stopping = True

    @property
    def is_done(self) -> bool:
        left = self._unsettled or self._completions.row_ids or self._handing_back.row_ids
        return not (left or len(self._starting)) and self._pool.in_flight <= self._given_up

    @property
    def runs_jobs(self) -> bool:
        """Whether a job runs, or could begin: true until the pool's threads have ended."""
        return self._pool.is_alive

    @property
    def exit_status(self) -> int:
        return EXIT_TIMED_OUT if self._given_up else 0

    @property
    def _given_up(self) -> frozenset[int]:
        """The stuck jobs that the end of this process ends, and those that they hold up. In the
        mode async there is no such end: they keep their threads and their claims, so that nobody
        else runs them meanwhile."""
        if self._configuration.mode != "fork" or not self._stuck:
            return frozenset()
        return self._pool.held_up(self._configuration.timeout_grace_period) | self._stuck

    def poll(self) -> float:
        """Take the turns that are due. Returns the seconds to wait for the next, if nothing comes.

        Raises PrunedError when the registration is gone, ThreadDiedError when a thread of the pool
        is, and the DatabaseErrors: then nothing is lost, and the next poll tries again.
        """
        began = time.monotonic()
        self._attend_pool()
        if self._uncertain or self._has_not_compared_for_long():
            self._reconcile()
        self._gather()
        try:
            self._hand_back()
            self._starting.attend(self._process_id)
            goes_on = self._settle_and_claim(began)
        except DatabaseError:
            self._uncertain = True
            raise
        self._leave_if_enough()  # now: one that left before it claimed would never do any work
        return 0.0 if goes_on else self._seconds_to_sleep()

    def close(self) -> None:
        self._pool.close()
        self.is_stopping = True
        self._gather()
        if self._unsettled:
            self._take_turns()
        if self._given_up:
            for row_id in self._pool.in_flight - self._stuck:
                self._scoreboard.settle(row_id)  # held up: whoever buries us puts them back

    def abandon(self) -> None:
        self._pool.close()

    # The pool

    def _attend_pool(self) -> None:
        if self._pool.error is not None:
            self.close()  # what has ended has
            raise ThreadDiedError("a thread of the pool ended") from self._pool.error
        for job, timeout in self._pool.interrupt_overdue():
            telling.timeout(job, timeout, stuck=False)
        for job, timeout in self._pool.stuck(self._configuration.timeout_grace_period):
            if job.row_id not in self._stuck:
                self._stuck.add(job.row_id)
                telling.timeout(job, timeout, stuck=True, keeps_thread=not self._given_up)
                if self._given_up:
                    self._leave("a job is past its timeout and does not end")

    def _gather(self) -> None:
        quietly = not events.is_wanted(events.JobEnded)
        for job, result in self._pool.gather():
            self._stuck.discard(job.row_id)
            if result.has_completed:
                self._completions.add(job, result)
            else:
                self._unsettled.append(result)
                telling.end(job, result, unless_well=quietly)
        completed, others = self._completions.settle(self._process_id)
        for job, result in completed:
            self._scoreboard.settle(job.row_id)
            telling.end(job, result, unless_well=quietly)
        for job, result in others:
            self._unsettled.append(result)
            telling.end(job, result, unless_well=quietly)

    def _post(self, jobs: Sequence[ClaimedJob]) -> None:
        self._claimed_in_all += len(jobs)
        for job in jobs:
            self._scoreboard.reserve(job.row_id)
        self._pool.post(*jobs)

    def _hand_back(self) -> None:
        self._claimed_in_all -= self._handing_back.take_back(is_stopping=self.is_stopping)
        self._handing_back.send(self._process_id)

    # Leaving by itself

    def _leave_if_enough(self) -> None:
        if self.is_stopping:
            return
        begun = self._claimed_in_all - self._pool.waiting  # as far as is known
        if reason := self._lifetime.over_because(begun):
            self._leave(reason)

    def _leave(self, reason: str) -> None:
        self.leaves_because = reason
        self.stop()

    # Turns

    @property
    def _room(self) -> int:
        """How many jobs to claim at most: what can begin now, and ahead of that what soon will.
        While jobs are on their way with threads set aside for them, nothing is claimed ahead."""
        if self.is_stopping:
            return 0
        room = self._pool.room if len(self._starting) else self._pool.room_ahead
        if self._settings.max_jobs is not None:
            room = min(room, self._settings.max_jobs - self._claimed_in_all)
        return max(room - len(self._starting), 0)

    def _settle_and_claim(self, began: float) -> bool:
        before, alone = self._claimed_in_all, not self._unsettled
        looks = self._room > 0 and not self._pool.is_stocked and self._pace.may_look()
        if looks:
            self._pace.look()
        goes_on = False
        # Asked before a turn without results, which would only cost.
        if self._unsettled or (looks and self._is_any_waiting()):
            goes_on = self._take_turns()
            self._pool.note_turn(time.monotonic() - began)
        if looks:
            self._pace.looked(found=self._claimed_in_all > before, alone=alone)
        return goes_on

    def _is_any_waiting(self) -> bool:
        return ready.any_waiting(self._database, self._frontier.of_peek())

    def _take_turns(self) -> bool:
        """A turn for each queue in order, until the threads have enough. The first settles all.
        Returns whether to take turns again at once."""
        queues = self._selector.choose(self._database, self._paused) if self._room else [None]
        for queue in queues:
            room = self._room
            if self._take_turn(queue) >= room:
                # It may have left jobs in this queue, which come before those of the next. The room
                # may be there again: async jobs leave their threads, others the places in the loop.
                return self._room > 0
            if not self._room:
                return False
        return False

    def _take_turn(self, queue: str | None) -> int:
        """Returns how many jobs were claimed."""
        began = time.perf_counter()
        room = self._room
        settling = self._settler.take(
            self._unsettled,
            queue=queue,
            limit=room,
            after=self._frontier.of(queue) if room else START,
        )
        taken = settling.turn
        self._emit_turn(queue, settling, time.perf_counter() - began)
        if not taken.registered:
            raise PrunedError(f"{len(self._unsettled)} results of this process change nothing")
        self._refused |= {refusal.result.row_id: refusal.result for refusal in settling.refused}
        if self._dropped(settling):
            self._uncertain = True
        for result in self._unsettled:
            if result.row_id not in self._refused:
                self._scoreboard.settle(result.row_id)
        self._unsettled.clear()
        self._paused = taken.paused
        self._frontier.claimed(queue, taken.claimed)
        self._starting.take(self._process_id, taken.claimed)
        return len(taken.claimed)

    def _dropped(self, settling: Settling) -> int:
        return len(self._unsettled) - len(settling.settled) - len(settling.refused)

    def _emit_turn(self, queue: str | None, settling: Settling, duration: float) -> None:
        telling.refusals("settling a job, which has failed by it", settling.failed_instead)
        telling.refusals("settling a job, which stays claimed", settling.refused)
        if settling.turn.registered and self._dropped(settling):
            events.emit(events.ResultsDropped(count=self._dropped(settling)))
        claimed = len(settling.turn.claimed)
        if self._unsettled or claimed or not self._configuration.silence_polling:
            failed = sum(result.outcome == FAILED for result in self._unsettled)
            events.emit(
                events.TurnTaken(
                    queue=queue,
                    settled=len(settling.settled),
                    failed=failed + len(settling.failed_instead),
                    claimed=claimed,
                    duration=duration,
                )
            )

    def _has_not_compared_for_long(self) -> bool:
        """A turn that was given up may be on its way still, on a connection that is none of ours
        any more, and claim after the comparison that it was the reason for."""
        interval = self._configuration.process_heartbeat_interval
        return time.monotonic() - self._compared_at >= interval

    def _reconcile(self) -> None:
        """After a lost answer: drop the results that were settled, run what was claimed unheard; or
        put that back, when no job is to begin here any more."""
        held = {job.row_id: job for job in claimed.held_by(self._database, self._process_id)}
        self._unsettled += self._refused.values()  # they are tried again, now and then
        self._refused.clear()
        for result in self._unsettled:
            if result.row_id not in held:
                self._scoreboard.settle(result.row_id)
        self._unsettled = [result for result in self._unsettled if result.row_id in held]
        known = self._pool.in_flight | {result.row_id for result in self._unsettled}
        known |= self._completions.row_ids | self._starting.row_ids | self._handing_back.row_ids
        unheard = [job for row_id, job in held.items() if row_id not in known]
        if self.is_stopping:
            self._handing_back.add(unheard)
        else:
            self._starting.take(self._process_id, unheard)
        self._uncertain = False
        self._compared_at = time.monotonic()

    def _seconds_to_sleep(self) -> float:
        self.hints.wanted = self._room > 0 and not self._pool.is_stocked
        seconds = self._pace.seconds() if self.hints.wanted else self._settings.polling_interval
        deadline = self._pool.next_deadline(self._configuration.timeout_grace_period)
        if deadline is not None:
            seconds = min(seconds, max(deadline - time.monotonic(), 0.01))
        moment = self._starting.next_moment
        if moment is not None:
            seconds = min(seconds, max(moment - time.monotonic(), 0.0))
        until = self._pool.waits_until
        if until is not None:
            seconds = min(seconds, max(until - time.monotonic(), 0.0))
        if self._completions.row_ids:
            seconds = min(seconds, self._settings.polling_interval)
        return min(seconds, _LINGER) if self._pool.looks_itself else seconds
