"""Hooks: an application's own code at the turning points of processes, around runs, and for errors.

    @queuekit.on_worker_start
    def warm_up(process):
        cache.load()

    @queuekit.around_run
    @contextmanager
    def connections(job):
        yield
        close_old_connections()

Start hooks run after a process has registered and before it begins; stop hooks when it was told to
stop; exit hooks before it gives up its row and ends. Each is given its process. A hook that raises
is reported and stops nothing. Register them before the processes start, in a module listed under
`imports`.

A leaf of the import graph but for `events`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from inspect import isgeneratorfunction
from typing import Any, TypeVar

from queuekit import events


@dataclass(frozen=True, slots=True)
class Process:
    """A process as its hooks see it: its row id, kind, pid, host, and what it was told."""

    id: int
    kind: str
    pid: int
    hostname: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A job that is about to run, as `around_run` sees it."""

    job_id: str
    class_name: str
    queue: str
    attempt: int


ProcessHook = Callable[[Process], object]
RunHook = Callable[[Run], AbstractContextManager[Any]]
ErrorHook = Callable[[BaseException], object]

P = TypeVar("P", bound=ProcessHook)
R = TypeVar("R", bound=RunHook)
E = TypeVar("E", bound=ErrorHook)

_processes: dict[tuple[str, str], list[ProcessHook]] = {}
_runs: list[RunHook] = []


def _registrar(kind: str, moment: str, when: str) -> Callable[[P], P]:
    def register(hook: P) -> P:
        _processes.setdefault((kind, moment), []).append(hook)
        return hook

    register.__doc__ = f"Call the function, with the process, {when}."
    return register


on_start = _registrar("Supervisor", "start", "when the supervisor has booted, before it forks")
on_stop = _registrar("Supervisor", "stop", "when the supervisor was told to stop")
on_exit = _registrar("Supervisor", "exit", "as the last thing before the supervisor ends")
on_worker_start = _registrar("Worker", "start", "in each worker, before it claims anything")
on_worker_stop = _registrar("Worker", "stop", "when a worker was told to stop")
on_worker_exit = _registrar("Worker", "exit", "before a worker gives up its claims and ends")
on_dispatcher_start = _registrar("Dispatcher", "start", "in each dispatcher, before it begins")
on_dispatcher_stop = _registrar("Dispatcher", "stop", "when a dispatcher was told to stop")
on_dispatcher_exit = _registrar("Dispatcher", "exit", "as the last thing before one ends")
on_scheduler_start = _registrar("Scheduler", "start", "in each scheduler, before it begins")
on_scheduler_stop = _registrar("Scheduler", "stop", "when a scheduler was told to stop")
on_scheduler_exit = _registrar("Scheduler", "exit", "as the last thing before one ends")


def around_run(hook: R) -> R:
    """Put a context manager around every run of a job: the function is called with the Run.

    What it raises before the job begins makes the job fail; so does what it raises afterwards.

    Raises TypeError for a generator function, with which every job would fail.
    """
    if isgeneratorfunction(hook):
        raise TypeError(
            f"around_run takes what returns a context manager: {hook.__qualname__} yields, so it "
            "needs @contextmanager beneath @queuekit.around_run"
        )
    _runs.append(hook)
    return hook


def on_error(hook: E) -> E:
    """Call the function with every error in queuekit's own threads, in hooks and in handlers.

    Errors of jobs are not among them: those are on the failed jobs. What the function raises itself
    is left at that.
    """

    def report(event: events.Event) -> None:
        if isinstance(event, events.ErrorOccurred):
            hook(event.error)

    events.subscribe(report)
    return hook


def call(moment: str, process: Process) -> None:
    """Call the hooks of this kind of process for this moment."""
    for hook in _processes.get((process.kind, moment), ()):
        try:
            hook(process)
        except BaseException as error:  # sys.exit(), too: children would be left behind
            where = f"the hook {getattr(hook, '__qualname__', hook)} at {process.kind} {moment}"
            events.emit(events.ErrorOccurred(where=where, error=error))


@contextmanager
def surround(run: Run) -> Iterator[None]:
    """All of `around_run`, the first registered outermost."""
    begun = False
    with ExitStack() as stack:
        for hook in _runs:
            stack.enter_context(hook(run))
        begun = True
        yield
    if not begun:
        raise RuntimeError(
            "the job did not begin: a hook around runs swallowed an error of another"
        )


def any_around_run() -> bool:
    return bool(_runs)
