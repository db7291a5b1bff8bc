"""Hooks: called in order, with what they are told, and stopping nothing when they raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import queuekit
from queuekit import events, hooks
from queuekit.arguments import dump
from queuekit.events import ErrorOccurred, Event
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.hooks import Process, Run
from queuekit.performing import Performer

WORKER = Process(1, "Worker", 4711, "web1", {"queues": "*"})

said: list[Any] = []


@queuekit.job
def say(word: str) -> None:
    said.append(word)


@queuekit.job
def fail() -> None:
    raise ValueError("it broke")


@pytest.fixture(autouse=True)
def _no_hooks_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    said.clear()
    monkeypatch.setattr(events, "_handlers", [])
    monkeypatch.setattr(hooks, "_processes", {})
    monkeypatch.setattr(hooks, "_runs", [])


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture(autouse=True)
def _listening(_no_hooks_yet: None, heard: list[Event]) -> None:
    events.subscribe(heard.append)


# Processes


@pytest.mark.parametrize("moment", ["start", "stop", "exit"])
@pytest.mark.parametrize("kind", ["Supervisor", "Worker", "Dispatcher"])
def test_each_kind_of_process_has_hooks_of_its_own(kind: str, moment: str) -> None:
    name = f"on_{moment}" if kind == "Supervisor" else f"on_{kind.lower()}_{moment}"
    hook = getattr(queuekit, name)(lambda process: said.append(process))
    process = Process(1, kind, 4711, "web1", {})
    for other in ("Supervisor", "Worker", "Dispatcher"):
        for any_moment in ("start", "stop", "exit"):
            hooks.call(any_moment, Process(2, other, 4711, "web1", {}))

    assert [(called.kind, called.id) for called in said] == [(kind, 2)]
    assert hook(process) is None
    assert getattr(hooks, name).__doc__.startswith("Call the function, with the process, ")


def test_hooks_are_called_in_the_order_of_their_registration_with_the_process() -> None:
    queuekit.on_worker_start(lambda process: said.append(("first", process)))
    queuekit.on_worker_start(lambda process: said.append(("second", process)))

    hooks.call("start", WORKER)

    assert said == [("first", WORKER), ("second", WORKER)]


def test_a_hook_that_raises_is_reported_and_stops_nothing(heard: list[Event]) -> None:
    @queuekit.on_worker_start
    def warm_up(process: Process) -> None:
        raise ValueError("cold")

    queuekit.on_worker_start(lambda process: said.append("second"))

    hooks.call("start", WORKER)

    assert said == ["second"]
    (error,) = heard
    assert isinstance(error, ErrorOccurred)
    assert error.where == f"the hook {warm_up.__qualname__} at Worker start"
    assert str(error.error) == "cold"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_hook_does_not_end_the_process_that_has_others_to_look_after(
    heard: list[Event], error: BaseException
) -> None:
    @queuekit.on_start
    def leave(process: Process) -> None:
        raise error

    queuekit.on_start(lambda process: said.append("second"))

    hooks.call("start", Process(1, "Supervisor", 4711, "web1", {}))

    assert said == ["second"]
    (reported,) = heard
    assert isinstance(reported, ErrorOccurred)
    assert reported.error is error


# Around runs


def run(job: Any, *args: Any) -> tuple[str, str]:
    """Perform a job as a worker does: its outcome, and its error's class and message."""
    claimed = ClaimedJob(7, "some-id", 2, "mailers", f"{__name__}.{job}", dump(args, {}), 0)
    result = Performer().perform(claimed)
    error = read_error(result.error) if result.error is not None else None
    return result.outcome, f"{error.exception_class}: {error.message}" if error else ""


def around(name: str) -> None:
    @queuekit.around_run
    @contextmanager
    def hook(run: Run) -> Iterator[None]:
        said.append(f"{name} before")
        try:
            yield
        finally:
            said.append(f"{name} after")


def test_the_first_registered_is_the_outermost() -> None:
    around("outer")
    around("inner")

    assert run("say", "hello") == ("finished", "")
    assert said == ["outer before", "inner before", "hello", "inner after", "outer after"]


def test_hooks_around_a_run_know_the_job() -> None:
    @queuekit.around_run
    @contextmanager
    def hook(run: Run) -> Iterator[None]:
        said.append(run)
        yield

    run("say", "hello")

    assert said == [Run("some-id", f"{__name__}.say", "mailers", 2), "hello"]


def test_a_job_that_fails_leaves_through_its_hooks() -> None:
    around("outer")
    around("inner")

    assert run("fail") == ("failed", "ValueError: it broke")
    assert said == ["outer before", "inner before", "inner after", "outer after"]


def test_what_a_hook_raises_before_the_job_makes_it_fail_without_beginning() -> None:
    around("outer")

    @queuekit.around_run
    @contextmanager
    def hook(run: Run) -> Iterator[None]:
        raise OSError("no connection")
        yield

    around("inner")

    assert run("say", "hello") == ("failed", "OSError: no connection")
    assert said == ["outer before", "outer after"]


def test_what_a_hook_raises_after_the_job_makes_it_fail() -> None:
    @queuekit.around_run
    @contextmanager
    def hook(run: Run) -> Iterator[None]:
        yield
        raise OSError("no connection")

    assert run("say", "hello") == ("failed", "OSError: no connection")
    assert said == ["hello"]


def test_a_hook_may_handle_the_jobs_error() -> None:
    @queuekit.around_run
    @contextmanager
    def hook(run: Run) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            said.append(str(error))

    assert run("fail") == ("finished", "")
    assert said == ["it broke"]


def test_a_hook_that_hides_why_the_job_did_not_begin_does_not_make_it_succeed() -> None:
    @queuekit.around_run
    @contextmanager
    def hide(run: Run) -> Iterator[None]:
        with suppress(OSError):
            yield

    @queuekit.around_run
    @contextmanager
    def refuse(run: Run) -> Iterator[None]:
        raise OSError("no connection")
        yield

    assert run("say", "hello") == (
        "failed",
        "RuntimeError: the job did not begin: a hook around runs swallowed an error of another",
    )
    assert said == []


def yields_never(run: Run) -> Iterator[None]:
    if run.attempt < 0:
        yield


def yields_twice(run: Run) -> Iterator[None]:
    yield
    yield


@pytest.mark.parametrize(
    ("hook", "error", "ran"),
    [
        (contextmanager(yields_never), "RuntimeError: generator didn't yield", []),
        (contextmanager(yields_twice), "RuntimeError: generator didn't stop", ["hello"]),
        (lambda run: None, "NoneType' object does not support the context manager", []),
        (lambda: None, "TypeError: ", []),
    ],
)
def test_a_hook_that_is_no_context_manager_makes_the_job_fail(
    hook: Any, error: str, ran: list[str]
) -> None:
    queuekit.around_run(hook)

    outcome, problem = run("say", "hello")

    assert outcome == "failed"
    assert error in problem
    assert said == ran


def test_a_generator_that_is_no_context_manager_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="yields_twice yields, so it needs @contextmanager beneath"):
        queuekit.around_run(yields_twice)  # type: ignore[type-var]

    assert run("say", "hello") == ("finished", "")


def test_a_hook_that_exits_ends_the_job_and_not_its_thread() -> None:
    @queuekit.around_run
    @contextmanager
    def leave(run: Run) -> Iterator[None]:
        yield
        raise SystemExit(3)

    assert run("say", "hello") == ("failed", "SystemExit: 3")


def test_calling_a_job_runs_it_without_hooks() -> None:
    around("outer")

    say("hello")
    say.perform_now("again")

    assert said == ["hello", "again"]


# Errors


def test_error_hooks_hear_of_errors_in_hooks_and_in_handlers() -> None:
    queuekit.on_error(lambda error: said.append(f"first: {error}"))
    queuekit.on_error(lambda error: said.append(f"second: {error}"))

    @queuekit.on_worker_exit
    def leave(process: Process) -> None:
        raise ValueError("in a hook")

    hooks.call("exit", WORKER)
    assert said == ["first: in a hook", "second: in a hook"]

    @events.subscribe
    def handle(event: Event) -> None:
        if not isinstance(event, ErrorOccurred):
            raise ValueError("in a handler")

    said.clear()
    events.emit(events.QueuePaused(queue="mail"))
    assert said == ["first: in a handler", "second: in a handler"]


def test_error_hooks_do_not_hear_of_jobs() -> None:
    queuekit.on_error(lambda error: said.append(error))

    assert run("fail")[0] == "failed"
    assert said == []


def test_an_error_hook_that_raises_keeps_nothing_from_the_others() -> None:
    @queuekit.on_error
    def report(error: BaseException) -> None:
        raise OSError("no connection")

    queuekit.on_error(lambda error: said.append(str(error)))

    events.emit(ErrorOccurred(where="somewhere", error=ValueError("it broke")))

    assert said == ["it broke"]
