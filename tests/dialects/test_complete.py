"""`context.complete`: the job's end in the job's own transaction, and what a worker makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import queuekit
from queuekit import ClaimLostError, EnqueueOptionError, application, context
from queuekit.database import Database
from queuekit.executions.claimed import ClaimedJob, completions
from queuekit.executions.turn import Result
from queuekit.processes.completions import Completions
from tests.dialects.drivers import DRIVERS, CallersConnection, Driver
from tests.dialects.running import Process, bury, error_of
from tests.dialects.stepping_jobs import GiveUp, did, pay, pay_async, scene
from tests.dialects.support import ask, attempts, counts, states, take

drivers = pytest.mark.parametrize("driver", DRIVERS, ids=repr)
usual = pytest.mark.parametrize(
    "driver",
    [driver for driver in DRIVERS if driver.name in ("psycopg", "pymysql", "sqlite3")],
    ids=repr,
)


@pytest.fixture(autouse=True)
def a_new_scene() -> Iterator[None]:
    did.clear()
    scene.clear()
    yield
    scene.clear()


@pytest.fixture
def callers(driver: Driver, database_url: str, database: Database) -> Iterator[CallersConnection]:
    """A connection on which the application has a table of its own."""
    with driver.connection(database_url) as connection:
        connection.execute("drop table if exists orders")
        connection.execute("create table orders (id integer)")
        if not driver.commits_by_itself:
            connection.commit()
        yield connection


def orders() -> int:
    return int(ask("select count(*) from orders")[0][0])


@dataclass
class Worker(Process):
    """A process that settles as a worker does: it asks first what became of completions."""

    ended: list[Result] = field(default_factory=list)
    completed: list[Result] = field(default_factory=list)

    def run_and_ask(self) -> Result:
        job = self.claim()
        result = self.perform(job)
        self.completions = Completions(application.database())
        self.completions.add(job, result)
        self.ask()
        return result

    def ask(self) -> None:
        completed, others = self.completions.settle(self.id)
        self.completed += [result for _, result in completed]
        self.ended += [result for _, result in others]

    @property
    def is_waiting(self) -> bool:
        return bool(self.completions.row_ids)


def at_pay(function: Callable[[], object], place: str = "pay") -> None:
    scene[place] = function


def completes(callers: CallersConnection, then: Callable[[], object]) -> Callable[[], None]:
    """What a job does: its effect, its end, and then the end of the transaction."""

    def work() -> None:
        callers.begin()
        callers.execute("insert into orders values (1)")
        context.complete(callers.raw)
        then()

    return work


@drivers
def test_the_effect_and_the_end_are_committed_together(callers: CallersConnection) -> None:
    receipt = pay.enqueue()
    seen: list[Any] = []

    def commit() -> None:
        seen.append(states())
        callers.commit()
        seen.append(states())

    at_pay(completes(callers, commit))
    worker = Worker()

    result = worker.run_and_ask()

    assert seen == [{"claimed": [receipt.row_id]}, {"finished": [receipt.row_id]}]
    assert orders() == 1
    assert (result.outcome, result.has_completed) == ("finished", True)
    assert [r.outcome for r in worker.completed] == ["finished"]
    assert worker.ended == []
    assert attempts(receipt.job_id) == [(1, "finished")]


@drivers
def test_rolled_back_neither_has_happened(callers: CallersConnection) -> None:
    receipt = pay.enqueue()
    at_pay(completes(callers, callers.rollback))
    worker = Worker()

    worker.run_and_ask()

    assert orders() == 0
    assert states() == {"claimed": [receipt.row_id]}
    (result,) = worker.ended
    assert result.outcome == "failed"
    error = error_of(result)
    assert error.exception_class == "queuekit.errors.NotCommittedError"
    assert error.message.startswith(
        "tests.dialects.stepping_jobs.pay has called context.complete()"
    )
    assert worker.settle(result)
    assert counts() == {"failed": 1}


@usual
def test_jobs_that_are_not_kept_are_deleted(callers: CallersConnection) -> None:
    application.use(
        application.configuration().__class__(
            database_url=application.configuration().database_url, preserve_finished_jobs=False
        )
    )
    pay.enqueue()
    at_pay(completes(callers, callers.commit))

    Worker().run_and_ask()

    assert counts() == {}
    assert ask("select count(*) from queuekit_jobs") == [(0,)]
    assert orders() == 1


@usual
def test_a_process_that_lost_its_claim_cannot_complete(callers: CallersConnection) -> None:
    """The job runs elsewhere by now: its effect here is rolled back."""
    receipt = pay.enqueue()
    process = Process()
    job = process.claim()
    bury(process)

    def work() -> None:
        callers.begin()
        callers.execute("insert into orders values (1)")
        try:
            context.complete(callers.raw)
        except ClaimLostError:
            callers.rollback()
            raise

    at_pay(work)

    result = process.perform(job)

    error = error_of(result)
    assert error.exception_class == "queuekit.errors.ClaimLostError"
    assert error.message.startswith(f"the job {receipt.job_id} is not claimed by this process")
    assert not result.has_completed
    assert orders() == 0
    assert counts() == {"failed": 1}


@usual
def test_completing_twice_is_an_error(callers: CallersConnection) -> None:
    pay.enqueue()
    told: list[str] = []

    def again() -> None:
        with pytest.raises(ClaimLostError) as caught:
            context.complete(callers.raw)
        told.append(str(caught.value))
        callers.commit()
        with pytest.raises(ClaimLostError):
            context.complete(callers.raw)
        callers.rollback()

    at_pay(completes(callers, again))
    worker = Worker()

    worker.run_and_ask()

    assert "has completed itself before, in this run" in told[0]
    assert [result.outcome for result in worker.completed] == ["finished"]
    assert counts() == {"finished": 1}


@usual
def test_after_a_rollback_the_job_may_try_again(callers: CallersConnection) -> None:
    """As one does whose transaction lost against another."""
    pay.enqueue()

    def again() -> None:
        callers.rollback()
        completes(callers, callers.commit)()

    at_pay(completes(callers, again))
    worker = Worker()

    worker.run_and_ask()

    assert [result.outcome for result in worker.completed] == ["finished"]
    assert (orders(), counts()) == (1, {"finished": 1})


@usual
@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConnectionError(), "retried"), (KeyError(), "discarded"), (ValueError(), "failed")],
    ids=repr,
)
def test_after_an_error_and_a_rollback_the_policies_decide(
    callers: CallersConnection, error: Exception, outcome: str
) -> None:
    receipt = GiveUp.enqueue()

    def fail() -> None:
        callers.rollback()
        raise error

    at_pay(completes(callers, fail), "give up")
    worker = Worker()
    worker.run_and_ask()

    (result,) = worker.ended
    assert result.outcome == outcome
    assert worker.settle(result)
    assert attempts(receipt.job_id)[0] == (1, outcome)
    assert orders() == 0


@usual
def test_an_error_after_the_commit_changes_nothing(callers: CallersConnection) -> None:
    receipt = GiveUp.enqueue()

    def fail() -> None:
        callers.commit()
        raise ConnectionError("too late")

    at_pay(completes(callers, fail), "give up")
    worker = Worker()
    worker.run_and_ask()

    (result,) = worker.completed
    assert (result.outcome, result.next_attempt) == ("finished", None)
    assert error_of(result).message == "too late"
    assert attempts(receipt.job_id) == [(1, "finished")]


@pytest.mark.databases("postgresql", "mariadb", "mysql")
@usual
@pytest.mark.parametrize("ends_well", [True, False])
def test_a_transaction_left_open_is_not_waited_for(
    callers: CallersConnection, ends_well: bool
) -> None:
    """The worker's turn would wait for its lock. It asks again, until the transaction has ended."""
    pay.enqueue()
    at_pay(completes(callers, lambda: None))
    worker = Worker()
    worker.run_and_ask()
    worker.ask()
    assert worker.is_waiting
    assert (worker.completed, worker.ended) == ([], [])
    other = pay.enqueue()
    scene.clear()
    taken = take(worker.id)
    assert [job.row_id for job in taken.claimed] == [other.row_id]

    if ends_well:
        callers.commit()
    else:
        callers.rollback()
    worker.ask()

    assert not worker.is_waiting
    assert [r.outcome for r in worker.completed] == (["finished"] if ends_well else [])
    assert [r.outcome for r in worker.ended] == ([] if ends_well else ["failed"])
    worker.settle(worker.perform(taken.claimed[0]))


@usual
def test_only_the_own_claims_are_asked_about(callers: CallersConnection) -> None:
    pay.enqueue()
    process, other = Process(), Process()
    job = process.claim()

    assert completions(application.database(), process.id, [job.row_id]).stand == {job.row_id}
    assert completions(application.database(), process.id, [job.row_id]).free == {job.row_id}
    assert completions(application.database(), other.id, [job.row_id]).stand == frozenset()


@usual
def test_nothing_more_is_recorded_by_a_job_that_has_completed_itself(
    callers: CallersConnection,
) -> None:
    """It would wait for its own transaction."""
    job = queuekit.job(name=f"{__name__}.go_on", continuable=True)(go_on)
    job.enqueue()

    def go_on_after() -> None:
        context.progress(1, 2)
        with pytest.raises(queuekit.InvalidStepError, match="the job has completed itself"):
            context.step("late", lambda: None)
        callers.commit()

    at_pay(completes(callers, go_on_after), "go on")
    worker = Worker()

    worker.run_and_ask()

    assert [result.outcome for result in worker.completed] == ["finished"]
    assert ask("select count(*) from queuekit_progress") == [(0,)]


def go_on() -> None:
    did.append("go on")
    scene["go on"]()


@usual
def test_performed_now_it_does_nothing(callers: CallersConnection) -> None:
    at_pay(completes(callers, callers.commit))

    pay.perform_now()

    assert orders() == 1
    assert counts() == {}


def test_something_that_is_no_connection_is_refused() -> None:
    pay.enqueue()
    at_pay(lambda: context.complete(object()))
    process = Process()

    result = process.run()

    assert error_of(result).exception_class == "queuekit.errors.EnqueueOptionError"
    assert not result.has_completed
    assert issubclass(EnqueueOptionError, queuekit.EnqueueError)


def test_a_job_that_never_completed_itself_is_settled_as_ever() -> None:
    pay.enqueue()
    process = Process()
    job: ClaimedJob = process.claim()

    result = process.perform(job)

    assert not result.has_completed
    assert process.settle(result)


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize(("how", "end"), [("commit", "finished"), ("rollback", "failed")])
@pytest.mark.parametrize("driver", [DRIVERS[0]], ids=repr)
def test_an_async_job_completes_itself_on_its_async_connection(
    callers: CallersConnection, database_url: str, how: str, end: str
) -> None:
    pay_async.enqueue(database_url, how)
    worker = Worker()

    worker.run_and_ask()

    assert [result.outcome for result in worker.completed + worker.ended] == [end]
    assert orders() == (1 if how == "commit" else 0)
    for result in worker.ended:
        assert worker.settle(result)
