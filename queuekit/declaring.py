"""What a declaration may say: the options of `@job`, or the attributes of a class, as Settings.

Both forms of job are read and refused here, in the same words: `read_options` for a function,
`read_attributes` for a class. An error names the job and the line where it is declared, since it
comes while modules are imported, where nobody looks for the mistakes of a job.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Literal

from queuekit import policies
from queuekit.checks import (
    in_seconds,
    unusable_name,
    unusable_priority,
    unusable_queue,
    unusable_span,
)
from queuekit.errors import JobDeclarationError
from queuekit.limits import Limit
from queuekit.names import name_of
from queuekit.policies import Handler, Policy
from queuekit.recurrences import Recurring
from queuekit.throttles import Throttle
from queuekit.uniqueness import Unique

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 0
DEFAULT_RESUME_WAIT = 5.0

_PROCESS_DEATHS = range(1, 1001)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a declaration says beside the function: the defaults of `using`, how the job is run, and
    what becomes of it.

    `on_process_death` and `max_process_deaths` are None where the configuration decides. `policies`
    stand in the order in which they were declared, those of superclasses first.
    """

    queue: str | Callable[..., str] = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    aliases: Sequence[str] = ()
    redact: Sequence[str] = ()
    after_commit: bool = False
    timeout: timedelta | float | None = None
    on_process_death: Literal["fail", "retry"] | None = None
    max_process_deaths: int | None = None
    continuable: bool = False
    max_resumptions: int | None = None
    resume_wait: timedelta | float = DEFAULT_RESUME_WAIT
    resume_errors_after_advancing: bool = True
    limits_concurrency: Limit | None = None
    throttle: Throttle | None = None
    unique: Unique | None = None
    recurring: Recurring | None = None
    policies: tuple[Policy, ...] = ()
    after_discard: tuple[Handler, ...] = ()

    @property
    def timeout_seconds(self) -> float | None:
        return in_seconds(self.timeout)

    @property
    def resume_wait_seconds(self) -> float:
        seconds = in_seconds(self.resume_wait)
        assert seconds is not None
        return seconds

    def problem(self) -> str | None:
        """Why no job can be declared like this; None when one can."""
        return (
            _unusable_queue(self.queue)
            or _unusable_aliases(self.aliases)
            or _unusable_names("redact", self.redact)
            or unusable_priority(self.priority)
            or _unusable_timeout(self.timeout)
            or _unusable_deaths(self.on_process_death, self.max_process_deaths)
            or _unusable_resumption(self)
            or _unusable_sharing("limits_concurrency", Limit, self.limits_concurrency)
            or _unusable_sharing("throttle", Throttle, self.throttle)
            or _unusable_sharing("unique", Unique, self.unique)
        )


# Reading

#: The settings that are taken as they are written.
_PLAIN = tuple(
    field.name for field in fields(Settings) if field.name not in ("policies", "after_discard")
)
_OPTIONS = ("name", *_PLAIN, *policies.DECLARATIONS, "after_discard")


def read_options(where: str, options: Mapping[str, Any]) -> Settings:
    """What the options of `@job` say. They are checked with the job itself.

    Raises JobDeclarationError.
    """
    for option in options:
        if option not in _OPTIONS:
            near = difflib.get_close_matches(option, _OPTIONS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_OPTIONS)}"
            raise JobDeclarationError(f"{where}: no option {option!r}: {hint}")
    return _read(where, options, [options])


def read_attributes(where: str, cls: type[Any]) -> Settings:
    """What the attributes of a class say, and of all that it inherits from, mixins that are no jobs
    included: policies add up, the base's first; of the rest the nearest counts, but for what only
    the class itself can say.

    Raises JobDeclarationError, whether the class is a job itself or for others to inherit.
    """
    values = {name: getattr(cls, name) for name in _PLAIN if hasattr(cls, name)}
    for name, default in (("aliases", ()), ("recurring", None)):
        values[name] = cls.__dict__.get(name, default)
    if callable(cls.queue):  # as it was written, not bound to anything
        queue = inspect.getattr_static(cls, "queue")
        values["queue"] = getattr(queue, "__func__", queue)
    settings = _read(where, values, [kind.__dict__ for kind in reversed(cls.__mro__)])
    problem = settings.problem()
    if problem:
        raise JobDeclarationError(f"{where}: {problem}")
    return settings


def _read(where: str, values: Mapping[str, Any], layers: Iterable[Mapping[str, Any]]) -> Settings:
    """The settings from `values`, with the policies of all `layers`; in each, policies stand in the
    order in which they were written."""
    found: list[Policy] = []
    handlers: list[Handler] = []
    try:
        for layer in layers:
            for name, value in layer.items():
                if name in policies.DECLARATIONS:
                    found += policies.read(name, value)
                elif name == "after_discard":
                    handlers += policies.read_handlers(value)
    except policies.UnusablePolicyError as error:
        raise JobDeclarationError(f"{where}: {error}") from None
    plain = {name: values[name] for name in _PLAIN if name in values}
    return Settings(**plain, policies=tuple(found), after_discard=tuple(handlers))


# The place


def where(source: Any, place: str) -> str:
    """Which job, and where it is declared, for errors."""
    module, name = getattr(source, "__module__", None), name_of(source)
    return f"job {module}.{name} ({place})" if module else f"job {name} ({place})"


def place_of(function: Callable[..., Any]) -> str:
    """Where a function stands: file:line."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "no place known"


def place_of_class() -> str:
    """Where the class statement stands that is being carried out: asked by `__init_subclass__`,
    maybe by way of others of that name."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name in ("place_of_class", "__init_subclass__"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "no place known"


# Refusing


def _unusable_queue(queue: Any) -> str | None:
    if inspect.iscoroutinefunction(queue):
        return "queue is an async function: it must return the name at once"
    return None if callable(queue) else unusable_queue(queue)


def _unusable_aliases(aliases: Any) -> str | None:
    problem = _unusable_names("aliases", aliases)
    problems = [] if problem else [unusable_name("alias", alias) for alias in aliases]
    return problem or next(filter(None, problems), None)


def _unusable_names(what: str, names: Any) -> str | None:
    if isinstance(names, list | tuple | set | frozenset) and all(
        isinstance(name, str) for name in names
    ):
        return None
    return f"{what} is a list of names, not {names!r}"


def _unusable_timeout(timeout: Any) -> str | None:
    if timeout is None:
        return None
    seconds = in_seconds(timeout)
    if seconds is None:
        return f"timeout is a timedelta or a number of seconds, not {timeout!r}"
    if not 0 < seconds < math.inf:
        return f"timeout={timeout!r} is not a span of time that can pass"
    return None


def _unusable_deaths(policy: Any, most: Any) -> str | None:
    if policy not in (None, "fail", "retry"):
        return f"on_process_death is 'fail' or 'retry', not {policy!r}"
    if most is None:
        return None
    if type(most) is not int or most not in _PROCESS_DEATHS:
        return (
            f"max_process_deaths is a whole number from {_PROCESS_DEATHS[0]} to "
            f"{_PROCESS_DEATHS[-1]}, not {most!r}"
        )
    if policy == "fail":
        return "max_process_deaths is for on_process_death='retry'"
    return None


def _unusable_resumption(settings: Settings) -> str | None:
    most, wait = settings.max_resumptions, settings.resume_wait
    for name in ("continuable", "resume_errors_after_advancing"):
        if type(getattr(settings, name)) is not bool:
            return f"{name} is True or False, not {getattr(settings, name)!r}"
    if most is not None and (type(most) is not int or most < 0):
        return f"max_resumptions is a whole number from 0, or None for no end, not {most!r}"
    problem = unusable_span("resume_wait", wait, may_be_nothing=True)
    if problem:
        return problem
    given = (most, in_seconds(wait), settings.resume_errors_after_advancing)
    if not settings.continuable and given != (None, DEFAULT_RESUME_WAIT, True):
        return "max_resumptions, resume_wait and resume_errors_after_advancing are for continuable"
    return None


def _unusable_sharing(name: str, kind: type[Limit | Throttle | Unique], given: Any) -> str | None:
    """What is wrong with what a job says of those that it shares a key with."""
    if given is None:
        return None
    if not isinstance(given, kind):
        return f"{name} is a {kind.__name__}, not {given!r}"
    problem = given.problem()
    return f"{name}: {problem}" if problem else None
