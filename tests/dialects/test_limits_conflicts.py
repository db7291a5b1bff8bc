"""Everything that takes or frees slots, at once and on the same few keys: next to no conflicts
happen, none reaches whoever asked, and every slot is where it belongs."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

import queuekit
from queuekit import application
from queuekit.database import Database, connection
from queuekit.executions import claimed, scheduled, semaphores
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import DISCARDED, FAILED, FINISHED, RETRIED, NextAttempt, Result
from queuekit.processes import registration
from tests.dialects.limited_jobs import never_waits, one_at_a_time, survives, two_at_a_time
from tests.dialects.support import in_threads, register, take
from tests.dialects.test_limits_stateful import needlessly_blocked, over_the_limit, without_slot

JOBS = (one_at_a_time, two_at_a_time, never_waits, survives)
KEYS = [f"key {number}" for number in range(6)]
QUEUES = ("default", "swept")
SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")
OUTCOMES = (FINISHED, FINISHED, FAILED, DISCARDED, RETRIED)


@pytest.fixture
def conflicts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The transactions that lost against another and were run again, by their attempt."""
    found: list[int] = []

    def pause(attempt: int) -> float:
        found.append(attempt)
        return 0.0

    monkeypatch.setattr(connection, "_pause", pause)
    return found


class Crowd:
    """What as many threads as roles do until the time is over."""

    def __init__(self, database: Database, seconds: float) -> None:
        self.database = database
        self.until = time.monotonic() + seconds
        self.workers: list[int] = []
        self.steps: Counter[str] = Counter()
        self.roles = (
            *(self.enqueue, self.enqueue, self.work, self.work, self.work),
            *(self.dispatch, self.settle_by_hand, self.bury, self.look),
        )

    def run(self, index: int) -> None:
        dice = random.Random(index)
        act = self.roles[index]
        while time.monotonic() < self.until:
            act(dice)
            self.steps[act.__name__] += 1

    def enqueue(self, dice: random.Random) -> None:
        jobs = [
            dice.choice(JOBS)
            .using(
                queue=dice.choice(QUEUES),
                priority=dice.randrange(3),
                wait=dice.choice([None, 0.01]),
            )
            .bind(dice.choice(KEYS))
            for _ in range(dice.choice([1, 2, 20]))
        ]
        queuekit.enqueue_all(jobs)

    def work(self, dice: random.Random) -> None:
        """A few turns of one worker, which then leaves, unless it was buried before."""
        worker = register()
        self.workers.append(worker)
        held: list[ClaimedJob] = []
        for _ in range(dice.randrange(2, 12)):
            dice.shuffle(held)
            ended = [held.pop() for _ in range(dice.randint(0, len(held)))]
            results = [_result(dice, job) for job in ended]
            queue = dice.choice([None, *QUEUES])
            taken = take(worker, results, queue=queue, limit=dice.choice([0, 1, 10]))
            if not taken.registered:
                return
            held += taken.claimed
        if held:
            given_back = held.pop()
            claimed.release(self.database, worker, [given_back.row_id])
        registration.release(self.database, worker)

    def dispatch(self, dice: random.Random) -> None:
        scheduled.dispatch(self.database, dice.choice([1, 50]))
        if dice.random() < 0.2:
            semaphores.sweep(self.database)

    def settle_by_hand(self, dice: random.Random) -> None:
        if jobs := queuekit.failed.list():
            dice.choice([queuekit.failed.discard, queuekit.failed.retry])(dice.choice(jobs).job_id)
        dice.choice([queuekit.failed.retry_all, queuekit.failed.retry_all, _clear])()

    def bury(self, dice: random.Random) -> None:
        time.sleep(dice.uniform(0, 0.02))
        if self.workers:
            worker = self.workers[-1 - dice.randrange(min(3, len(self.workers)))]
            registration.bury(
                self.database,
                application.configuration(),
                worker,
                RuntimeError("it died"),
                begun=dice.choice([None, []]),
            )

    def look(self, dice: random.Random) -> None:
        time.sleep(dice.uniform(0, 0.05))
        assert over_the_limit() == []


def _clear() -> None:
    queuekit.queues.clear("swept", batch_size=3)


def _result(dice: random.Random, job: ClaimedJob) -> Result:
    outcome = dice.choice(OUTCOMES)
    again = NextAttempt(dice.choice([0, 0.01]), 1) if outcome == RETRIED else None
    error = None if outcome == FINISHED else describe_error(ValueError("no"))
    return Result(job.row_id, outcome, error, 0.1, again, concurrency_key=job.concurrency_key)


@SERVERS
def test_whatever_happens_at_once_nobody_hears_of_conflicts(
    database: Database, product: str, conflicts: list[int]
) -> None:
    survive(database, product, conflicts, seconds=3)


@pytest.mark.long
@SERVERS
def test_whatever_happens_at_once_for_a_minute_nobody_hears_of_conflicts(
    database: Database, product: str, conflicts: list[int]
) -> None:
    survive(database, product, conflicts, seconds=60)


def survive(database: Database, product: str, conflicts: list[int], seconds: float) -> None:
    crowd = Crowd(database, seconds)
    in_threads(crowd.run, len(crowd.roles))
    assert crowd.steps.keys() == {role.__name__ for role in crowd.roles}
    if product == "postgresql":
        assert conflicts == []
    else:
        # Those of ready rows, which two workers skipped by different indexes: the second try is
        # the last.
        assert len(conflicts) <= 1 + seconds / 3
        assert set(conflicts) <= {1, 2}
    assert over_the_limit() == []
    assert needlessly_blocked() == []
    assert without_slot() == []
