"""Continuations: what is recorded, when, by whom, and what a later run makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

import queuekit
from queuekit import application
from queuekit.executions.finished import clear_in_batches
from queuekit.executions.steps import forget_page, progress_of, steps_of
from queuekit.processes.forgetting import Forgetting
from tests.dialects.running import Process, bury, error_of, make_due, run
from tests.dialects.stepping_jobs import (
    Import,
    ImportByPolicies,
    ImportTwice,
    count,
    cursors,
    did,
    fetch,
    isolated,
    scene,
    steps,
)
from tests.dialects.support import ask, attempts, configure, counts, take


@pytest.fixture(autouse=True)
def a_new_scene() -> Iterator[None]:
    did.clear()
    scene.clear()
    yield
    scene.clear()


def recorded(job_id: str) -> list[tuple[str, str | None, bool]]:
    found = steps_of(application.database(), job_id)
    return [(step.name, step.cursor, step.is_finished) for step in found]


def stored(cursor: str) -> str:
    return f'{{"args":[{cursor}],"kwargs":{{}}}}'


def raises(error: BaseException, places: list[str]) -> None:
    """Let the job raise at the next of these places, once each time it comes there."""

    def raise_once(place: str) -> None:
        del scene[place]
        raise error

    for place in places:
        scene[place] = lambda place=place: raise_once(place)  # type: ignore[misc]


def test_steps_run_in_order_and_are_recorded_when_they_are_reached() -> None:
    receipt = Import.enqueue("file")
    seen: dict[str, Any] = {}
    for place in ("validate", "row 0", "row 3", "finish"):
        scene[place] = lambda place=place: seen.setdefault(place, recorded(receipt.job_id))  # type: ignore[misc]

    assert run().outcome == "finished"

    assert did == [
        "perform file",
        "validate",
        *(f"row {number}" for number in range(5)),
        "finish",
    ]
    validated = ("validate", None, True)
    assert seen == {
        "validate": [],
        "row 0": [validated],
        "row 3": [validated, ("rows", stored("3"), False)],
        "finish": [validated, ("rows", stored("5"), True)],
    }
    assert recorded(receipt.job_id)[-1] == ("finish", None, True)


def test_a_job_is_interrupted_at_a_checkpoint_and_goes_on_from_the_cursor() -> None:
    receipt = Import.enqueue("file")
    process = Process()
    scene["row 2"] = lambda: setattr(process, "is_stopping", True)

    result = process.run()

    assert (result.outcome, result.error) == ("retried", None)
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "ready")]
    assert did[-1] == "row 2"
    did.clear()
    assert run().outcome == "finished"
    assert did == ["perform file", "row 3", "row 4", "finish"]
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "finished")]


def test_a_job_is_interrupted_between_steps() -> None:
    steps.enqueue("one", "two")
    process = Process()
    scene["one"] = lambda: setattr(process, "is_stopping", True)

    assert process.run().outcome == "retried"
    assert did == ["one"]

    assert run().outcome == "finished"
    assert did == ["one", "two"]


def test_there_is_no_checkpoint_before_the_first_step_of_a_run() -> None:
    steps.enqueue("one")

    assert Process(is_stopping=True).run().outcome == "finished"


@pytest.mark.parametrize("place", ["perform file", "validate", "row 0", "row 3", "finish"])
def test_after_a_death_no_recorded_step_runs_again(place: str) -> None:
    """The process is gone in the middle: nothing was settled, another attempt begins."""
    Import.enqueue("file")
    dying = Process()
    raises(SystemExit(), [place])
    dying.perform(dying.claim())
    before = list(did)
    did.clear()
    bury(dying)

    assert run().outcome == "finished"

    whole = ["perform file", "validate", *(f"row {number}" for number in range(5)), "finish"]
    expected = whole[whole.index(place) :]
    assert before == whole[: whole.index(place) + 1]
    assert did == (expected if place == "perform file" else ["perform file", *expected])


def test_a_release_of_the_same_row_resumes_too() -> None:
    """QUIT: the claim goes back to ready, with what was recorded."""
    steps.enqueue("one", "two")
    leaving = Process()
    raises(SystemExit(), ["two"])
    leaving.perform(leaving.claim())
    application.database().query("processes.deregister", process_id=leaving.id)
    did.clear()

    assert run().outcome == "finished"
    assert did == ["two"]


def test_a_process_that_lost_its_claim_records_nothing_and_stops() -> None:
    receipt = Import.enqueue("file")
    pruned = Process()
    job = pruned.claim()
    scene["row 1"] = lambda: bury(pruned)

    result = pruned.perform(job)

    assert error_of(result).exception_class == "queuekit.errors.ClaimLostError"
    assert did[-1] == "row 1"
    assert recorded(receipt.job_id)[-1] == ("rows", stored("1"), False)
    assert not pruned.settle(result)
    assert counts() == {"finished": 1, "ready": 1}


def test_an_error_after_progress_resumes_the_job() -> None:
    receipt = Import.enqueue("file")
    raises(ValueError("broken row"), ["row 2", "finish"])

    assert error_of(run()).message == "broken row"

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "scheduled")]
    did.clear()
    make_due()
    run()
    assert did == ["perform file", "row 2", "row 3", "row 4", "finish"]
    make_due()
    did.clear()
    assert run().outcome == "finished"
    assert did == ["perform file", "finish"]


def test_an_error_without_progress_is_the_policies() -> None:
    receipt = Import.enqueue("file")
    raises(ValueError("broken file"), ["validate"])
    assert run().outcome == "failed"
    assert attempts(receipt.job_id) == [(1, "failed")]


def test_without_progress_in_this_run_the_policies_decide_too() -> None:
    """So a job that cannot get any further ends."""
    receipt = Import.enqueue("file")
    scene["row 2"] = lambda: 1 / 0

    run()
    make_due()
    assert run().outcome == "failed"

    assert attempts(receipt.job_id) == [(1, "retried"), (2, "failed")]


def test_a_retry_by_hand_goes_on_after_the_finished_steps() -> None:
    receipt = ImportByPolicies.enqueue("file")
    raises(ValueError(), ["row 2"])
    assert run().outcome == "failed"
    did.clear()

    queuekit.failed.retry(receipt.job_id)

    assert run().outcome == "finished"
    assert did == ["perform file", "row 2", "row 3", "row 4", "finish"]


def test_a_policy_may_retry_a_job_of_steps() -> None:
    receipt = steps.enqueue("one", "two")
    raises(KeyError(), ["one"])
    assert run().outcome == "retried"
    make_due()
    run()
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "finished")]
    assert did == ["one", "one", "two"]


def test_a_job_is_resumed_as_often_as_it_allows() -> None:
    receipt = ImportTwice.enqueue("file")
    for place in ("row 0", "row 1", "row 2"):
        process = Process()
        scene[place] = lambda process=process: setattr(process, "is_stopping", True)  # type: ignore[misc]
        result = process.run()

    error = error_of(result)
    assert result.outcome == "failed"
    assert error.exception_class == "queuekit.errors.ResumeLimitError"
    assert error.message == "the job was resumed 2 times, which is its max_resumptions"
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "retried"), (3, "failed")]


def test_resumptions_are_counted_with_the_job() -> None:
    ImportTwice.enqueue("file")
    process = Process()
    scene["row 0"] = lambda: setattr(process, "is_stopping", True)
    process.run()

    ((counters, executions),) = ask(
        "select exception_executions, executions from queuekit_jobs where attempt = 2"
    )
    assert (counters, executions) == ('{"queuekit.Continuation": 1}', 1)


def test_the_order_of_steps_must_stay_what_it_was() -> None:
    receipt = steps.enqueue("one", "two")
    raises(ValueError(), ["two"])
    run()
    ask("update queuekit_steps set name = 'eins' where uuid = :uuid", uuid=receipt.job_id)
    make_due()

    error = error_of(run())

    assert error.exception_class == "queuekit.errors.InvalidStepError"
    assert error.message.startswith(
        "step 'one' comes where an earlier run of this job had step 'eins'"
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{SNOWMAN}",
        date(2026, 1, 31),
        (1, 2),
        {"a": [b"\0"]},
    ],
    ids=repr,
)
def test_a_cursor_is_anything_that_arguments_may_be(value: Any) -> None:
    cursors.enqueue(value)
    raises(ValueError(), ["set"])
    run()
    make_due()

    assert run().outcome == "finished"

    assert did == [(None, False), "set", (value, True), "set"]


def test_a_cursor_that_cannot_be_stored_fails_the_job() -> None:
    """And does not resume it for ever: nothing was recorded."""
    receipt = queuekit.job(name=f"{__name__}.unstorable", continuable=True)(set_lock).enqueue()

    result = run()

    assert result.outcome == "failed"
    assert error_of(result).exception_class == "queuekit.errors.SerializationError"
    assert error_of(result).message.startswith("step 'lock': argument cursor is a")
    assert recorded(receipt.job_id) == []


def set_lock() -> None:
    import threading

    queuekit.context.step("lock", lambda step: step.set(threading.Lock()))


def test_an_isolated_step_has_a_run_of_its_own() -> None:
    receipt = isolated.enqueue()
    for done in (["before"], ["alone"], ["after"]):
        did.clear()
        run()
        assert did == done
    assert attempts(receipt.job_id) == [(1, "retried"), (2, "retried"), (3, "finished")]


def test_async_jobs_await_their_steps() -> None:
    receipt = fetch.enqueue()
    raises(ValueError(), ["first again"])
    run()
    make_due()

    assert run().outcome == "finished"

    assert did == ["first", "first again", "first", "first again", "second"]
    assert recorded(receipt.job_id) == [("first", stored('"middle"'), True), ("second", None, True)]


def test_performed_now_nothing_is_recorded() -> None:
    Import.perform_now("file")
    isolated.perform_now()

    assert did[-3:] == ["before", "alone", "after"]
    assert ask("select count(*) from queuekit_steps") == [(0,)]


# Forgetting


def test_the_steps_and_the_progress_of_cleared_jobs_are_forgotten() -> None:
    cleared = [steps.enqueue("one") for _ in range(3)]
    for _ in cleared:
        process = Process()
        (job, *_) = take(process.id, limit=1).claimed
        process.settle(process.perform(job))
    cleared.append(count.enqueue((1, 2)))
    run()
    kept = steps.enqueue("one", "two")
    raises(ValueError(), ["two"])
    run()
    assert clear_in_batches(older_than=-60.0) == len(cleared) + 1  # the first attempt of `kept`
    make_due()

    Forgetting(application.database()).attend()

    assert [recorded(receipt.job_id) for receipt in cleared] == [[]] * len(cleared)
    assert progress_of(application.database(), cleared[-1].job_id) is None
    assert recorded(kept.job_id) == [("one", None, True)]


def test_forgetting_goes_page_by_page() -> None:
    jobs = [count.enqueue((1, 2)) for _ in range(5)]
    for _ in jobs:
        process = Process()
        (job, *_) = take(process.id, limit=1).claimed
        process.settle(process.perform(job))
    clear_in_batches(older_than=-60.0)

    left, after = [], None
    while True:
        after = forget_page(application.database(), after, 2)
        left.append(ask("select count(*) from queuekit_progress")[0][0])
        if after is None:
            break

    assert left == [3, 1, 0]


def test_jobs_that_are_not_kept_keep_their_steps_until_they_end() -> None:
    configure(preserve_finished_jobs=False)
    receipt = steps.enqueue("one", "two")
    raises(ValueError(), ["two"])
    process = Process()
    result = process.perform(process.claim())
    take(process.id, [result], limit=0, preserve_finished=False)

    Forgetting(application.database()).attend()
    assert recorded(receipt.job_id) == [("one", None, True)]

    make_due()
    process = Process()
    result = process.perform(process.claim())
    assert did == ["one", "two", "two"]
    take(process.id, [result], limit=0, preserve_finished=False)
    Forgetting(application.database()).attend()
    assert recorded(receipt.job_id) == []
