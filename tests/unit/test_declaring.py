"""Declaring jobs: what is refused at import, and with which words; what a job then offers."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import BoundJob, declaration
from queuekit.errors import (
    EnqueueOptionError,
    JobDeclarationError,
    SignatureError,
    UnreachableJobError,
)


@queuekit.job
def add(left: int, right: int = 0, *, scale: int = 1) -> int:
    """Adds."""
    return (left + right) * scale


@queuekit.job(queue="mailers", priority=-7, name="unit.a_name_of_its_own")
def named(text: str) -> str:
    return text


class Base(queuekit.Job):
    queue = "base"
    priority = 3


class Export(Base):
    name = "unit.export"

    def __init__(self) -> None:
        self.steps: list[int] = []

    def perform(self, account: int, *, full: bool = False) -> list[int]:
        self.steps.append(account)
        return self.steps


class FullExport(Export):
    queue = "full"

    def perform(self, account: int, *, full: bool = True) -> list[int]:
        return super().perform(account, full=full)


# Declared


def test_a_declared_function_is_still_the_function() -> None:
    assert add(1, 2, scale=3) == 9
    assert add.perform_now(1, 2) == 3
    assert getattr(add, "__name__", None) == "add"
    assert add.__doc__ == "Adds."
    assert inspect.signature(add).parameters.keys() == {"left", "right", "scale"}
    assert repr(add) == f"<job {__name__}.add>"


def test_a_class_job_runs_on_a_new_instance_each_time() -> None:
    assert Export.perform_now(1) == [1]
    assert Export.perform_now(2, full=True) == [2]
    assert FullExport.perform_now(3) == [3]


@pytest.mark.parametrize(
    ("name", "queue", "priority"),
    [
        (f"{__name__}.add", "default", 0),
        ("unit.a_name_of_its_own", "mailers", -7),
        ("unit.export", "base", 3),
        (f"{__name__}.FullExport", "full", 3),
    ],
)
def test_jobs_are_registered_by_name_with_their_defaults(
    name: str, queue: str, priority: int
) -> None:
    found = declaration.find(name)

    assert found is not None
    assert (found.name, found.queue, found.priority) == (name, queue, priority)


def test_a_class_without_perform_is_no_job() -> None:
    assert declaration.find(f"{__name__}.Base") is None
    for use in ("enqueue", "bind", "using", "perform_now"):
        with pytest.raises(JobDeclarationError) as raised:
            getattr(Base, use)
        assert str(raised.value) == (
            f"{__name__}.Base ({__file__}:{line_of('class Base(')}) has no perform method, "
            "so it is not a job"
        )


def line_of(beginning: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.startswith(beginning))


@pytest.mark.parametrize(("option", "value"), [("name", "unit.nothing"), ("aliases", ["unit.old"])])
def test_a_class_without_perform_has_no_name_either(option: str, value: Any) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        type("Nothing", (queuekit.Job,), {option: value})

    assert str(raised.value).startswith(f"job {__name__}.Nothing ({__file__}:")
    assert f"no perform method, and what {option} says is not inherited" in str(raised.value)


def test_a_perform_without_self_is_refused() -> None:
    with pytest.raises(JobDeclarationError, match="perform takes no self"):

        class Forgetful(queuekit.Job):
            def perform() -> None:  # type: ignore[misc]
                ...


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_perform_that_needs_no_instance_is_inherited(kind: Any) -> None:
    def static(account: int) -> int:
        return account

    def of_class(cls: type, account: int) -> int:
        return account

    method = kind(static if kind is staticmethod else of_class)
    mixin = type("Mixin", (), {"perform": method})
    base: Any = type("Base", (queuekit.Job,), {"perform": method, "name": "unit.static_base"})
    heir: Any = type("Heir", (base,), {"name": "unit.static_heir"})
    mixed: Any = type("Mixed", (mixin, queuekit.Job), {"name": "unit.static_mixed"})

    for job in (base, heir, mixed):
        assert job.bind(7).args == (7,)
        assert job.perform_now(account=7) == 7


def test_importing_a_module_again_replaces_its_jobs() -> None:
    first = declare_elsewhere("unit_again", "job", "return 1")
    second = declare_elsewhere("unit_again", "job", "return 2")

    found = declaration.find("unit_again.job")
    assert found is not None
    assert (first(), second(), found.call()) == (1, 2, 2)


def declare_elsewhere(module: str, function: str, body: str, **options: Any) -> Any:
    namespace: dict[str, Any] = {"__name__": module}
    exec(f"def {function}():\n    {body}\n", namespace)
    return queuekit.job(**options)(namespace[function])


def test_two_jobs_cannot_share_a_name() -> None:
    declare_elsewhere("unit_one", "job", "pass", name="unit.shared")

    with pytest.raises(JobDeclarationError) as raised:
        declare_elsewhere("unit_two", "job", "pass", name="unit.shared")
    assert str(raised.value) == (
        "two jobs are named unit.shared: one in unit_one (<string>:1), one in unit_two (<string>:1)"
    )


def test_an_alias_is_a_name_too() -> None:
    first = declare_elsewhere("unit_three", "job", "pass", aliases=["unit.once", "unit.twice"])

    assert declaration.find("unit.twice") is first._declaration
    for names in ({"name": "unit.once"}, {"aliases": ["unit.other", "unit.twice"]}):
        with pytest.raises(JobDeclarationError, match=r"two jobs are named unit\.(once|twice)"):
            declare_elsewhere("unit_four", "job", "pass", **names)
    assert declaration.find("unit.other") is None


# Refused where they are declared


def plain() -> None: ...
async def asynchronous() -> None: ...
async def asynchronous_generator() -> AsyncIterator[int]:
    yield 1


def generator() -> Iterator[int]:
    yield 1


class Callables:
    async def __call__(self) -> None: ...


GENERATOR = "it is a generator, whose call would run nothing: it must not yield"

REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (asynchronous_generator, {}, GENERATOR),
    (generator, {}, GENERATOR),
    (plain, {"queue": ""}, "queue '' is empty, or begins or ends with a space"),
    (plain, {"queue": " a"}, "queue ' a' is empty, or begins or ends with a space"),
    (plain, {"queue": "a*"}, "queue 'a*' has a * or a comma, which mean something to a worker's"),
    (plain, {"queue": "a,b"}, "queue 'a,b' has a * or a comma, which mean something to a worker's"),
    (plain, {"queue": "a\0b"}, "queue 'a\\x00b' has characters that cannot be printed"),
    (plain, {"queue": "a\nb"}, "queue 'a\\nb' has characters that cannot be printed"),
    (plain, {"queue": "q" * 192}, f"queue {'q' * 40}... has 192 characters; 191 fit"),
    (plain, {"queue": 5}, "queue is a text, not 5"),
    (plain, {"queue": None}, "queue is a text, not None"),
    (plain, {"priority": "high"}, "priority is a whole number, not 'high'"),
    (plain, {"priority": True}, "priority is a whole number, not True"),
    (plain, {"priority": 1.0}, "priority is a whole number, not 1.0"),
    (
        plain,
        {"priority": 2**31},
        "priority 2147483648 is not between -2147483648 and 2147483647",
    ),
    (plain, {"name": ""}, "name '' is empty, or begins or ends with a space"),
    (plain, {"name": "n" * 192}, f"name {'n' * 40}... has 192 characters; 191 fit"),
    (plain, {"name": 7}, "name is a text, not 7"),
]


@pytest.mark.parametrize(("function", "options", "problem"), REFUSED)
def test_what_cannot_work_is_refused_with_its_name_and_place(
    function: Callable[..., Any], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(JobDeclarationError) as raised:
        queuekit.job(**options)(function)

    line = function.__code__.co_firstlineno
    name = options.get("name", f"{__name__}.{function.__name__}")
    assert str(raised.value).startswith(f"job {name} ({__file__}:{line}): {problem}")


def test_names_of_191_characters_fit_in_any_script() -> None:
    queuekit.job(queue="\N{SNOWMAN}" * 191, name="\N{PILE OF POO}" * 191)(plain)


def test_a_class_is_told_to_inherit() -> None:
    with pytest.raises(JobDeclarationError) as raised:
        queuekit.job(Callables)
    assert str(raised.value) == (
        "job Callables: @job is for functions; a class inherits queuekit.Job"
    )


def test_a_class_is_checked_like_a_function() -> None:
    def generating(job: object) -> Iterator[int]:
        yield 1

    with pytest.raises(JobDeclarationError, match="it is a generator"):
        types.new_class("Bad", (queuekit.Job,), {}, lambda ns: ns.update(perform=generating))
    with pytest.raises(JobDeclarationError, match=r"job .*Bad \(.*\): perform is not a method"):
        types.new_class("Bad", (queuekit.Job,), {}, lambda ns: ns.update(perform=5))
    with pytest.raises(JobDeclarationError, match="queue is a text, not 5"):
        types.new_class("Bad", (Export,), {}, lambda ns: ns.update(queue=5))


@pytest.mark.parametrize("method", ["__init__", "__new__"])
def test_a_class_that_cannot_be_made_without_arguments_is_refused(method: str) -> None:
    """Each run makes an instance without any, so each run would fail."""

    def make(self, path, mode="r"):  # type: ignore[no-untyped-def]
        raise AssertionError("declaring runs nothing")

    with pytest.raises(JobDeclarationError) as raised:
        types.new_class("Bad", (Export,), {}, lambda ns: ns.update({method: make}))
    assert str(raised.value) == (
        f"job types.Bad ({__file__}:{Export.perform.__code__.co_firstlineno}): each run makes an "
        "instance without arguments, and Bad(path, mode='r'): missing a required argument: 'path'"
    )


def test_a_class_whose_arguments_all_have_defaults_is_a_job() -> None:
    class Lenient(queuekit.Job):
        name = "unit.lenient"

        def __init__(self, path: str = "here", *rest: int, **more: int) -> None:
            self.path = path

        def perform(self) -> str:
            return self.path

    assert Lenient.perform_now() == "here"


# Calls


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [
        ((), {}, "missing a required argument: 'left'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"left": 1}, "multiple values for argument 'left'"),
        ((1,), {"more": 1}, "got an unexpected keyword argument 'more'"),
    ],
)
def test_a_wrong_call_is_refused_with_the_signature(
    args: tuple[Any, ...], kwargs: dict[str, Any], problem: str
) -> None:
    for refused in (add.enqueue, add.bind, add.using(queue="q").enqueue):
        with pytest.raises(SignatureError) as raised:
            refused(*args, **kwargs)
        assert str(raised.value) == (
            f"{__name__}.add(left: 'int', right: 'int' = 0, *, scale: 'int' = 1) -> 'int': "
            f"{problem}"
        ) or str(raised.value) == (
            f"{__name__}.add(left: 'int', right: 'int' = 0, *, scale: 'int' = 1): {problem}"
        )


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1,), {}), ((1, 2), {}), ((), {"left": 1}), ((1,), {"scale": 2}), ((1, 2), {"scale": 2})],
)
def test_a_right_call_is_bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert isinstance(add.bind(*args, **kwargs), BoundJob)


def test_classes_are_called_without_self() -> None:
    with pytest.raises(SignatureError, match="missing a required argument: 'account'"):
        Export.bind()  # type: ignore[call-arg]
    with pytest.raises(SignatureError, match="too many positional arguments"):
        Export.bind(1, 2)  # type: ignore[call-arg, arg-type]
    assert repr(Export.bind(1)) == "<BoundJob unit.export on queue 'base'>"


def test_keyword_only_arguments_may_be_required() -> None:
    @queuekit.job(name="unit.keyword_only")
    def job(*, account: int) -> None: ...

    with pytest.raises(SignatureError, match=r"missing a required (keyword-only )?argument"):
        job.bind()  # type: ignore[call-arg]
    assert job.bind(account=1)


def test_any_number_of_arguments_may_be_taken() -> None:
    @queuekit.job(name="unit.variadic")
    def job(first: int, *rest: int, **named: int) -> None: ...

    with pytest.raises(SignatureError, match="missing a required argument: 'first'"):
        job.bind()  # type: ignore[call-arg]
    assert job.bind(1, 2, 3, four=4)


# Where a job is defined


def test_a_job_inside_a_function_is_refused_when_it_is_enqueued() -> None:
    @queuekit.job
    def local() -> None: ...

    name = f"{__name__}.test_a_job_inside_a_function_is_refused_when_it_is_enqueued.<locals>.local"
    for refused in (local.enqueue, local.bind):
        with pytest.raises(UnreachableJobError) as raised:
            refused()
        assert str(raised.value) == (
            f"{name} is defined inside a function, where a worker cannot find it: move it to the "
            "top of its module, or give it a name= and have a module listed under imports call "
            "that function"
        )


def test_a_job_inside_a_function_with_a_name_is_reachable() -> None:
    @queuekit.job(name="unit.local_with_a_name")
    def local() -> None: ...

    assert local.bind()


def test_a_job_in_a_script_is_refused_and_in_a_module_run_with_m_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    lost = declare_elsewhere("__main__", "lost", "pass")
    with pytest.raises(
        UnreachableJobError, match=r"__main__\.lost is defined in the script that is"
    ):
        lost.bind()

    main.__spec__ = types.SimpleNamespace(name="shop.nightly")  # type: ignore[assignment]
    found = declare_elsewhere("__main__", "found", "pass")
    assert repr(found.bind()) == "<BoundJob shop.nightly.found on queue 'default'>"


def test_a_queue_function_that_cannot_be_called_like_the_job_is_named() -> None:
    @queuekit.job(name="unit.by_tenant", queue=lambda tenant: f"tenant_{tenant}")
    def by_tenant(tenant_id: int) -> None: ...

    assert by_tenant.bind(7).queue == "tenant_7"
    with pytest.raises(
        EnqueueOptionError, match=r"^unit\.by_tenant: its queue function .*'tenant_id'"
    ):
        by_tenant.bind(tenant_id=7)


def test_what_a_queue_function_raises_is_its_own() -> None:
    def broken(tenant: int) -> str:
        raise TypeError("of its own")

    @queuekit.job(name="unit.by_broken", queue=broken)
    def by_broken(tenant: int) -> None: ...

    with pytest.raises(TypeError, match="of its own"):
        by_broken.bind(7)


def test_enqueue_all_takes_bound_jobs_only() -> None:
    assert queuekit.enqueue_all([]) == []
    with pytest.raises(EnqueueOptionError) as raised:
        queuekit.enqueue_all([5])  # type: ignore[list-item]
    assert str(raised.value) == (
        "enqueue_all takes jobs with their arguments, as job.bind(...) makes them, not 5"
    )
    with pytest.raises(EnqueueOptionError, match="bound with different connections"):
        queuekit.enqueue_all([add.using(connection=c).bind(1) for c in (object(), object())])


def test_a_wrapped_function_keeps_its_signature() -> None:
    def twice(function: Callable[[int], int]) -> Callable[[int], int]:
        @functools.wraps(function)
        def wrapper(*args: Any) -> int:
            return function(*args) * 2

        return wrapper

    @queuekit.job(name="unit.wrapped")
    @twice
    def job(number: int) -> int:
        return number

    assert job(2) == 4
    with pytest.raises(SignatureError):
        job.bind(1, 2)  # type: ignore[call-arg]


def test_nothing_is_run_by_declaring() -> None:
    assert asyncio.iscoroutinefunction(asynchronous)  # and nobody was warned that it never ran
