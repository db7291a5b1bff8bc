"""What becomes of a job that raises: which policy takes the error, and what it makes of it."""

from __future__ import annotations

import json
import random
import types
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

import queuekit
from queuekit import CurrentJob, Discard, Rescue, Retry, declaration
from queuekit.errors import Abort, EnqueueOptionError, JobDeclarationError
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import StoredError, read_error
from queuekit.executions.turn import NextAttempt, Result
from queuekit.performing import Performer
from tests.naming import case_name

said: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_said_and_nothing_left_to_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    said.clear()
    monkeypatch.setattr(random, "random", lambda: 0.5)


@pytest.fixture(autouse=True)
def forgotten_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(declaration, "_registered", dict(declaration._registered))
        yield


def say(name: str) -> Callable[[CurrentJob, BaseException], None]:
    def handler(job: CurrentJob, error: BaseException) -> None:
        said.append((name, str(error)))

    return handler


def refuse(job: CurrentJob, error: BaseException) -> None:
    said.append(("refuse", str(error)))
    raise KeyError("the handler's own")


def raising(error: BaseException, **options: Any) -> str:
    """The name of a job that raises this, declared with these options in this order."""

    @queuekit.job(name="policies.raising", **options)
    def job() -> None:
        raise error

    return "policies.raising"


def perform(name: str, **stored: Any) -> Result:
    job = ClaimedJob(7, "some-id", 1, "default", name, '{"args":[],"kwargs":{}}', 0, **stored)
    result = Performer().perform(job)
    assert result is not None
    return result


def next_attempt(result: Result) -> NextAttempt:
    assert result.outcome == "retried"
    assert result.next_attempt is not None
    return result.next_attempt


def stored_error(result: Result) -> StoredError:
    assert result.error is not None
    return read_error(result.error)


def runs(name: str, most: int = 20) -> tuple[str, int, list[float]]:
    """Run a job with the counters of its last run until it ends: how, after how many runs, with
    which waits between them."""
    waits: list[float] = []
    counters: dict[str, Any] = {}
    for run in range(1, most + 1):
        result = perform(name, **counters)
        if result.outcome != "retried":
            return result.outcome, run, waits
        again = next_attempt(result)
        waits.append(again.wait)
        counters = {
            "executions": again.executions,
            "exception_executions": again.exception_executions,
        }
    return "no end", most, waits


# Which policy takes an error


class OutageError(ConnectionError):
    pass


def test_without_a_policy_it_fails() -> None:
    result = perform(raising(ValueError("no")))

    assert (result.outcome, result.next_attempt) == ("failed", None)
    assert stored_error(result).exception_class == "ValueError"


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        (["retry_on", "discard_on", "rescue_from"], "finished"),
        (["rescue_from", "retry_on", "discard_on"], "discarded"),
        (["discard_on", "rescue_from", "retry_on"], "retried"),
        (["retry_on", "rescue_from", "discard_on"], "discarded"),
    ],
)
def test_the_last_declared_wins_whatever_its_kind(order: list[str], outcome: str) -> None:
    policies = {
        "retry_on": OSError,
        "discard_on": OSError,
        "rescue_from": Rescue(OSError, handler=say("rescue")),
    }
    ordered = {name: policies[name] for name in order}

    assert perform(raising(OSError("no"), **ordered)).outcome == outcome

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(ordered, perform=raise_os_error, name="policies.class")

    types.new_class("Job", (queuekit.Job,), {}, body)
    assert perform("policies.class").outcome == outcome


def raise_os_error(self: object) -> None:
    raise OSError("no")


def test_of_several_under_one_declaration_the_last_wins() -> None:
    both = [Retry(OSError, wait=1, jitter=0), Retry(ConnectionError, wait=2, jitter=0)]

    assert next_attempt(perform(raising(OutageError(), retry_on=both))).wait == 2
    assert next_attempt(perform(raising(OutageError(), retry_on=both[::-1]))).wait == 1
    assert next_attempt(perform(raising(FileNotFoundError(), retry_on=both))).wait == 1
    assert perform(raising(ValueError(), retry_on=both)).outcome == "failed"


def test_a_class_alone_is_a_policy_and_subclasses_of_it_are_meant() -> None:
    assert perform(raising(OutageError(), retry_on=ConnectionError)).outcome == "retried"
    assert perform(raising(OutageError(), discard_on=(ValueError, OSError))).outcome == "discarded"
    assert perform(raising(OSError(), retry_on=OutageError)).outcome == "failed"
    assert perform(raising(SystemExit(3), retry_on=SystemExit)).outcome == "retried"
    assert perform(raising(KeyboardInterrupt(), discard_on=BaseException)).outcome == "discarded"


class ApplicationJob(queuekit.Job):
    retry_on = Retry(OSError, wait=5, jitter=0)
    discard_on: ClassVar[Any] = LookupError


class Mine(ApplicationJob):
    """Its own come after its superclass's, so that they win."""

    discard_on = Discard(ConnectionError, handler=say("mine"))
    name = "policies.mine"
    error: BaseException = OSError("plain")

    def perform(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(), "retried"),
        (KeyError(), "discarded"),
        (OutageError(), "discarded"),
        (ValueError(), "failed"),
    ],
)
def test_a_superclasss_policies_come_after_a_classs_own(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, outcome: str
) -> None:
    monkeypatch.setattr(Mine, "error", error)

    assert perform("policies.mine").outcome == outcome


def test_a_mixin_that_is_a_job_adds_its_policies() -> None:
    class Patient(queuekit.Job):
        retry_on = Retry(OSError, wait=60, jitter=0)

    class Careless(queuekit.Job):
        discard_on = OSError

    class Both(Patient, Careless):  # Patient is asked first, as for its attributes
        name = "policies.both"
        perform = raise_os_error

    assert next_attempt(perform("policies.both")).wait == 60


def test_a_mixin_that_is_no_job_adds_its_policies_too() -> None:
    class Patient:
        retry_on = Retry(ConnectionError, wait=60, jitter=0)
        after_discard = say("patient")

    class Careless:
        discard_on = LookupError

    class ForAll(queuekit.Job):
        retry_on = Retry(OSError, wait=5, jitter=0)
        after_discard = say("for all")

    class Mixed(Patient, Careless, ForAll):  # type: ignore[misc]
        name = "policies.mixed"
        error: ClassVar[BaseException]

        def perform(self) -> None:
            raise self.error

    def result(error: BaseException) -> Result:
        Mixed.error = error
        return perform("policies.mixed")

    assert result(KeyError()).outcome == "discarded"
    assert [name for name, _ in said] == ["for all", "patient"]
    assert result(ValueError()).outcome == "failed"
    assert next_attempt(result(OSError())).wait == 5
    assert next_attempt(result(OutageError())).wait == 60


def test_abort_is_no_error_that_a_policy_sees() -> None:
    result = perform(raising(Abort("not today"), retry_on=Exception, after_discard=say("after")))

    assert result.outcome == "discarded"
    assert stored_error(result).message == "not today"
    assert said == []


def test_an_unknown_job_is_not_what_a_known_one_says_it_is() -> None:
    assert perform(raising(queuekit.UnknownJobError("says the job"))).outcome == "failed"


# Attempts


@pytest.mark.parametrize(("attempts", "expected"), [(1, 1), (2, 2), (5, 5)])
def test_the_first_run_counts_as_an_attempt(attempts: int, expected: int) -> None:
    name = raising(OSError("no"), retry_on=Retry(OSError, wait=0, attempts=attempts))

    assert runs(name) == ("failed", expected, [0] * (expected - 1))


def test_by_default_there_are_five_attempts_three_seconds_apart() -> None:
    name = raising(OSError("no"), retry_on=OSError)

    assert runs(name) == ("failed", 5, [3 + 0.5 * 3 * 0.15] * 4)


def test_no_number_of_attempts_is_no_end() -> None:
    name = raising(OSError("no"), retry_on=Retry(OSError, wait=0, attempts=None))

    assert runs(name, most=500) == ("no end", 500, [0] * 500)


def test_each_declaration_counts_its_own_errors() -> None:
    errors = iter([OSError(), ValueError(), OSError(), ValueError(), ValueError()])

    @queuekit.job(
        name="policies.mixed",
        retry_on=[Retry(OSError, wait=1, attempts=3), Retry(ValueError, wait=2, attempts=3)],
    )
    def mixed() -> None:
        raise next(errors)

    outcome, number, _ = runs("policies.mixed")
    assert (outcome, number) == ("failed", 5)


def test_a_declaration_of_several_errors_counts_them_together() -> None:
    errors = iter([OSError(), ValueError(), OSError()])

    @queuekit.job(name="policies.together", retry_on=Retry(OSError, ValueError, wait=0, attempts=3))
    def together() -> None:
        raise next(errors)

    assert runs("policies.together")[:2] == ("failed", 3)


def test_counters_travel_under_the_errors_names() -> None:
    policy = Retry(OSError, json.JSONDecodeError)
    result = perform(
        raising(OSError(), retry_on=policy), executions=6, exception_executions='{"KeyError":2}'
    )

    again = next_attempt(result)
    assert again.executions == 7
    assert json.loads(again.exception_executions or "") == {
        "KeyError": 2,
        "OSError, json.decoder.JSONDecodeError": 1,
    }


# Waits


@pytest.mark.parametrize(
    ("wait", "jitter", "expected"),
    [
        (10, 0.15, [10.75] * 4),
        (10, 0, [10] * 4),
        (timedelta(minutes=1), 1.0, [90] * 4),
        (0, 0.15, [0] * 4),
        (0.5, 0, [0.5] * 4),
        ("polynomially_longer", 0.15, [n**4 + 0.5 * n**4 * 0.15 + 2 for n in (1, 2, 3, 4)]),
        ("polynomially_longer", 0, [3, 18, 83, 258]),
        (lambda n: 10 * n, 0.15, [10, 20, 30, 40]),
        (lambda n: timedelta(hours=n), 0.15, [3600, 7200, 10800, 14400]),
        (lambda n, error: n * len(str(error)), 0.15, [4, 8, 12, 16]),
        (float, 0.15, [1, 2, 3, 4]),
    ],
)
def test_how_long_it_waits(wait: Any, jitter: float, expected: list[float]) -> None:
    name = raising(OSError("four"), retry_on=Retry(OSError, wait=wait, jitter=jitter))

    outcome, number, waits = runs(name)
    assert (outcome, number) == ("failed", 5)
    assert waits == pytest.approx(expected)


def test_jitter_is_random_and_never_shortens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waits = {Retry(OSError, wait=100).seconds(1, OSError()) for _ in range(50)}

    assert len(waits) > 10
    assert all(100 <= wait <= 115 for wait in waits)


def test_no_wait_is_longer_than_a_database_can_say() -> None:
    century = timedelta(days=366 * 100).total_seconds()

    for policy in (
        Retry(OSError, wait="polynomially_longer", attempts=None),
        Retry(OSError, wait=century, jitter=1e300),
    ):
        assert policy.seconds(10**9, OSError()) == century


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (-1, "returned -1, which is not a time to come within a hundred years"),
        (float("nan"), "returned nan, which is not a time"),
        (float("inf"), "returned inf, which is not a time"),
        ("5", "returned '5', which is neither a timedelta nor a number of seconds"),
        (None, "returned None, which is neither"),
        (True, "returned True, which is neither"),
    ],
)
def test_a_wait_function_that_returns_no_time_fails_the_job(returned: Any, problem: str) -> None:
    result = perform(raising(OSError("no"), retry_on=Retry(OSError, wait=lambda n: returned)))

    assert result.outcome == "failed"
    assert problem in stored_error(result).message
    assert "OSError: no" in stored_error(result).traceback  # as what came before it


def test_a_wait_function_that_raises_fails_the_job() -> None:
    name = raising(OSError("no"), retry_on=Retry(OSError, wait=lambda n: 1 // (n - 1)))

    assert stored_error(perform(name)).exception_class == "ZeroDivisionError"


# Where the next attempt goes


def test_a_retry_may_change_the_queue_and_the_priority_and_else_keeps_them() -> None:
    kept = next_attempt(perform(raising(OSError(), retry_on=OSError)))
    moved = next_attempt(
        perform(raising(OSError(), retry_on=Retry(OSError, queue="slow", priority=-3)))
    )

    assert (kept.queue, kept.priority) == (None, None)
    assert (moved.queue, moved.priority) == ("slow", -3)


# Handlers


def test_when_it_is_exhausted_the_handler_has_the_last_word() -> None:
    policy = Retry(OSError, wait=0, attempts=2, on_exhausted=say("exhausted"))
    name = raising(OSError("no"), retry_on=policy, after_discard=say("after"))

    assert runs(name)[:2] == ("discarded", 2)
    assert said == [("exhausted", "no"), ("after", "no")]


def test_a_discarded_job_keeps_its_error() -> None:
    policy = Discard(OSError, handler=say("discard"))
    result = perform(raising(OSError("no"), discard_on=policy, after_discard=say("after")))

    assert result.outcome == "discarded"
    assert stored_error(result).message == "no"
    assert said == [("discard", "no"), ("after", "no")]


def test_a_rescued_job_is_finished_without_an_error() -> None:
    policy = Rescue(OSError, handler=say("rescue"))
    result = perform(raising(OSError("no"), rescue_from=policy, after_discard=say("after")))

    assert (result.outcome, result.error) == ("finished", None)
    assert said == [("rescue", "no")]


def test_a_rescue_can_ask_for_another_attempt() -> None:
    def again(job: CurrentJob, error: BaseException) -> None:
        job.retry(wait=timedelta(minutes=1), queue="slow", priority=9)

    result = perform(raising(OSError("no"), rescue_from=Rescue(OSError, handler=again)))

    assert next_attempt(result) == NextAttempt(60, 1, "{}", "slow", 9)


@pytest.mark.parametrize("asked", [{"wait": -1}, {"queue": ""}, {"priority": 1.5}])
def test_another_attempt_that_cannot_be_fails_the_job(asked: dict[str, Any]) -> None:
    def again(job: CurrentJob, error: BaseException) -> None:
        job.retry(**asked)

    result = perform(raising(OSError("no"), rescue_from=Rescue(OSError, handler=again)))

    assert result.outcome == "failed"
    assert stored_error(result).exception_class == "queuekit.errors.EnqueueOptionError"
    assert EnqueueOptionError.__name__


def test_handlers_are_given_the_job_as_it_ran() -> None:
    def look(job: CurrentJob, error: BaseException) -> None:
        said.append((job.name, job.job_id, job.args, job.kwargs, job.executions))
        said.append(queuekit.context.job_id)

    @queuekit.job(name="policies.looked_at", discard_on=Discard(OSError, handler=look))
    def looked_at(*args: int, **kwargs: int) -> None:
        raise OSError

    arguments = '{"args":[1,2],"kwargs":{"a":3}}'
    Performer().perform(ClaimedJob(7, "some-id", 1, "q", "policies.looked_at", arguments, 0, 4))

    assert said == [("policies.looked_at", "some-id", (1, 2), {"a": 3}, 5), "some-id"]


@pytest.mark.parametrize(
    "options",
    [
        {"retry_on": Retry(OSError, attempts=1, on_exhausted=refuse)},
        {"discard_on": Discard(OSError, handler=refuse)},
        {"rescue_from": Rescue(OSError, handler=refuse)},
        {"after_discard": refuse},
    ],
)
def test_a_handler_that_raises_makes_the_job_fail_with_that_error(options: dict[str, Any]) -> None:
    result = perform(raising(OSError("no"), **options))

    assert result.outcome == "failed"
    assert stored_error(result).exception_class == "KeyError"
    assert "OSError: no" in stored_error(result).traceback
    assert said == [("refuse", "no")]


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({"retry_on": Retry(OSError, attempts=1)}, "failed"),
        ({"retry_on": Retry(OSError, attempts=1, on_exhausted=say("x"))}, "discarded"),
        ({"discard_on": OSError}, "discarded"),
        ({}, "failed"),
    ],
)
def test_after_discard_is_called_whenever_a_job_is_given_up(
    options: dict[str, Any], outcome: str
) -> None:
    result = perform(raising(OSError("no"), after_discard=say("after"), **options))

    assert result.outcome == outcome
    assert said[-1] == ("after", "no")


@pytest.mark.parametrize(
    "options", [{"retry_on": OSError}, {"rescue_from": Rescue(OSError, handler=say("rescue"))}]
)
def test_after_discard_is_not_called_while_there_is_hope(options: dict[str, Any]) -> None:
    perform(raising(OSError("no"), after_discard=say("after"), **options))

    assert ("after", "no") not in said


def test_every_after_discard_is_called_and_the_last_error_counts() -> None:
    def also(job: CurrentJob, error: BaseException) -> None:
        said.append("also")
        raise IndexError("the last")

    handlers = [say("first"), refuse, also, say("last")]
    result = perform(raising(OSError("no"), discard_on=OSError, after_discard=handlers))

    assert said == [("first", "no"), ("refuse", "no"), "also", ("last", "no")]
    assert (result.outcome, stored_error(result).exception_class) == ("failed", "IndexError")


def test_after_discard_is_inherited_and_added_to() -> None:
    class Told(queuekit.Job):
        after_discard = say("base")

    class Child(Told):
        name = "policies.told"
        after_discard = say("child")
        perform = raise_os_error

    perform("policies.told")
    assert said == [("base", "no"), ("child", "no")]


# Arguments that cannot be read


def test_unreadable_arguments_are_an_error_that_policies_take() -> None:
    @queuekit.job(
        name="policies.gone",
        retry_on=Retry(queuekit.DeserializationError, wait=9, jitter=0),
        discard_on=queuekit.RecordNotFound,
    )
    def gone() -> None: ...

    result = Performer().perform(ClaimedJob(7, "some-id", 1, "q", "policies.gone", "{", 0))
    assert result is not None
    assert next_attempt(result).wait == 9


# perform_now


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[CurrentJob, NextAttempt]]:
    """What perform_now enqueues again; tests/dialects has it with a database."""
    found: list[tuple[CurrentJob, NextAttempt]] = []
    monkeypatch.setattr(
        "queuekit.performing.enqueue_again", lambda job, attempt: found.append((job, attempt))
    )
    return found


def test_perform_now_obeys_the_policies(enqueued: list[tuple[CurrentJob, NextAttempt]]) -> None:
    @queuekit.job(
        name="policies.now",
        retry_on=Retry(ConnectionError, wait=7, jitter=0),
        discard_on=LookupError,
        rescue_from=Rescue(ArithmeticError, handler=say("rescue")),
    )
    def now(error: type[Exception] | None) -> str:
        if error is not None:
            raise error("no")
        return "done"

    assert now.perform_now(None) == "done"
    assert now.perform_now(KeyError) is None
    assert now.perform_now(ZeroDivisionError) is None
    assert enqueued == []
    assert now.perform_now(ConnectionError) is None
    ((job, again),) = enqueued
    assert (job.args, again.wait, again.executions) == ((ConnectionError,), 7, 1)
    with pytest.raises(ValueError, match="no"):
        now.perform_now(ValueError)


# What cannot be declared


def plain() -> None: ...
async def asynchronous(job: object, error: object) -> None: ...


#: Each with the option, and what is said of it.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"retry_on": Retry(OSError, attempts=0)}, "attempts is a whole number from 1, the first run"),
    ({"retry_on": Retry(OSError, attempts=True)}, "attempts is a whole number from 1, the first"),
    ({"retry_on": Retry(OSError, attempts=2.5)}, "attempts is a whole number from 1, the first"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError, wait=-1)}, "wait is -1, which is not a time to come within a"),
    (
        {"retry_on": Retry(OSError, wait=timedelta(-1))},
        "wait is datetime.timedelta(days=-1),",
    ),
    ({"retry_on": Retry(OSError, wait=float("nan"))}, "wait is nan, which is not a time to come"),
    (
        {"retry_on": Retry(OSError, wait=1e11)},
        "wait is 100000000000.0, which is not a time",
    ),
    ({"retry_on": Retry(OSError, wait=None)}, "wait is None, which is neither a timedelta nor a"),  # type: ignore[arg-type]
    (
        {"retry_on": Retry(OSError, wait="exponentially_longer")},
        "wait='exponentially_longer' is not known; there is 'polynomially_longer'",
    ),
    ({"retry_on": Retry(OSError, wait=lambda: 5)}, "wait is a function of (): it is called with"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError, wait=asynchronous)}, "wait is an async function: it must return"),
    ({"retry_on": Retry(OSError, jitter=-0.1)}, "jitter is a share of the wait, from 0, not -0.1"),
    ({"retry_on": Retry(OSError, jitter="a")}, "jitter is a share of the wait, from 0, not 'a'"),  # type: ignore[arg-type]
    ({"retry_on": Retry()}, "a Retry needs the exception classes that it is for"),
    ({"retry_on": Retry("OSError")}, "Retry takes exception classes, not 'OSError'"),  # type: ignore[arg-type]
    ({"retry_on": Retry(int)}, "Retry takes exception classes, not <class 'int'>"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError())}, "Retry takes exception classes, not OSError()"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError, queue="a*")}, "queue 'a*' has a * or a comma, which mean"),
    ({"retry_on": Retry(OSError, priority=1.5)}, "priority is a whole number, not 1.5"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError, on_exhausted=5)}, "on_exhausted is a function of (job, error)"),  # type: ignore[arg-type]
    ({"retry_on": Retry(OSError, on_exhausted=plain)}, "on_exhausted is called with (job, error)"),  # type: ignore[arg-type]
    ({"retry_on": int}, "Retry takes exception classes, not <class 'int'>"),
    (
        {"retry_on": "OSError"},
        "retry_on takes exception classes, Retry(...), or a list of them,",
    ),
    ({"retry_on": 5}, "retry_on takes exception classes, Retry(...), or a list of them, not 5"),
    ({"retry_on": Discard(OSError)}, "retry_on takes exception classes, Retry(...), or a list of"),
    ({"retry_on": [OSError, None]}, "retry_on takes exception classes, Retry(...), or a list of"),
    ({"discard_on": Discard()}, "a Discard needs the exception classes that it is for"),
    ({"discard_on": Discard(OSError, handler=asynchronous)}, "handler is an async function; it is"),
    ({"discard_on": str}, "Discard takes exception classes, not <class 'str'>"),
    ({"rescue_from": OSError}, "rescue_from takes Rescue(...), or a list of them, not <class 'OSE"),
    (
        {"rescue_from": Rescue(handler=refuse)},
        "a Rescue needs the exception classes that it is",
    ),
    ({"rescue_from": Rescue(OSError, handler=None)}, "a Rescue needs a handler"),  # type: ignore[arg-type]
    ({"after_discard": 5}, "after_discard is a function of (job, error), not 5"),
    ({"after_discard": [refuse, plain]}, "after_discard is called with (job, error), and plain"),
    ({"retry_om": OSError}, "no option 'retry_om': did you mean retry_on?"),
    ({"discard": OSError}, "no option 'discard': did you mean discard_on?"),
    ({"quue": "a"}, "no option 'quue': did you mean queue?"),
    ({"xyz": 1}, "no option 'xyz': there are name, queue, priority,"),
    ({"redact": "password"}, "redact is a list of names, not 'password'"),
    ({"redact": ("password",)}, "redact: it has no parameter password"),
    ({"aliases": "old"}, "aliases is a list of names, not 'old'"),
    ({"aliases": ["old", ""]}, "alias '' is empty, or begins or ends with a space"),
    ({"queue": asynchronous}, "queue is an async function: it must return the name at once"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED, ids=lambda value: case_name(value, 60))
def test_what_cannot_be_is_refused_naming_the_job_and_the_place(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        queuekit.job(**options)(plain)

    where = f"job {__name__}.plain ({__file__}:{plain.__code__.co_firstlineno}): "
    assert str(raised.value).startswith(where)
    assert (
        str(raised.value)
        .partition(where)[2]
        .removeprefix("retry_on: ")
        .removeprefix("discard_on: ")
        .removeprefix("rescue_from: ")
        .startswith(problem)
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [(options, problem) for options, problem in REFUSED if "no option" not in problem],
    ids=lambda value: case_name(value, 60),
)
@pytest.mark.parametrize("performs", [True, False], ids=["a job", "for others to inherit"])
def test_a_class_is_refused_where_it_stands(
    options: dict[str, Any], problem: str, performs: bool
) -> None:
    if "no parameter" in problem and not performs:
        return  # others may have it

    with pytest.raises(JobDeclarationError) as raised:

        class Bad(queuekit.Job):
            locals().update(options)
            if performs:

                def perform(self) -> None: ...

    assert f".Bad ({__file__}:" in str(raised.value)
    assert problem.partition(" (")[0] in str(raised.value)
