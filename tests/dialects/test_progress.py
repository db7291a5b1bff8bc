"""`context.progress`: what is written of it, when, and where it is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import queuekit
from queuekit import application, events, status
from queuekit.database import Database
from queuekit.errors import DatabaseUnavailableError
from queuekit.executions.steps import progress_of
from queuekit.progress import Progress
from tests.dialects.running import Process, bury, error_of, run
from tests.dialects.stepping_jobs import count, did, pay, scene
from tests.dialects.support import ask


@pytest.fixture(autouse=True)
def a_new_scene() -> Iterator[None]:
    did.clear()
    scene.clear()
    yield
    scene.clear()


def progress(job_id: str) -> tuple[float, float | None] | None:
    found = progress_of(application.database(), job_id)
    return None if found is None else (found.done, found.total)


def test_it_is_written_at_once_and_then_at_most_once_a_second() -> None:
    receipt = count.enqueue((1, 100), (2, 100), (3, 100))
    seen: list[object] = []
    for number in (1, 2, 3):
        scene[f"told {number}"] = lambda: seen.append(progress(receipt.job_id))

    run()

    assert seen == [(1, 100)] * 3
    assert progress(receipt.job_id) == (3, 100)  # when the run ends


def test_the_end_is_written_at_once() -> None:
    receipt = count.enqueue((1, 2), (2, 2), (0, 0.5))
    scene["told 2"] = lambda: did.append(progress(receipt.job_id))

    run()

    assert (2, 2) in did


def test_after_a_second_it_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queuekit.progress._INTERVAL", 0.0)
    receipt = count.enqueue((1, None), (2, None))
    scene["told 2"] = lambda: did.append(progress(receipt.job_id))

    run()

    assert (2, None) in did


def test_a_job_that_fails_leaves_what_it_said_last() -> None:
    receipt = count.enqueue((1, 9), (7, 9))
    scene["told 7"] = lambda: 1 / 0

    assert run().outcome == "failed"
    assert progress(receipt.job_id) == (7, 9)


def test_status_shows_what_runs_and_how_far_it_is() -> None:
    receipt = count.using(queue="slow").enqueue((1, 4))
    seen: list[status.Status] = []
    scene["told 1"] = lambda: seen.append(status.gather())
    process = Process()

    process.run()

    (job,) = seen[0].running
    assert (job.job_id, job.class_name) == (receipt.job_id, "tests.dialects.stepping_jobs.count")
    assert (job.queue, job.attempt, job.process_id) == ("slow", 1, process.id)
    assert (job.done, job.total) == (1, 4)
    assert 0 <= job.seconds < 60
    assert status.gather().running == ()


def test_a_job_that_says_nothing_is_shown_without() -> None:
    pay.enqueue()
    process = Process()
    job = process.claim()

    (running,) = status.gather().running

    assert (running.done, running.total) == (None, None)
    process.settle(process.perform(job))


def test_a_process_that_lost_its_claim_writes_nothing() -> None:
    receipt = count.enqueue((1, 2), (2, 2))
    process = Process()
    job = process.claim()
    scene["told 1"] = lambda: bury(process)

    process.perform(job)

    assert progress(receipt.job_id) == (1, 2)


@pytest.mark.parametrize(
    ("done", "total"), [(-1, 2), (1, -2), (float("nan"), 1), (True, 2), ("1", 2), (1, float("inf"))]
)
def test_what_is_no_number_is_an_error(done: object, total: object) -> None:
    count.enqueue((done, total))

    result = run()

    assert error_of(result).exception_class == "ValueError"


def test_a_database_that_does_not_take_it_harms_no_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[events.Event] = []
    events.subscribe(seen.append)
    count.enqueue((1, 3), (2, 3), (3, 3))

    def refuse(*arguments: object) -> bool:
        raise DatabaseUnavailableError("it is away")

    process = Process()
    job = process.claim()
    with monkeypatch.context() as patch:
        patch.setattr("queuekit.executions.steps.record_progress", refuse)
        result = process.perform(job)
    events.unsubscribe(seen.append)

    assert result.outcome == "finished"
    errors = [event for event in seen if isinstance(event, events.ErrorOccurred)]
    assert {event.where for event in errors} == {"writing a job's progress"}
    process.settle(result)


def test_a_timeout_that_comes_while_the_last_of_it_is_written_fails_no_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count.enqueue((1, 3), (2, 3))
    process = Process()
    job = process.claim()

    def be_late() -> None:
        def interrupted(*arguments: object) -> bool:
            raise queuekit.JobTimeout

        monkeypatch.setattr("queuekit.executions.steps.record_progress", interrupted)

    scene["told 2"] = be_late
    result = process.perform(job)

    assert result.outcome == "finished"
    process.settle(result)


def test_performed_now_nothing_is_written() -> None:
    count.perform_now((1, 2), (2, 2))

    assert did == ["told 1", "told 2"]
    assert ask("select count(*) from queuekit_progress") == [(0,)]


def test_outside_a_job_there_is_no_progress() -> None:
    with pytest.raises(queuekit.NoCurrentJobError):
        queuekit.context.progress(1)


def test_the_same_again_is_not_written_again() -> None:
    told = Progress(None)
    told.tell(1, 1, may_write=True)
    assert (told.done, told.total, told.is_unwritten) == (1, 1, False)
