"""What a test can say and ask about jobs, whatever they are kept in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from queuekit import arguments, declaration
from queuekit.declaration import Declaration
from queuekit.errors import DeserializationError, JobDeclarationError, SerializationError
from queuekit.executions.claimed import ClaimedJob
from queuekit.recurring.now import enqueue
from queuekit.recurring.task import RecurringTask
from queuekit.testing.recurring import due

#: As Active Job's: a time that was computed in the test is never quite the one in the code.
_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class TestedJob:
    """A job as a test sees it. `at` is when it may run, None for at once."""

    __test__ = False

    job_id: str
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    queue: str
    priority: int
    at: datetime | None
    claimed: ClaimedJob

    def __str__(self) -> str:
        given = [repr(value) for value in self.args]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        when = "" if self.at is None else f" at {self.at.isoformat(' ')}"
        return f"{self.name}({', '.join(given)}) on {self.queue!r}, priority {self.priority}{when}"

    @classmethod
    def of(cls, claimed: ClaimedJob, at: datetime | None) -> TestedJob:
        """The job that a row describes; of arguments that cannot be read it shows their text."""
        try:
            args, kwargs = arguments.load(claimed.arguments)
        except DeserializationError:
            args, kwargs = [claimed.arguments], {}
        return cls(
            claimed.job_id,
            claimed.class_name,
            tuple(args),
            kwargs,
            claimed.queue,
            claimed.priority,
            at,
            claimed,
        )


class Assertions(ABC):
    """What can be asserted of the jobs that wait, and of those that were performed."""

    @property
    @abstractmethod
    def enqueued(self) -> list[TestedJob]:
        """The jobs that wait now, in the order in which they were enqueued."""

    @property
    @abstractmethod
    def performed(self) -> list[TestedJob]:
        """The jobs that ran in this test, in the order in which they did; each run counts."""

    @property
    @abstractmethod
    def now(self) -> datetime:
        """The test's time."""

    def assert_enqueued_with(
        self,
        job: Any = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> TestedJob:
        """Assert that such a job waits, and return it: the first, if there are several.

        `job` is the job or the name that it is stored under; what is not given may be anything.
        `at` is met within a second; a timedelta counts from now. Raises AssertionError, which shows
        what was enqueued instead.
        """
        wanted = _Wanted(job, args, kwargs, self._moment(at), queue, priority)
        return _first("enqueued", self.enqueued, wanted)

    def assert_performed_with(
        self,
        job: Any = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> TestedJob:
        """Assert that such a job was performed, and return it: see `assert_enqueued_with`."""
        wanted = _Wanted(job, args, kwargs, self._moment(at), queue, priority)
        return _first("performed", self.performed, wanted)

    def assert_enqueued_jobs(
        self, number: int, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> None:
        """Assert how many jobs wait. `only` and `except_` are a job or several."""
        _count("enqueued", self.enqueued, number, only, except_, queue)

    def assert_no_enqueued_jobs(
        self, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> None:
        """Assert that no job waits."""
        self.assert_enqueued_jobs(0, only=only, except_=except_, queue=queue)

    def assert_performed_jobs(
        self, number: int, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> None:
        """Assert how many jobs were performed; each run counts."""
        _count("performed", self.performed, number, only, except_, queue)

    def assert_no_performed_jobs(
        self, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> None:
        """Assert that no job was performed."""
        self.assert_performed_jobs(0, only=only, except_=except_, queue=queue)

    def _moment(self, at: datetime | timedelta | None) -> datetime | None:
        if isinstance(at, timedelta):
            return self.now + at
        if at is not None and at.tzinfo is None:
            raise ValueError(f"at={at.isoformat(' ')} has no time zone, and jobs' times have one")
        return at


class Jobs(Assertions):
    """The jobs of a test: all assertions, and what runs jobs and moves time."""

    def __init__(self) -> None:
        self._performed: list[TestedJob] = []
        self._offset = timedelta()
        self._performing: _Selection | None = None

    @property
    def performed(self) -> list[TestedJob]:
        return list(self._performed)

    @property
    def now(self) -> datetime:
        """The test's time: the clock's, moved by `travel`."""
        return datetime.now(UTC) + self._offset

    def travel(self, delta: timedelta, *, recurring: bool = False) -> None:
        """Move the test's time. Nothing runs by that: `perform_due_jobs` does.

        With `recurring`, whatever recurring tasks have to do on the way is enqueued when its time
        is reached: the tasks of the configuration in use and those declared beside the code.

        Raises, with `recurring`, ConfigurationError for tasks that cannot be used, what enqueueing
        raises, and ValueError when far too many runs lie on the way.
        """
        until = self._offset + delta
        if recurring:
            now = self.now
            for run in due(now, now + delta, self.dynamic_tasks()):
                self._offset = run.at - datetime.now(UTC)
                enqueue(run.task)
        self._offset = until

    def dynamic_tasks(self) -> list[RecurringTask]:
        """Those that tests have scheduled, where these are kept."""
        return []

    def travel_to(self, moment: datetime, *, recurring: bool = False) -> None:
        """Move the test's time to a moment: see `travel`."""
        if moment.tzinfo is None:
            raise ValueError(
                f"{moment.isoformat(' ')} has no time zone, and the test's time has one"
            )
        self.travel(moment - self.now, recurring=recurring)

    def perform_enqueued_jobs(
        self,
        *,
        only: Any = None,
        except_: Any = None,
        queue: str | None = None,
        at: datetime | timedelta | None = None,
    ) -> int:
        """Run the jobs that wait now, scheduled ones too, and return how many that were. With `at`
        scheduled ones only until then. What they enqueue waits, their retries too.

        A job that a concurrency limit blocks runs when its slot is free by then; else it stays.

        Raises what a job raises that none of its policies takes.
        """
        selection = _Selection(only, except_, queue, self._moment(at))
        chosen = [job for job in self.enqueued if selection.takes(job)]
        left = self._perform_in_turn(sorted(chosen, key=self._order))
        return len(chosen) - len(left)

    def perform_due_jobs(
        self, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> int:
        """Run the jobs that are due by the test's time, and those that become due by that, until
        there are none. Returns how many runs that were; raises as `perform_enqueued_jobs` does."""
        runs = 0
        while done := self.perform_enqueued_jobs(
            only=only, except_=except_, queue=queue, at=self.now
        ):
            runs += done
        return runs

    @contextmanager
    def performing(
        self, *, only: Any = None, except_: Any = None, queue: str | None = None
    ) -> Iterator[None]:
        """A block in which jobs run at once when they are enqueued, scheduled ones too: Active
        Job's `perform_enqueued_jobs` with a block."""
        before, self._performing = self._performing, _Selection(only, except_, queue, None)
        try:
            yield
        finally:
            self._performing = before

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """A block after which, and in which, the same can be asserted of what happened in it."""
        yield Recording(self)

    @property
    def is_performing(self) -> bool:
        """Whether some jobs are to run when they are enqueued."""
        return self._performing is not None

    def performs_at_once(self, job: TestedJob) -> bool:
        """Whether this job, just enqueued, is to run now."""
        return self._performing is not None and self._performing.takes(job)

    def _order(self, job: TestedJob) -> tuple[datetime, int]:
        """The order in which a worker would get them: by time, then by priority."""
        return job.at or datetime.min.replace(tzinfo=UTC), job.priority

    def _perform_in_turn(self, jobs: Sequence[TestedJob]) -> list[TestedJob]:
        """Run these jobs. One may have to wait for another: it is tried again after the others.
        Returns those that could not be run."""
        left = [job for job in jobs if not self._run(job)]
        return left if len(left) in (0, len(jobs)) else self._perform_in_turn(left)

    @abstractmethod
    def _run(self, job: TestedJob) -> bool:
        """Run a waiting job and settle it: from when it begins on, it counts as performed. Returns
        whether it could be run: one that is blocked, or is gone, cannot."""


class Recording(Assertions):
    """What happened since a moment of the test."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._before = {(job.job_id, job.claimed.attempt) for job in jobs.enqueued}
        self._performed_before = len(jobs.performed)

    @property
    def enqueued(self) -> list[TestedJob]:
        return [
            job
            for job in self._jobs.enqueued
            if (job.job_id, job.claimed.attempt) not in self._before
        ]

    @property
    def performed(self) -> list[TestedJob]:
        return self._jobs.performed[self._performed_before :]

    @property
    def now(self) -> datetime:
        return self._jobs.now


# Matching


@dataclass(frozen=True, slots=True)
class _Selection:
    only: Any
    except_: Any
    queue: str | None
    until: datetime | None

    def takes(self, job: TestedJob) -> bool:
        return (
            (self.only is None or job.name in _names(self.only))
            and (self.except_ is None or job.name not in _names(self.except_))
            and (self.queue is None or job.queue == self.queue)
            and (self.until is None or job.at is None or job.at <= self.until)
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    job: Any
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    at: datetime | None
    queue: str | None
    priority: int | None

    def is_met_by(self, job: TestedJob) -> bool:
        return (
            (self.job is None or job.name in _names(self.job))
            and self._has_arguments(job)
            and (self.queue is None or job.queue == self.queue)
            and (self.priority is None or job.priority == self.priority)
            and (self.at is None or (job.at is not None and abs(job.at - self.at) <= _TOLERANCE))
        )

    def _has_arguments(self, job: TestedJob) -> bool:
        if self.args is None and self.kwargs is None:
            return True
        found = declaration.find(job.name)
        wanted = _bound(found, tuple(self.args or ()), dict(self.kwargs or {}))
        given = _bound(found, job.args, dict(job.kwargs))
        return bool(wanted == given) or _are_stored_alike(wanted, given)

    def __str__(self) -> str:
        name = "any job" if self.job is None else " or ".join(sorted(_names(self.job)))
        if self.args is not None or self.kwargs is not None:
            given = [repr(value) for value in self.args or ()]
            given += [f"{key}={value!r}" for key, value in (self.kwargs or {}).items()]
            name += f"({', '.join(given)})"
        if self.queue is not None:
            name += f" on {self.queue!r}"
        if self.priority is not None:
            name += f", priority {self.priority}"
        if self.at is not None:
            name += f" at {self.at.isoformat(' ')}"
        return name


def _bound(found: Declaration | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The arguments by parameter, so that welcome(1) and welcome(user_id=1) are the same call."""
    try:
        return found.parameters.bind(args, kwargs) if found is not None else (args, kwargs)
    except TypeError:
        return args, kwargs


def _are_stored_alike(one: Any, other: Any) -> bool:
    """Records are the same when their keys are, whatever has become of them meanwhile."""
    try:
        return arguments.dump((one,), {}) == arguments.dump((other,), {})
    except SerializationError:
        return False


def _names(jobs: Any) -> set[str]:
    """The names that one or several jobs are stored under."""
    if isinstance(jobs, list | tuple | set | frozenset):
        return {name for job in jobs for name in _names(job)}
    if isinstance(jobs, str):
        return {jobs}
    found = getattr(jobs, "_declaration", None)
    if not isinstance(found, Declaration):
        raise JobDeclarationError(f"{jobs!r} is not a job")
    return {found.name}


def _first(what: str, jobs: list[TestedJob], wanted: _Wanted) -> TestedJob:
    for job in jobs:
        if wanted.is_met_by(job):
            return job
    raise AssertionError(f"not {what}: {wanted}\n{_listed(what, jobs)}")


def _count(
    what: str, jobs: list[TestedJob], number: int, only: Any, except_: Any, queue: str | None
) -> None:
    selection = _Selection(only, except_, queue, None)
    found = [job for job in jobs if selection.takes(job)]
    if len(found) != number:
        raise AssertionError(
            f"{number} jobs expected, {len(found)} were {what}\n{_listed(what, jobs)}"
        )


def _listed(what: str, jobs: list[TestedJob]) -> str:
    if not jobs:
        return f"{what}: nothing"
    return "\n".join([f"{what}:", *(f"  {job}" for job in jobs)])
