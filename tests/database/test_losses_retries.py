"""Connections that are lost in the midst of a turn with retries, and under a job's own writes."""

from __future__ import annotations

import time

import pytest

import queuekit
from queuekit import DatabaseUnavailableError, Retry, Step, application, context, events
from queuekit.config import Configuration, WorkerSettings
from queuekit.database.url import parse
from queuekit.executions.claimed import held_by
from queuekit.executions.errors import describe_error
from queuekit.executions.turn import RETRIED, NextAttempt, Result
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker
from tests.database.proxy import Proxy
from tests.dialects.running import Process
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    claim,
    counts,
    finished,
    in_use,
    register,
    take,
    wait_until,
)

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")


PLACES = ["insert into queuekit_jobs", "insert into queuekit_f", "commit"]


def on_the_wire(place: str, product: str) -> str:
    """PostgreSQL's `begin` says `read committed`; its texts end with a zero byte."""
    return "commit\0" if (place, product) == ("commit", "postgresql") else place


def again(row_id: int) -> Result:
    error = describe_error(ValueError("once more"))
    return Result(row_id, RETRIED, error, next_attempt=NextAttempt(0.0, 1))


def test_a_turn_with_retries_whose_commit_is_not_answered_has_happened(
    proxy: Proxy, product: str
) -> None:
    receipt, other = note.enqueue(), note.enqueue()
    worker = register()
    one, two = claim(worker)
    proxy.lose_answer_to(on_the_wire("commit", product))

    with pytest.raises(DatabaseUnavailableError):
        take(worker, [again(one.row_id), finished(two)], limit=0)

    assert held_by(application.database(), worker) == []
    assert take(worker, [again(one.row_id), finished(two)], limit=0).settled == frozenset()
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]
    assert attempts(other.job_id) == [(1, "finished")]


@pytest.mark.parametrize("place", PLACES)
def test_a_turn_with_retries_that_breaks_off_has_not_happened(
    proxy: Proxy, place: str, product: str
) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    proxy.lose_request(on_the_wire(place, product))

    with pytest.raises(DatabaseUnavailableError):
        take(worker, [again(job.row_id)], limit=0)

    assert proxy.losses == 1
    wait_until(lambda: attempts(receipt.job_id) == [(1, "claimed")])
    assert take(worker, [again(job.row_id)], limit=0).settled == {job.row_id}
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


@pytest.mark.parametrize("place", PLACES[:2])
def test_retries_that_were_written_and_not_committed_are_gone(proxy: Proxy, place: str) -> None:
    receipt = note.enqueue()
    worker = register()
    (job,) = claim(worker)
    proxy.lose_answer_to(place)

    with pytest.raises(DatabaseUnavailableError):
        take(worker, [again(job.row_id)], limit=0)

    wait_until(lambda: attempts(receipt.job_id) == [(1, "claimed")])
    assert take(worker, [again(job.row_id)], limit=0).settled == {job.row_id}
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=3))
def stumble() -> None:
    if context.attempt < 3:
        raise ConnectionError("it stumbles")


@pytest.mark.parametrize("reaches_the_server", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_worker_gets_over_it_and_every_chain_is_whole(
    proxy: Proxy, place: str, reaches_the_server: bool, product: str
) -> None:
    receipts = queuekit.enqueue_all(stumble.bind() for _ in range(10))
    configuration = Configuration(database_url=application.configuration().database_url)
    worker = Worker(
        WorkerSettings(threads=3), configuration, application.database(), Wakeup(), Scoreboard(9)
    )
    worker.start(register())

    def poll() -> None:
        try:
            worker.poll()
        except DatabaseUnavailableError:
            time.sleep(0.01)

    poll()
    lose = proxy.lose_answer_to if reaches_the_server else proxy.lose_request
    lose(on_the_wire(place, product))
    wait_until(lambda: poll() or counts() == {"finished": 30})
    worker.abandon()

    assert proxy.losses == 1
    ends = [(1, "retried"), (2, "retried"), (3, "finished")]
    assert all(attempts(receipt.job_id) == ends for receipt in receipts)


# What a job writes itself


@queuekit.job
def count() -> None:
    for done in range(3):
        context.progress(done, 3)
    context.progress(3, 3)


@pytest.mark.parametrize("lose", ["lose_request", "lose_answer_to"])
def test_a_progress_that_is_lost_on_the_way_is_written_on_another(proxy: Proxy, lose: str) -> None:
    count.enqueue()
    process = Process()
    job = process.claim()
    getattr(proxy, lose)("insert into queuekit_progress")

    result = process.perform(job)

    assert result.outcome == "finished"
    assert proxy.losses == 1
    assert ask("select done, total from queuekit_progress") == [(3, 3)]
    assert process.settle(result)


def test_while_the_database_is_away_progress_costs_a_job_neither_its_life_nor_time(
    database_url: str,
) -> None:
    seen: list[events.Event] = []
    with in_use(database_url):
        count.enqueue()
        process = Process()
        job = process.claim()
        url = parse(database_url)
        events.subscribe(seen.append)
        with Proxy(url.host or "", url.port or 0) as gone:
            port = gone.port
        with in_use(database_url.replace(f":{url.port}/", f":{port}/")):
            began = time.monotonic()
            result = process.perform(job)
            took = time.monotonic() - began
        events.unsubscribe(seen.append)
        assert result.outcome == "finished"
        assert took < 5
        assert any(isinstance(event, events.ErrorOccurred) for event in seen)
    with in_use(database_url):
        assert process.settle(result)


@queuekit.job(continuable=True)
def go_through() -> None:
    def rows(step: Step) -> None:
        while step.cursor < 3:
            done.append(step.cursor)
            step.advance()

    context.step("rows", rows, start=0)


done: list[int] = []


@pytest.mark.parametrize("lose", ["lose_request", "lose_answer_to"])
def test_a_step_that_is_lost_on_the_way_is_recorded_once(proxy: Proxy, lose: str) -> None:
    done.clear()
    go_through.enqueue()
    process = Process()
    job = process.claim()
    getattr(proxy, lose)("insert into queuekit_steps")

    result = process.perform(job)

    assert (result.outcome, done, proxy.losses) == ("finished", [0, 1, 2], 1)
    assert process.settle(result)
    assert len(ask("select name from queuekit_steps where is_finished")) == 1
