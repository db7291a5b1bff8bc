"""Callbacks: what comes before, around and after enqueueing and performing, and what stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import Abort, BoundJob, CurrentJob, Retry, callbacks, declaration, events
from queuekit.callbacks import MOMENTS
from queuekit.database import prepare
from queuekit.errors import EnqueueError, JobDeclarationError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.executions.turn import Result
from queuekit.performing import Performer
from tests.dialects.support import ask, in_use

said: list[str] = []


@pytest.fixture(autouse=True)
def own_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of every job, and those of queuekit.Job, are nobody else's."""
    said.clear()
    monkeypatch.setattr(declaration, "_registered", dict(declaration._registered))
    for shared in (callbacks.of_every_job, queuekit.Job._callbacks):
        for moment in MOMENTS:
            monkeypatch.setattr(shared, moment, [])


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[None]:
    url = f"sqlite:///{tmp_path}/queue.sqlite3"
    prepare(url)
    with in_use(url):
        events.subscribe(say_written)
        yield
        events.unsubscribe(say_written)


def say_written(event: object) -> None:
    if isinstance(event, events.JobsEnqueued):
        said.append("written")


def written() -> list[str]:
    """The names of the jobs that were written."""
    return [row[0] for row in ask("select class_name from queuekit_jobs order by id")]


def say(text: str) -> Callable[..., None]:
    def callback(*given: Any) -> None:
        said.append(text)

    return callback


def say_around(text: str) -> Callable[[Any], Iterator[None]]:
    def callback(job: Any) -> Iterator[None]:
        said.append(f"{text} begins")
        try:
            yield
        finally:
            said.append(f"{text} ends")

    return callback


def fail(*given: Any) -> None:
    said.append("fails")
    raise OSError("no")


def abort(*given: Any) -> None:
    said.append("aborts")
    raise Abort("not today")


def take_it(job: Any) -> Iterator[None]:
    with suppress(OSError):
        yield


def perform(name: str) -> Result:
    result = Performer().perform(ClaimedJob(7, "id", 1, "q", name, '{"args":[],"kwargs":{}}', 0))
    assert result is not None
    return result


def a_job(**options: Any) -> Any:
    @queuekit.job(name="callbacks.called", **options)
    def job() -> None:
        said.append("job")

    return job


# Order


def test_callbacks_of_a_function_stand_around_its_runs() -> None:
    job = a_job()
    job.after_perform(say("after"))
    job.around_perform(say_around("around"))
    job.before_perform(say("before"))

    assert perform("callbacks.called").outcome == "finished"
    assert said == ["before", "around begins", "job", "after", "around ends"]


def test_callbacks_of_a_function_stand_around_its_enqueueing() -> None:
    job = a_job()
    job.before_enqueue(say("before"))
    job.around_enqueue(say_around("around"))
    job.after_enqueue(say("after"))

    receipt = job.enqueue()

    assert (receipt.status, receipt.is_enqueued, written()) == (
        "enqueued",
        True,
        ["callbacks.called"],
    )
    assert said == ["before", "around begins", "written", "after", "around ends"]


def test_outer_places_come_first_and_after_last() -> None:
    class Base(queuekit.Job): ...

    class Mine(Base):
        name = "callbacks.mine"

        def perform(self) -> None:
            said.append("job")

    class Another(Base): ...

    Another.before_perform(say("another's"))
    for number in (1, 2):
        Mine.before_perform(say(f"mine {number}"))
        Mine.after_perform(say(f"mine {number} after"))
    Base.around_perform(say_around("base"))
    Base.after_perform(say("base after"))
    queuekit.Job.before_perform(say("classes"))
    queuekit.before_perform(say("all"))
    queuekit.after_perform(say("all after"))

    perform("callbacks.mine")

    assert said == [
        "all",
        "classes",
        "base begins",
        "mine 1",
        "mine 2",
        "job",
        "mine 2 after",
        "mine 1 after",
        "base after",
        "all after",
        "base ends",
    ]


def test_what_is_registered_for_every_job_is_so_for_those_declared_before() -> None:
    job = a_job()
    queuekit.before_enqueue(say("all"))
    queuekit.around_perform(say_around("all"))

    job.enqueue()
    job.perform_now()

    assert said == ["all", "written", "all begins", "job", "all ends"]


def test_decorating_leaves_the_function_as_it_was() -> None:
    job = a_job()

    def callback(job: CurrentJob) -> str:
        return job.name

    assert job.before_perform(callback) is callback

    @queuekit.around_enqueue
    def around(job: BoundJob) -> Iterator[None]:
        yield

    assert next(around(job.bind())) is None


# What they are given


def test_perform_callbacks_are_given_the_job_that_runs() -> None:
    given: list[CurrentJob] = []

    @queuekit.job(name="callbacks.given", queue="q")
    def job(number: int, *, more: str) -> None: ...

    job.before_perform(given.append)
    job.after_perform(given.append)
    job.perform_now(1, more="a")

    assert given[0] is given[1]
    assert (given[0].name, given[0].args, given[0].kwargs) == (
        "callbacks.given",
        (1,),
        {"more": "a"},
    )
    assert given[0].row_id is None


def test_enqueue_callbacks_are_given_the_job_and_its_receipt() -> None:
    given: list[Any] = []
    job = a_job()
    job.before_enqueue(given.append)
    job.after_enqueue(lambda bound, receipt: given.append((bound, receipt)))

    receipt = job.using(queue="slow", priority=3, wait=5).enqueue()

    bound = given[0]
    assert given[1] == (bound, receipt)
    assert (bound.name, bound.queue, bound.priority, bound.wait) == (
        "callbacks.called",
        "slow",
        3,
        5,
    )
    assert bound.job_id == receipt.job_id
    assert (bound.args, bound.kwargs) == ((), {})


# Stopping it


def test_aborting_before_enqueueing_writes_nothing() -> None:
    job = a_job()
    job.around_enqueue(say_around("around"))
    queuekit.before_enqueue(abort)
    job.after_enqueue(say("after"))

    receipt = job.using(queue="slow").enqueue()

    assert (receipt.status, receipt.is_enqueued, receipt.row_id) == ("aborted", False, None)
    assert (receipt.queue, receipt.scheduled_at, written()) == ("slow", None, [])
    assert said == ["aborts"]


def test_aborting_before_performing_gives_the_job_up() -> None:
    job = a_job(retry_on=Exception, after_discard=say("after discard"))
    job.before_perform(abort)
    job.after_perform(say("after"))

    result = perform("callbacks.called")

    assert result.outcome == "discarded"
    assert read_error(result.error or "").exception_class == "queuekit.errors.Abort"
    assert said == ["aborts"]
    assert job.perform_now() is None


def test_enqueueing_many_calls_no_enqueue_callbacks() -> None:
    job = a_job()
    job.before_enqueue(abort)
    queuekit.around_enqueue(say_around("around"))

    assert [receipt.status for receipt in queuekit.enqueue_all([job.bind(), job.bind()])] == [
        "enqueued",
        "enqueued",
    ]
    assert said == ["written"]
    assert written() == ["callbacks.called"] * 2


# Errors


def test_after_an_error_nothing_comes_after() -> None:
    @queuekit.job(name="callbacks.failing")
    def failing() -> None:
        fail()

    failing.around_perform(say_around("around"))
    failing.after_perform(say("after"))

    assert perform("callbacks.failing").outcome == "failed"
    assert said == ["around begins", "fails", "around ends"]


@pytest.mark.parametrize("moment", ["before_perform", "after_perform", "around_perform"])
def test_an_error_in_a_callback_can_be_retried(moment: str) -> None:
    job = a_job(retry_on=Retry(OSError, wait=0))
    getattr(job, moment)(fail)

    result = perform("callbacks.called")

    assert result.outcome == "retried"
    assert ("job" in said) == (moment == "after_perform")


@pytest.mark.parametrize("moment", ["before_enqueue", "around_enqueue"])
def test_an_error_before_enqueueing_reaches_the_caller_and_nothing_is_written(
    moment: str,
) -> None:
    job = a_job()
    getattr(job, moment)(fail)

    with pytest.raises(OSError, match="no"):
        job.enqueue()
    assert written() == []


def test_an_error_after_enqueueing_reaches_the_caller_of_what_is_written() -> None:
    job = a_job()
    job.after_enqueue(fail)

    with pytest.raises(OSError, match="no"):
        job.enqueue()
    assert written() == ["callbacks.called"]


def test_one_around_may_take_the_error() -> None:
    @queuekit.job(name="callbacks.failing")
    def failing() -> None:
        fail()

    failing.around_perform(take_it)

    assert perform("callbacks.failing").outcome == "finished"


def test_a_job_that_never_began_is_not_finished_though_one_around_took_the_error() -> None:
    job = a_job()
    job.around_perform(take_it)
    queuekit.Job.before_perform(fail)
    callbacks.of_every_job.around_perform.extend(job._callbacks.around_perform)
    job.before_perform(fail)

    result = perform("callbacks.called")

    assert result.outcome == "discarded"
    assert "one around it took the error" in (result.error or "")
    assert said == ["fails"]


def test_a_job_that_was_never_written_is_not_enqueued_though_one_around_took_the_error() -> None:
    def take_it(job: Any) -> Iterator[None]:
        with suppress(EnqueueError):
            yield

    job = a_job()
    job.around_enqueue(take_it)

    receipt = job.using(connection="no connection").enqueue()

    assert (receipt.status, written()) == ("aborted", [])


def forget_to_yield(job: Any) -> None:
    said.append("forgot")


def may_not_yield(job: Any) -> Iterator[None]:
    if said == "something":
        yield


def yield_twice(job: Any) -> Iterator[None]:
    yield
    yield


@pytest.mark.parametrize(
    ("callback", "problem"),
    [
        (forget_to_yield, "is neither a generator nor returned a context manager"),
        (may_not_yield, "ended without having yielded"),
        (yield_twice, "yielded again"),
    ],
)
def test_an_around_that_does_not_yield_once_fails_the_job_and_is_named(
    callback: Any, problem: str
) -> None:
    a_job().around_perform(callback)

    result = perform("callbacks.called")

    line = callback.__code__.co_firstlineno
    assert result.outcome == "failed"
    assert read_error(result.error).message == (  # type: ignore[union-attr]
        f"around_perform: {callback.__name__} ({__file__}:{line}) {problem}: it must yield once"
    )


def test_an_around_that_yields_again_when_the_job_fails_is_named_with_the_error_as_its_cause() -> (
    None
):
    def twice(job: Any) -> Iterator[None]:
        with suppress(OSError):
            yield
        yield

    @queuekit.job(name="callbacks.failing")
    def failing() -> None:
        fail()

    failing.around_perform(twice)
    error = perform("callbacks.failing").error

    assert error is not None
    assert "yielded again: it must yield once" in error
    assert "OSError: no" in error


# What cannot be registered


async def asynchronous(job: Any) -> None: ...


def takes_nothing() -> None: ...


@pytest.mark.parametrize(
    ("callback", "problem"),
    [
        (5, "before_perform registers a function, not 5"),
        (asynchronous, "before_perform: asynchronous is async; callbacks are called from threads"),
        (takes_nothing, "before_perform calls its functions with (job), and takes_nothing cannot"),
    ],
)
def test_what_cannot_be_called_is_refused(callback: Any, problem: str) -> None:
    for register in (queuekit.before_perform, queuekit.Job.before_perform, a_job().before_perform):
        with pytest.raises(JobDeclarationError) as raised:
            register(callback)
        assert str(raised.value).startswith(problem)


def test_after_enqueue_is_called_with_the_receipt_too() -> None:
    def only_the_job(job: Any) -> None: ...

    with pytest.raises(JobDeclarationError, match=r"with \(job, receipt\), and .*only_the_job"):
        queuekit.after_enqueue(only_the_job)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_method_that_would_never_be_called_is_refused(moment: str) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        type("Mine", (queuekit.Job,), {moment: say("never"), "perform": say("job")})

    assert f"a method {moment} would never be called" in str(raised.value)
    assert f"@Mine.{moment}" in str(raised.value)
