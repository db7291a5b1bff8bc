"""Continuations without a database: the rules of steps, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import queuekit
from queuekit import (
    Continuable,
    InvalidStepError,
    JobDeclarationError,
    NoCurrentJobError,
    Step,
    UnadvanceableCursorError,
    context,
)

did: list[Any] = []


def in_a_job(function: Callable[[], Any]) -> Any:
    """Run this as a continuable job, here and now."""
    did.clear()
    return queuekit.job(name=f"{__name__}.{function.__qualname__}", continuable=True)(
        function
    ).perform_now()


def test_a_function_is_called_with_the_step_or_with_nothing() -> None:
    def work() -> None:
        context.step("nothing", lambda: did.append("nothing"))
        context.step("the step", lambda step: did.append(step.name))
        context.step("a default stays", lambda value="default": did.append(value))

    in_a_job(work)

    assert did == ["nothing", "the step", "default"]


def test_a_decorator_runs_its_function_here_and_now() -> None:
    def work() -> None:
        @context.step("block", start=3)
        def block(step: Step) -> None:
            did.append(step.cursor)

        did.append(block.__name__)

    in_a_job(work)

    assert did == [3, "block"]


def test_a_cursor_begins_where_it_is_told_to_and_advances() -> None:
    def through(step: Step) -> None:
        did.append((step.cursor, step.resumed))
        step.advance()
        did.append(step.cursor)
        step.advance(from_=41)
        did.append(step.cursor)
        step.set("anything")
        step.checkpoint()
        did.append(step.cursor)

    in_a_job(lambda: context.step("through", through, start=5))

    assert did == [(5, False), 6, 42, "anything"]


@pytest.mark.parametrize("start", [None, "text", 1.5, True])
def test_only_whole_numbers_advance(start: object) -> None:
    with pytest.raises(UnadvanceableCursorError, match="only a whole number can be advanced"):
        in_a_job(lambda: context.step("through", Step.advance, start=start))


@pytest.mark.parametrize("given", [None, 5])
def test_what_a_function_returned_is_no_function(given: Any) -> None:
    with pytest.raises(InvalidStepError, match=r"step .import.: .* give it the function itself"):
        in_a_job(lambda: context.step("import", given))


def test_names_are_unique() -> None:
    def work() -> None:
        context.step("same", lambda: None)
        context.step("same", lambda: None)

    with pytest.raises(InvalidStepError, match="'same' comes a second time"):
        in_a_job(work)


def test_steps_are_not_nested() -> None:
    def work() -> None:
        context.step("outer", lambda: context.step("inner", lambda: None))

    with pytest.raises(InvalidStepError, match="'inner' is inside step 'outer'"):
        in_a_job(work)


def test_after_a_step_that_raised_no_other_comes() -> None:
    def work() -> None:
        with pytest.raises(ZeroDivisionError):
            context.step("one", lambda: 1 / 0)
        context.step("two", lambda: None)

    with pytest.raises(InvalidStepError, match="'two' comes after step 'one', which has not"):
        in_a_job(work)


@pytest.mark.parametrize("name", ["", " x", "x\0", "x" * 192, 7, None])
def test_a_name_is_a_text_that_every_database_takes(name: Any) -> None:
    with pytest.raises(InvalidStepError):
        in_a_job(lambda: context.step(name, lambda: None))


def test_a_function_of_two_is_refused() -> None:
    def two(step: Step, other: int) -> None: ...

    with pytest.raises(InvalidStepError, match="called with the step, or with nothing"):
        in_a_job(lambda: context.step("two", two))


def test_a_decorator_cannot_await() -> None:
    def work() -> None:
        @context.step("block")
        async def _() -> None: ...

    with pytest.raises(InvalidStepError, match=r"await step\('block', function\)"):
        in_a_job(work)


def test_a_cursor_stays_when_its_step_has_ended() -> None:
    def work() -> None:
        kept: list[Step] = []
        context.step("one", lambda step: kept.append(step))
        kept[0].set(1)

    with pytest.raises(InvalidStepError, match="step 'one' has ended: its cursor stays"):
        in_a_job(work)


def test_a_job_that_is_not_declared_so_has_no_steps() -> None:
    def work() -> None:
        context.step("one", lambda: None)

    with pytest.raises(InvalidStepError, match="declare it with continuable=True"):
        queuekit.job(name=f"{__name__}.plain")(work).perform_now()


def test_outside_of_a_job_there_are_no_steps() -> None:
    class Alone(Continuable, queuekit.Job):
        def perform(self) -> None:
            self.step("one", lambda: None)

    with pytest.raises(NoCurrentJobError):
        Alone().perform()


@pytest.mark.parametrize("first", [True, False])
def test_the_mixin_stands_before_or_after_the_base(first: bool) -> None:
    bases = (Continuable, queuekit.Job) if first else (queuekit.Job, Continuable)

    def perform(self: Any) -> None:
        self.step("one", lambda: did.append("one"))

    did.clear()
    job: Any = type(f"Mixed{first}", bases, {"perform": perform, "__module__": __name__})

    job.perform_now()

    assert did == ["one"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"continuable": 1}, "continuable is True or False"),
        ({"continuable": True, "max_resumptions": -1}, "max_resumptions is a whole number"),
        ({"continuable": True, "max_resumptions": 1.0}, "max_resumptions is a whole number"),
        ({"continuable": True, "resume_wait": -1}, "resume_wait=-1 is not a span of time"),
        ({"continuable": True, "resume_wait": "soon"}, "resume_wait is a timedelta or a number"),
        ({"max_resumptions": 3}, "are for continuable"),
        ({"resume_wait": timedelta(minutes=1)}, "are for continuable"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_declared(
    options: dict[str, Any], problem: str
) -> None:
    def declare() -> None:
        @queuekit.job(**options)
        def work() -> None: ...

    with pytest.raises(JobDeclarationError, match=problem):
        declare()
