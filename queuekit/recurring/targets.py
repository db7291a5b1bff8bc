"""What a task enqueues: a job of queuekit's, or a task of another library.

JobTarget       a declared job, or the job that runs commands: written with the row of its run,
                in one transaction
ForeignTarget   anything else with `delay` (Celery), `send` (Dramatiq) or `enqueue`
                (django.tasks, RQ): enqueued there, which no transaction of ours can hold
                together with the row. It is not promised that this happens at most once.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from queuekit import arguments, importing
from queuekit.declaration import Declaration
from queuekit.description import Description, Options, describe
from queuekit.errors import EnqueueOptionError, SignatureError, UnknownJobError
from queuekit.job import Job
from queuekit.recurring import commands
from queuekit.recurring.task import RecurringTask

#: The methods that enqueue, in the libraries that have them.
_METHODS = ("delay", "send", "enqueue")


@dataclass(frozen=True, slots=True)
class JobTarget:
    """A job of queuekit's, with the arguments and the options of a task."""

    declaration: Declaration
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: Options

    @property
    def queue(self) -> str:
        """The queue that the jobs go to. Raises EnqueueOptionError."""
        return self.options.queue or self.declaration.queue_for(self.args, self.kwargs)

    def describe(self) -> Description:
        """One more job, ready to be written. Raises EnqueueError."""
        return describe(self.declaration, self.args, self.kwargs, self.options)

    def check(self) -> None:
        """Raise EnqueueError when no job could be written, as far as its declaration knows."""
        self.declaration.check_reachable()
        self.declaration.check_call(self.args, self.kwargs)


@dataclass(frozen=True, slots=True)
class ForeignTarget:
    """A task of another library; `method` is what enqueues it there."""

    name: str
    method: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def enqueue(self) -> None:
        """Enqueue it. Raises whatever the library raises."""
        value = self.method(*self.args, **self.kwargs)
        if isinstance(value, types.CoroutineType):
            value.close()
            raise TypeError(f"{self._called} gives a coroutine, which nobody awaits")

    def check(self) -> None:
        """Raise SignatureError when it cannot be called like this, as far as it tells."""
        try:
            signature = inspect.signature(self.method)
        except (ValueError, TypeError):
            return
        try:
            signature.bind(*self.args, **self.kwargs)
        except TypeError as error:
            raise SignatureError(f"{self._called}{signature}: {error}") from None

    @property
    def _called(self) -> str:
        return f"{self.name}.{getattr(self.method, '__name__', '')}"


Target = JobTarget | ForeignTarget


def with_arguments(task: RecurringTask) -> RecurringTask:
    """The task with the arguments that its row has, if it comes from one. Raises
    DeserializationError."""
    if task.stored_arguments is None:
        return task
    args, kwargs = arguments.load(task.stored_arguments)
    return replace(task, args=tuple(args), kwargs=kwargs)


def find(task: RecurringTask, imports: Sequence[str] = (), folder: Path | None = None) -> Target:
    """What a task enqueues, after importing its module where that is allowed.

    Raises UnknownJobError, EnqueueOptionError.
    """
    options = Options(queue=task.queue, priority=task.priority)
    args, kwargs = task.args, dict(task.kwargs)
    if task.class_name is None:
        return JobTarget(importing.find(commands.JOB), (task.key,), {}, options)
    found = _find(task.class_name, imports, folder)
    if isinstance(found, Declaration):
        return JobTarget(found, args, kwargs, options)
    if options != Options():
        raise EnqueueOptionError(
            f"{task.class_name} is enqueued by its own library: say its queue and its priority "
            "where it is declared"
        )
    return ForeignTarget(task.class_name, found, args, kwargs)


def check(task: RecurringTask, imports: Sequence[str] = (), folder: Path | None = None) -> Target:
    """What a task enqueues, checked as far as can be done without enqueueing it.

    Raises UnknownJobError, EnqueueError; TypeError for a command that cannot be called like that.
    """
    target = find(task, imports, folder)
    if task.command is not None:
        command = commands.parse(task.command)
        commands.resolve(command, imports, folder or Path.cwd())
    target.check()
    return target


def _find(
    name: str, imports: Sequence[str], folder: Path | None
) -> Declaration | Callable[..., Any]:
    """The job of this name, or what enqueues another library's task of this name."""
    try:
        return importing.find(name, imports, folder)
    except UnknownJobError as unknown:
        if unknown.__cause__ is not None or "." not in name:
            raise
    found = importing.locate(name, imports, folder)
    declared = getattr(found, "_declaration", None)
    if isinstance(declared, Declaration):
        return declared  # a job with a name of its own, named by its place
    is_base = isinstance(found, type) and issubclass(found, Job)
    methods = [] if is_base else [getattr(found, method, None) for method in _METHODS]
    for method in methods:
        if callable(method):
            return method  # type: ignore[no-any-return]
    raise UnknownJobError(
        f"{name} is no job: declare it with @queuekit.job, or as a subclass of queuekit.Job with a "
        "perform method"
    )
