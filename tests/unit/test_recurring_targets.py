"""What a task enqueues: a job of queuekit's, a command's job, or another library's task."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from queuekit import schedules
from queuekit.errors import EnqueueOptionError, SignatureError, UnknownJobError
from queuekit.recurring import targets
from queuekit.recurring.targets import ForeignTarget, JobTarget
from queuekit.recurring.task import RecurringTask
from tests.unit.applications import application_in, write

JOBS = """
    import queuekit

    @queuekit.job(queue="mailers", priority=3)
    def welcome(user_id, greeting="Hello"): ...

    @queuekit.job(name="nightly report")
    def report(): ...

    @queuekit.job(queue=lambda account: f"account_{account}")
    def export(account): ...

    class Base(queuekit.Job): ...

    class Sweep(Base):
        name = "a sweep"
        def perform(self): ...

    def no_job(): ...
"""

TASKS = """
    sent = []

    class Task:
        def __init__(self, name, method):
            setattr(self, method, lambda *args, **kwargs: sent.append((name, args, kwargs)))

    celery, dramatiq, django = Task("c", "delay"), Task("d", "send"), Task("j", "enqueue")

    class Strict:
        def delay(self, user_id): ...

    strict = Strict()

    class Later:
        async def enqueue(self): ...

    later = Later()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with application_in(tmp_path, monkeypatch) as folder:
        write(folder / "targets_jobs.py", JOBS)
        write(folder / "targets_tasks.py", TASKS)
        write(folder / "targets_broken.py", "1 / 0")
        yield folder


def task(class_name: str | None = None, *args: Any, **attributes: Any) -> RecurringTask:
    schedule = schedules.parse("every hour")
    return RecurringTask(
        key="task", schedule=schedule, class_name=class_name, args=args, **attributes
    )


# Jobs


def test_a_job_is_described_with_the_options_of_the_task() -> None:
    target = targets.check(task("targets_jobs.welcome", 42))
    assert isinstance(target, JobTarget)
    described = target.describe()
    assert (described.class_name, described.queue, described.priority) == (
        "targets_jobs.welcome",
        "mailers",
        3,
    )
    assert described.arguments == '{"args":[42],"kwargs":{}}'
    assert target.describe().job_id != described.job_id

    options = {"queue": "slow", "priority": -1, "kwargs": {"greeting": "Hi"}}
    described = targets.find(task("targets_jobs.welcome", 42, **options)).describe()
    assert (described.queue, described.priority) == ("slow", -1)
    assert described.arguments == '{"args":[42],"kwargs":{"greeting":"Hi"}}'


def test_the_queue_may_be_a_function_of_the_arguments() -> None:
    target = targets.find(task("targets_jobs.export", 7))
    assert isinstance(target, JobTarget)
    assert target.queue == "account_7"


@pytest.mark.parametrize(
    ("name", "stored"),
    [("targets_jobs.report", "nightly report"), ("targets_jobs.Sweep", "a sweep")],
)
def test_a_job_with_a_name_of_its_own_is_found_by_both(name: str, stored: str) -> None:
    for class_name in (name, stored):
        target = targets.find(task(class_name))
        assert isinstance(target, JobTarget)
        assert target.declaration.name == stored


def test_a_command_is_a_job_that_carries_its_key() -> None:
    target = targets.find(task(command="targets_jobs.no_job()", queue="slow"))
    assert isinstance(target, JobTarget)
    described = target.describe()
    assert described.class_name == "queuekit.recurring.command"
    assert described.arguments == '{"args":["task"],"kwargs":{}}'
    assert described.queue == "slow"
    assert targets.find(task(command="a.b()")).describe().queue == "queuekit_recurring"


# Other libraries' tasks


@pytest.mark.parametrize(("name", "sent"), [("celery", "c"), ("dramatiq", "d"), ("django", "j")])
def test_a_task_of_another_library_is_enqueued_there(name: str, sent: str) -> None:
    target = targets.check(task(f"targets_tasks.{name}", 1, kwargs={"full": True}))
    assert isinstance(target, ForeignTarget)
    target.enqueue()
    assert sys.modules["targets_tasks"].sent == [(sent, (1,), {"full": True})]


def test_its_queue_is_for_its_own_library_to_say() -> None:
    with pytest.raises(EnqueueOptionError, match="is enqueued by its own library"):
        targets.find(task("targets_tasks.celery", queue="slow"))


def test_one_that_gives_something_to_await_is_refused() -> None:
    target = targets.find(task("targets_tasks.later"))
    assert isinstance(target, ForeignTarget)
    with pytest.raises(TypeError, match=r"targets_tasks\.later\.enqueue gives a coroutine"):
        target.enqueue()


# What is wrong with them


@pytest.mark.parametrize(
    ("class_name", "problem"),
    [
        ("targets_jobs.no_job", "targets_jobs.no_job is no job: declare it with @queuekit.job"),
        ("targets_jobs.Base", "targets_jobs.Base is no job"),
        ("targets_jobs.welcom", "targets_jobs.welcom is not known: targets_jobs has no welcom"),
        ("targets_jobs.queuekit.Job", "targets_jobs.queuekit is the module queuekit"),
        ("targets_broken.job", "importing targets_broken raised ZeroDivisionError"),
        ("Welcome", "job Welcome is not known: start bin/jobs in the folder"),
        ("subprocess.Popen", "is not known"),
        ("socket.socket", "is not known"),
    ],
)
def test_what_is_no_job_is_refused(class_name: str, problem: str) -> None:
    with pytest.raises(UnknownJobError) as refused:
        targets.find(task(class_name))
    assert problem in str(refused.value)


@pytest.mark.parametrize("class_name", ["targets_jobs.welcome", "targets_tasks.strict"])
def test_what_cannot_be_called_like_this_is_refused(class_name: str) -> None:
    with pytest.raises(SignatureError, match="missing a required argument: 'user_id'"):
        targets.check(task(class_name))
    targets.check(task(class_name, 1))


def test_a_command_is_checked_with_its_call() -> None:
    targets.check(task(command="targets_jobs.no_job()"))
    with pytest.raises(TypeError, match="too many positional arguments"):
        targets.check(task(command="targets_jobs.no_job(1)"))
