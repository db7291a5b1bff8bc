"""Context that travels with a job, and the job that code finds itself in."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import pytest

import queuekit
from queuekit import CurrentJob, Discard, NoCurrentJobError, Retry, context, propagation
from queuekit.arguments import load
from queuekit.errors import JobDeclarationError, SerializationError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.executions.turn import Result
from queuekit.performing import Performer

request_id: ContextVar[Any] = ContextVar("request_id")
said: list[Any] = []


class Current:
    account: Any = None

    @classmethod
    @contextmanager
    def acting_for(cls, account: Any) -> Iterator[None]:
        before, cls.account = cls.account, account
        try:
            yield
        finally:
            cls.account = before


@pytest.fixture(autouse=True)
def own_context(monkeypatch: pytest.MonkeyPatch) -> None:
    said.clear()
    monkeypatch.setattr(propagation, "_propagated", {})


@queuekit.job
def look() -> None:
    said.append((request_id.get(None), Current.account))


@queuekit.job
def enqueue_another() -> None:
    said.append(stored())


def fail_in_context(job: CurrentJob, error: BaseException) -> None:
    said.append((str(error), request_id.get(None)))


@queuekit.job(
    discard_on=Discard(OSError, handler=fail_in_context),
    retry_on=Retry(queuekit.DeserializationError, wait=0),
    after_discard=fail_in_context,
)
def fail() -> None:
    raise OSError("no")


def stored() -> dict[str, Any] | None:
    """The context that a job enqueued here and now takes along."""
    text = look.bind()._description.context
    return None if text is None else load(text)[1]


def perform(job: Any, context: str | None = None) -> Result:
    name = job._declaration.name
    result = Performer().perform(
        ClaimedJob(7, "id", 1, "q", name, '{"args":[],"kwargs":{}}', 0, context=context)
    )
    assert result is not None
    return result


def taken_along() -> str | None:
    return look.bind()._description.context


@contextmanager
def set_to(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


# Capturing


def test_nothing_travels_that_nobody_declared() -> None:
    with set_to(request_id, "abc"):
        assert stored() is None


def test_a_context_variable_travels() -> None:
    queuekit.propagate("request_id", request_id)

    assert stored() is None
    with set_to(request_id, "abc"):
        assert stored() == {"request_id": "abc"}
    with set_to(request_id, None):
        assert stored() is None


def test_what_capture_returns_travels() -> None:
    queuekit.propagate("account", capture=lambda: Current.account, restore=Current.acting_for)
    queuekit.propagate("request_id", request_id)

    with Current.acting_for({"id": 7}), set_to(request_id, "abc"):
        assert stored() == {"account": {"id": 7}, "request_id": "abc"}


def test_declaring_again_replaces_and_stopping_ends_it() -> None:
    queuekit.propagate("account", capture=lambda: 1, restore=Current.acting_for)
    queuekit.propagate("account", capture=lambda: 2, restore=Current.acting_for)
    assert stored() == {"account": 2}

    queuekit.stop_propagating("account")
    queuekit.stop_propagating("account")
    assert stored() is None


def test_what_cannot_travel_is_refused_when_enqueueing() -> None:
    queuekit.propagate("request_id", request_id)

    with set_to(request_id, object()), pytest.raises(SerializationError) as raised:
        look.bind()
    assert str(raised.value).startswith(
        "the propagated context cannot travel: argument request_id is a object, which cannot"
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": "request id", "variable": request_id}, "'request id' is not a name"),
        ({"name": 5, "variable": request_id}, "5 is not a name"),
        ({"name": "a"}, "takes a context variable, or both capture= and restore="),
        ({"name": "a", "capture": print}, "takes a context variable, or both"),
        ({"name": "a", "capture": print, "restore": 5}, "takes a context variable, or both"),
        ({"name": "a", "variable": request_id, "capture": print, "restore": print}, "takes a"),
    ],
)
def test_what_cannot_be_propagated_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        queuekit.propagate(**given)
    assert problem in str(raised.value)


# Restoring


def test_the_context_stands_around_the_run_and_is_gone_afterwards() -> None:
    queuekit.propagate("account", capture=lambda: Current.account, restore=Current.acting_for)
    queuekit.propagate("request_id", request_id)
    with Current.acting_for(7), set_to(request_id, "abc"):
        text = taken_along()

    perform(look, text)
    perform(look)

    assert said == [("abc", 7), (None, None)]
    assert (request_id.get(None), Current.account) == (None, None)


def test_a_job_that_a_job_enqueues_inherits_the_context() -> None:
    queuekit.propagate("request_id", request_id)
    with set_to(request_id, "abc"):
        text = taken_along()

    perform(enqueue_another, text)

    assert said == [{"request_id": "abc"}]


def test_handlers_are_called_in_the_context_of_the_job() -> None:
    queuekit.propagate("request_id", request_id)
    with set_to(request_id, "abc"):
        text = taken_along()

    assert perform(fail, text).outcome == "discarded"
    assert said == [("no", "abc"), ("no", "abc")]


def test_context_that_nothing_restores_keeps_the_job_from_running() -> None:
    """For no tenant at all it must not run. Policies may have it tried again."""
    text = '{"args":[],"kwargs":{"tenant":7}}'

    result = perform(look, text)

    assert (result.outcome, said) == ("failed", [])
    error = read_error(result.error or "")
    assert error.exception_class == "queuekit.errors.DeserializationError"
    assert error.message.startswith("the job was enqueued with the context 'tenant', which nothing")
    assert perform(fail, text).outcome == "retried"


@pytest.mark.parametrize("text", ["{", "[]", '{"args":[],"kwargs":{"a":{"_queuekit":"new"}}}', ""])
def test_a_context_that_cannot_be_read_fails_that_job(text: str) -> None:
    assert perform(look, text).outcome == "failed"
    assert said == []


def test_what_restores_has_no_say_in_how_the_job_ends() -> None:
    @contextmanager
    def swallow(value: Any) -> Iterator[None]:
        with suppress(Exception):
            yield

    queuekit.propagate("account", capture=lambda: 7, restore=swallow)

    @queuekit.job(name="propagation.swallowed")
    def job() -> None:
        raise ValueError("no")

    result = perform(job, taken_along())
    assert result.outcome == "failed"
    assert read_error(result.error or "").message == "no"


def test_what_fails_to_restore_is_an_error_of_the_job() -> None:
    def refuse(value: Any) -> Any:
        raise OSError(f"no account {value}")

    queuekit.propagate("account", capture=lambda: 7, restore=refuse)

    assert perform(look, taken_along()).outcome == "failed"
    assert perform(fail, taken_along()).outcome == "discarded"


# queuekit.context


@queuekit.job(queue="q", priority=3)
def tell() -> dict[str, Any]:
    return {
        name: getattr(context, name)
        for name in ("name", "attempt", "executions", "queue", "priority", "is_stopping")
    }


@queuekit.job
def tell_all() -> None:
    said.append((context.job_id, context.attempt, context.executions, context.is_stopping))
    said.append(context.current)


PROPERTIES = [
    "job_id",
    "name",
    "attempt",
    "executions",
    "queue",
    "priority",
    "scheduled_at",
    "enqueued_at",
    "is_stopping",
]


@pytest.mark.parametrize("name", PROPERTIES)
def test_outside_of_a_job_there_is_none(name: str) -> None:
    assert context.current is None
    with pytest.raises(NoCurrentJobError, match=r"queuekit\.context is for code that runs"):
        getattr(context, name)
    with pytest.raises(NoCurrentJobError):
        context.retry()


def test_a_job_knows_itself() -> None:
    job = ClaimedJob(7, "id", 4, "slow", f"{__name__}.tell_all", '{"args":[],"kwargs":{}}', 9, 6)

    Performer(is_stopping=lambda: True).perform(job)

    assert said[0] == ("id", 4, 7, True)
    assert (said[1].row_id, said[1].queue, said[1].priority) == (7, "slow", 9)
    assert context.current is None


def test_so_does_one_that_is_performed_now() -> None:
    told = tell.perform_now()

    assert told == {
        "name": f"{__name__}.tell",
        "attempt": 1,
        "executions": 1,
        "queue": "q",
        "priority": 3,
        "is_stopping": False,
    }


def test_inside_a_job_that_performs_another_each_knows_itself() -> None:
    @queuekit.job(name="propagation.outer")
    def outer() -> tuple[str, str, str]:
        return context.name, tell.perform_now()["name"], context.name

    assert outer.perform_now() == ("propagation.outer", f"{__name__}.tell", "propagation.outer")


def test_jobs_in_several_threads_each_know_themselves() -> None:
    together = threading.Barrier(4)

    @queuekit.job(name="propagation.threaded")
    def threaded() -> None:
        together.wait(30)
        said.append((context.job_id, context.current is not None))

    def run(number: int) -> None:
        none = '{"args":[],"kwargs":{}}'
        name = "propagation.threaded"
        Performer().perform(ClaimedJob(7, f"id {number}", 1, "q", name, none, 0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))

    assert sorted(said) == [(f"id {number}", True) for number in range(4)]


def test_a_thread_that_a_job_starts_is_outside_unless_it_takes_the_context_along() -> None:
    @queuekit.job(name="propagation.starting")
    def starting() -> tuple[Any, Any]:
        with ThreadPoolExecutor(1) as pool:
            without = pool.submit(lambda: context.current).result()
            inside = contextvars.copy_context()
            within = pool.submit(inside.run, lambda: context.current).result()
        return without, within

    without, within = starting.perform_now()
    assert without is None
    assert within.name == "propagation.starting"


def test_a_job_can_ask_to_run_again() -> None:
    @queuekit.job(name="propagation.too_early")
    def too_early() -> None:
        context.retry(wait=5, queue="later")

    result = perform(too_early)

    assert (result.outcome, result.error) == ("retried", None)
    assert result.next_attempt is not None
    assert (result.next_attempt.wait, result.next_attempt.queue) == (5, "later")
    assert json.loads(result.next_attempt.exception_executions or "{}") == {}


def test_a_job_that_fails_after_asking_to_run_again_fails() -> None:
    @queuekit.job(name="propagation.too_early_and_broken")
    def broken() -> None:
        context.retry()
        raise ValueError("no")

    assert perform(broken).outcome == "failed"
