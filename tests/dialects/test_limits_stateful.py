"""Whatever happens to jobs with concurrency limits, in whatever order: after each step no key has
more jobs that count than slots, nobody waits for a slot that is free, and every job is in one
place.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import queuekit
from queuekit import application
from queuekit.database import Database
from queuekit.executions import claimed, scheduled, semaphores
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import DISCARDED, FAILED, FINISHED, RETRIED, NextAttempt, Result
from queuekit.processes import registration
from tests.dialects.limited_jobs import never_waits, one_at_a_time, survives, two_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, misplaced, register, take

JOBS = (one_at_a_time, two_at_a_time, never_waits, survives)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KEYS = st.sampled_from(["a", "A"])
SOME = st.integers(0, 2**32).map(random.Random)


def over_the_limit() -> list[Any]:
    """Keys with more jobs that count than slots."""
    return [row for row in _slots() if row[2] > row[1]]


def needlessly_blocked() -> list[Any]:
    """Keys with a free slot that jobs are waiting for."""
    waiting = {row[0] for row in ask("select concurrency_key from queuekit_blocked_executions")}
    return [row for row in _slots() if row[0] in waiting and row[2] < row[1]]


def without_slot() -> list[Any]:
    """Jobs that are ready or claimed under a key without a slot, and slots of jobs that ended."""
    holding = (
        "select job_id from queuekit_ready_executions "
        "union all select job_id from queuekit_claimed_executions"
    )
    return [
        *ask(
            "select id, concurrency_key from queuekit_jobs where concurrency_key is not null "
            f"and id in ({holding}) "
            "and id not in (select job_id from queuekit_semaphore_slots)"
        ),
        *ask(f"select job_id from queuekit_semaphore_slots where job_id not in ({holding})"),
        *ask(
            "select slot.job_id from queuekit_semaphore_slots slot "
            "join queuekit_ready_executions ready on ready.job_id = slot.job_id "
            "where slot.expires_at is not null or slot.process_id is not null"
        ),
    ]


def _slots() -> list[Any]:
    now = {
        "sqlite": "round((julianday('now') - 2440587.5) * 86400.0, 3)",
        "mysql": "utc_timestamp(6)",
        "postgresql": "statement_timestamp()",
    }
    clock = now[application.database().dialect.name]
    return ask(
        "select semaphore.concurrency_key, semaphore.slots, count(slot.job_id) "
        "from queuekit_semaphores semaphore left join queuekit_semaphore_slots slot "
        "on slot.concurrency_key = semaphore.concurrency_key "
        f"and (slot.expires_at is null or slot.expires_at > {clock}) "
        "group by semaphore.concurrency_key, semaphore.slots"
    )


class LimitedJobs(RuleBasedStateMachine):
    """Two workers, a few keys, and everything that can happen to a job."""

    def __init__(self) -> None:
        super().__init__()
        for (table,) in _tables():
            ask(f"delete from {table}")
        self.workers: dict[int, list[ClaimedJob]] = {register(): [], register(): []}

    def worker(self, some: random.Random) -> int:
        """One that holds jobs, when there are any to be had."""
        for worker in sorted(self.workers):
            if not self.workers[worker]:
                self.workers[worker] += take(worker, limit=some.randint(1, 3)).claimed
        busy = [worker for worker, held in sorted(self.workers.items()) if held]
        return some.choice(busy or sorted(self.workers))

    def some_job(self, some: random.Random) -> tuple[int, ClaimedJob] | None:
        """A job that a worker holds, and holds no more."""
        worker = self.worker(some)
        held = self.workers[worker]
        return (worker, held.pop(some.randrange(len(held)))) if held else None

    @initialize(numbers=st.lists(st.integers(0, 3), max_size=12))
    def begin(self, numbers: list[int]) -> None:
        queuekit.enqueue_all([JOBS[number].bind("a", number) for number in numbers])

    @rule(job=st.sampled_from(JOBS), key=KEYS, priority=st.integers(0, 2))
    def enqueue(self, job: Any, key: str, priority: int) -> None:
        queue = "swept" if priority == 1 else None
        receipt = job.using(priority=priority, queue=queue).enqueue(key)
        assert receipt.status in ("enqueued", "discarded" if job is never_waits else "blocked")

    @rule(key=KEYS, number=st.integers(1, 7))
    def enqueue_all(self, key: str, number: int) -> None:
        bound = [JOBS[index % len(JOBS)].bind(key, index) for index in range(number)]
        queuekit.enqueue_all([*bound, note.bind(1)])

    @rule(job=st.sampled_from(JOBS), key=KEYS)
    def enqueue_for_later(self, job: Any, key: str) -> None:
        job.using(wait=0.001).enqueue(key)

    @rule(limit=st.integers(1, 5))
    def dispatch(self, limit: int) -> None:
        scheduled.dispatch(application.database(), limit)

    @rule(some=SOME, limit=st.integers(1, 4))
    def claim(self, some: random.Random, limit: int) -> None:
        worker = some.choice(sorted(self.workers))
        self.workers[worker] += take(worker, limit=limit).claimed

    @rule(some=SOME, limit=st.integers(0, 3), number=st.integers(1, 3))
    def settle(self, some: random.Random, limit: int, number: int) -> None:
        worker = self.worker(some)
        held = self.workers[worker]
        ended = some.sample(held, min(number, len(held)))
        results = [_result(some, job) for job in ended]
        taken = take(worker, results, limit=limit, preserve_finished=some.random() < 0.7)
        assert taken.settled == {job.row_id for job in ended}
        self.workers[worker] = [job for job in held if job not in ended] + [*taken.claimed]

    @rule(some=SOME)
    def settle_twice(self, some: random.Random) -> None:
        if found := self.some_job(some):
            worker, job = found
            result = Result(job.row_id, FINISHED, concurrency_key=job.concurrency_key)
            assert take(worker, [result], limit=0).settled == {job.row_id}
            assert take(worker, [result], limit=0).settled == frozenset()

    @rule(some=SOME)
    def give_back(self, some: random.Random) -> None:
        if found := self.some_job(some):
            worker, job = found
            claimed.release(application.database(), worker, [job.row_id])

    @rule(some=SOME)
    def leave(self, some: random.Random) -> None:
        self.end(self.worker(some), some, dies=False)

    @rule(some=SOME)
    def die(self, some: random.Random) -> None:
        self.end(self.worker(some), some, dies=True)

    @rule(some=SOME, hears=st.booleans(), dies=st.booleans())
    def complete(self, some: random.Random, hears: bool, dies: bool) -> None:
        """A job ends itself in a transaction of its own, and its worker hears of it, or is gone."""
        if found := self.some_job(some):
            worker, job = found
            database = application.database()
            database.query(
                "claimed.complete", job_id=job.row_id, process_id=worker, preserve_finished=True
            )
            if not hears:
                self.end(worker, some, dies=dies)
            elif job.concurrency_key is not None:
                semaphores.release(database, {job.row_id: job.concurrency_key})

    @rule(some=SOME, gives_back=st.booleans())
    def expire(self, some: random.Random, gives_back: bool) -> None:
        """A job has been claimed for too long. Others come in, then it ends, or is given back."""
        self.worker(some)
        rows = ask("select job_id from queuekit_claimed_executions order by 1")
        if rows:
            ((row_id,),) = some.sample(rows, 1)
            self.enqueue_all("a", 3)
            self.enqueue_all("A", 3)
            ask(
                "update queuekit_semaphore_slots set expires_at = :past where job_id = :id",
                past=application.database().to_database(LONG_AGO),
                id=row_id,
            )
            semaphores.sweep(application.database())
        if rows and gives_back:
            for worker, held in self.workers.items():
                if row_id in {job.row_id for job in held}:
                    claimed.release(application.database(), worker, [row_id])
                    held[:] = [job for job in held if job.row_id != row_id]

    def end(self, worker: int, some: random.Random, *, dies: bool) -> None:
        """A worker leaves, or dies and is late with its results; another comes."""
        held = self.workers.pop(worker)
        database = application.database()
        if dies:
            begun = [job.row_id for job in held if some.random() < 0.5]
            registration.bury(
                database,
                application.configuration(),
                worker,
                RuntimeError("it died"),
                begun=None if some.random() < 0.4 else begun,
            )
        else:
            registration.release(database, worker)
        late = [Result(job.row_id, FINISHED, concurrency_key=job.concurrency_key) for job in held]
        assert not take(worker, late).registered
        self.workers[register()] = []

    @rule()
    def sweep(self) -> None:
        """There is nothing for it to do: every transition has done all."""
        assert semaphores.sweep(application.database()) == 0

    @rule(some=SOME, discards=st.booleans())
    def by_hand(self, some: random.Random, discards: bool) -> None:
        if jobs := queuekit.failed.list():
            job = some.choice(jobs)
            (queuekit.failed.discard if discards else queuekit.failed.retry)(job.job_id)

    @rule(some=SOME)
    def discard(self, some: random.Random) -> None:
        """Some job that waits is not wanted any more."""
        rows = ask(
            "select job.uuid from queuekit_jobs job where job.id in ("
            "select job_id from queuekit_ready_executions "
            "union all select job_id from queuekit_blocked_executions "
            "union all select job_id from queuekit_scheduled_executions) order by job.id"
        )
        if rows:
            queuekit.jobs.discard(str(some.choice(rows)[0]))

    @rule(batch_size=st.integers(1, 3))
    def clear(self, batch_size: int) -> None:
        queuekit.queues.clear("swept", batch_size=batch_size)

    @invariant()
    def every_job_is_in_one_place(self) -> None:
        assert misplaced() == []

    @invariant()
    def no_key_has_more_jobs_than_slots(self) -> None:
        assert over_the_limit() == []

    @invariant()
    def nobody_waits_for_a_free_slot(self) -> None:
        assert needlessly_blocked() == []

    @invariant()
    def slots_are_where_jobs_are(self) -> None:
        assert without_slot() == []


def _result(some: random.Random, job: ClaimedJob) -> Result:
    outcome = some.choice([FINISHED, FINISHED, FAILED, DISCARDED, RETRIED])
    again = None
    error = None if outcome == FINISHED else describe_error(ValueError("it broke"))
    if outcome == RETRIED:
        again = NextAttempt(wait=some.choice([0, 0.001]), executions=1)
    return Result(job.row_id, outcome, error, 0.1, again, concurrency_key=job.concurrency_key)


def _tables() -> list[Any]:
    names = ["jobs", "semaphores", "semaphore_slots", "processes"]
    states = ["scheduled", "ready", "blocked", "claimed", "failed", "finished"]
    return [(f"queuekit_{name}",) for name in names] + [
        (f"queuekit_{state}_executions",) for state in states
    ]


def test_limits_hold_whatever_happens(database: Database, product: str) -> None:
    examples = 100 if product == "sqlite" else 20
    run_state_machine_as_test(
        LimitedJobs,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
