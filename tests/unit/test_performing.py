"""Running one attempt: whatever happens in it becomes a result."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import queuekit
from queuekit.arguments import dump
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.errors import read_error
from queuekit.performing import Performer

ran: list[Any] = []


@queuekit.job
def record(*args: Any, **kwargs: Any) -> None:
    ran.append((args, kwargs))


@queuekit.job
def leave() -> None:
    sys.exit("bye")


@queuekit.job
def interrupt() -> None:
    raise KeyboardInterrupt


@queuekit.job
def divide(number: int) -> float:
    return 1 / number


class Fragile(queuekit.Job):
    def __init__(self) -> None:
        raise OSError("no room")

    def perform(self) -> None:
        raise AssertionError("never")


def claimed(name: str, stored: str) -> ClaimedJob:
    return ClaimedJob(7, "some-id", 1, "default", name, stored, 0)


def test_a_job_that_returns_is_finished() -> None:
    ran.clear()
    result = Performer().perform(claimed(f"{__name__}.record", dump([1, "two"], {"three": [3]})))

    assert (result.row_id, result.outcome, result.error) == (7, "finished", None)
    assert ran == [((1, "two"), {"three": [3]})]


@pytest.mark.parametrize(
    ("name", "stored", "exception_class", "message"),
    [
        (f"{__name__}.divide", dump([0], {}), "ZeroDivisionError", "division by zero"),
        (f"{__name__}.divide", dump([], {}), "TypeError", "divide() missing 1 required"),
        (f"{__name__}.divide", "{", "queuekit.errors.DeserializationError", "the stored"),
        (f"{__name__}.leave", dump([], {}), "SystemExit", "bye"),
        (f"{__name__}.interrupt", dump([], {}), "KeyboardInterrupt", ""),
        (f"{__name__}.Fragile", dump([], {}), "OSError", "no room"),
    ],
)
def test_whatever_it_raises_makes_it_fail(
    name: str, stored: str, exception_class: str, message: str
) -> None:
    result = Performer().perform(claimed(name, stored))

    assert (result.row_id, result.outcome) == (7, "failed")
    assert result.error is not None
    error = read_error(result.error)
    assert error.exception_class == exception_class
    assert error.message.startswith(message)


def test_a_function_that_is_no_job_never_runs() -> None:
    result = Performer().perform(claimed("os.system", dump(["true"], {})))

    assert (result.row_id, result.outcome) == (7, "retried")  # this worker may be an old one
    assert result.error is not None
    error = read_error(result.error)
    assert error.exception_class == "queuekit.errors.UnknownJobError"
    assert error.message.startswith("job os.system is not known")


def test_a_traceback_begins_with_the_jobs_own_code() -> None:
    result = Performer().perform(claimed(f"{__name__}.divide", dump([0], {})))

    assert result.error is not None
    lines = read_error(result.error).traceback.splitlines()
    assert lines[1].startswith(f'  File "{__file__}"')


class Lock:
    """What a job may hold until its frame is gone: a connection with a transaction open, a file."""


held: weakref.WeakSet[Lock] = weakref.WeakSet()


def break_with_a_lock() -> None:
    lock = Lock()
    held.add(lock)
    raise LookupError("with a lock held")


POLICIES: dict[str, dict[str, Any]] = {
    "failed": {},
    "retried": {"retry_on": LookupError},
    "discarded": {"discard_on": LookupError},
    "finished": {"rescue_from": queuekit.Rescue(LookupError, handler=lambda job, error: None)},
}


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("outcome", POLICIES)
def test_what_a_job_held_is_let_go_with_its_run(outcome: str) -> None:
    """And not when the garbage is collected: a worker that settles the job may wait for it."""
    name = f"performing.{outcome}"
    queuekit.job(name=name, **POLICIES[outcome])(break_with_a_lock)

    with no_garbage_collection():
        result = Performer().perform(claimed(name, dump([], {})))

        assert result is not None
        assert result.outcome == outcome
        assert not held


@pytest.mark.parametrize("outcome", POLICIES)
def test_what_an_async_job_held_is_let_go_with_its_run(outcome: str) -> None:
    name = f"performing.async_{outcome}"

    @queuekit.job(name=name, **POLICIES[outcome])
    async def job() -> None:
        break_with_a_lock()

    async def perform() -> str:
        result = await Performer().perform_async(claimed(name, dump([], {})))
        assert not held
        return result.outcome

    with no_garbage_collection():
        assert asyncio.run(perform()) == outcome
