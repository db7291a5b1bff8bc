"""What is known of a job from its declaration, and the register of all that were declared.

The register is what makes a row in the table harmless: a worker runs what was declared as a job in
its own process, under the name it was declared with, and nothing else.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from queuekit.callbacks import Callbacks, of_every_job
from queuekit.errors import (
    EnqueueOptionError,
    JobDeclarationError,
    SignatureError,
    UnreachableJobError,
)
from queuekit.policies import Handler, Policy, Retry

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 0

#: The length that MySQL can index in utf8mb4.
MAX_NAME_LENGTH = 191

PRIORITIES = range(-(2**31), 2**31)
PROCESS_DEATHS = range(1, 1001)
DEFAULT_RESUME_WAIT = 5.0
LONGEST_RESUME_WAIT = timedelta(days=366).total_seconds()

_registered: dict[str, Declaration] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a declaration says beside the function: the defaults of `using`, how the job is run, and
    what becomes of it.

    `timeout` is in seconds. `on_process_death` and `max_process_deaths` are None where the
    configuration decides. `policies` stand in the order in which they were declared, those of
    superclasses first.
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
    policies: tuple[Policy, ...] = ()
    after_discard: tuple[Handler, ...] = ()

    @property
    def timeout_seconds(self) -> float | None:
        if isinstance(self.timeout, timedelta):
            return self.timeout.total_seconds()
        return self.timeout

    @property
    def resume_wait_seconds(self) -> float:
        if isinstance(self.resume_wait, timedelta):
            return self.resume_wait.total_seconds()
        return self.resume_wait


class Declaration:
    """One declared job: its name, its defaults, and how to call it.

    Raises JobDeclarationError when it cannot work, naming the job and the place.
    """

    __slots__ = (
        "_more",
        "_named",
        "_positional",
        "_required",
        "_rest",
        "_signature",
        "after_discard",
        "call",
        "callbacks",
        "is_async",
        "module",
        "name",
        "parameter_names",
        "place",
        "policies",
        "priority",
        "queue",
        "settings",
        "source",
        "timeout",
    )

    def __init__(
        self,
        source: Any,
        function: Callable[..., Any],
        call: Callable[..., Any],
        *,
        skip_self: bool,
        name: str | None,
        settings: Settings,
        callbacks: tuple[Callbacks, ...] = (),
    ) -> None:
        self.source = source
        self.module = _real_module(source)
        self.name = name if name is not None else f"{self.module}.{_qualname(source)}"
        self.place = place_of(function)
        self.settings = settings
        self.queue = settings.queue
        self.priority = settings.priority
        self.timeout = settings.timeout_seconds
        self.policies = settings.policies
        self.after_discard = settings.after_discard
        self.callbacks = (of_every_job, *callbacks)
        self.call = call
        #: Whether a call gives something to await, on an event loop.
        self.is_async = inspect.iscoroutinefunction(function)
        self._check(function, named=name is not None)
        self._read_signature(function, skip_self)
        self._check_redacted()
        _register(self)

    def queue_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The queue that the declaration says for these arguments.

        Raises EnqueueOptionError when a function of the arguments returned no queue's name.
        """
        if isinstance(self.queue, str):
            return self.queue
        name = self.queue(*args, **kwargs)
        problem = _unusable_name("queue", name)
        if problem:
            raise EnqueueOptionError(f"{self.name}: what its queue function returned: {problem}")
        return str(name)

    def hidden(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[str | int]:
        """What of these arguments is redacted: the names, and the positions without one."""
        redact = self.settings.redact
        if not redact:
            return ()
        names = (*self.parameter_names, *[self._rest] * (len(args) - len(self.parameter_names)))
        positions = [place for place, name in enumerate(names[: len(args)]) if name in redact]
        more = [name for name in kwargs if self._more in redact and name not in self._named]
        return [*redact, *more, *positions]

    def check_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise SignatureError when the job cannot be called like this."""
        if not kwargs and self._required <= len(args) <= self._positional:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            shown = _without_secrets(self._signature, self.settings.redact)
            raise SignatureError(f"{self.name}{shown}: {error}") from None

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by the parameters that they are for, with the defaults of the others.

        Raises TypeError when the job cannot be called like this.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def check_reachable(self) -> None:
        """Raise UnreachableJobError when a worker could not find this job by its name."""
        if self.module == "__main__":
            raise UnreachableJobError(
                f"{self.name} is defined in the script that is being run, which a worker cannot "
                "import: move the job into a module beside it (say jobs.py), and import it there"
            )
        if "<locals>" in self.name:
            raise UnreachableJobError(
                f"{self.name} is defined inside a function, where a worker cannot find it: move it "
                "to the top of its module, or give it a name= and have a module listed under "
                "imports call that function"
            )

    def _check(self, function: Callable[..., Any], *, named: bool) -> None:
        problem = (
            _unusable_function(function)
            or _unusable_name("name" if named else "import path", self.name)
            or unusable_settings(self.settings)
            or _unusable_class(self.source)
        )
        if problem:
            raise self._refused(problem)

    def _check_redacted(self) -> None:
        """A class may inherit names for the sake of those of its kind that have such parameters."""
        if self._more is not None or (
            isinstance(self.source, type) and "redact" not in vars(self.source)
        ):
            return
        for name in self.settings.redact:
            if name not in self._signature.parameters:
                raise self._refused(f"redact: it has no parameter {name}")

    def _refused(self, problem: str) -> JobDeclarationError:
        return JobDeclarationError(f"job {self.name} ({self.place}): {problem}")

    def _read_signature(self, function: Callable[..., Any], skip_self: bool) -> None:
        parameters = list(inspect.signature(function).parameters.values())[skip_self:]
        plain = [
            parameter
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        needs_keyword = any(
            parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
            for parameter in parameters
        )
        self._signature = inspect.Signature(parameters)
        kinds = {parameter.kind: parameter.name for parameter in parameters}
        self._rest = kinds.get(inspect.Parameter.VAR_POSITIONAL)
        self._more = kinds.get(inspect.Parameter.VAR_KEYWORD)
        self._named = frozenset(parameter.name for parameter in parameters)
        #: What the positional arguments are called, for errors.
        self.parameter_names = tuple(parameter.name for parameter in plain)
        self._required = sum(parameter.default is parameter.empty for parameter in plain)
        # Calls with positional arguments only are most calls, and counting them is ten times
        # cheaper than binding them; -1 lets none through.
        self._positional = -1 if needs_keyword else len(plain)


def find(name: str) -> Declaration | None:
    """The job declared under this name in this process."""
    return _registered.get(name)


def check_queue(name: Any) -> str:
    """A queue's name, as given with `using`.

    Raises EnqueueOptionError.
    """
    problem = _unusable_name("queue", name)
    if problem:
        raise EnqueueOptionError(problem)
    return str(name)


def check_priority(priority: Any) -> int:
    """A priority, as given with `using`.

    Raises EnqueueOptionError.
    """
    problem = unusable_priority(priority)
    if problem:
        raise EnqueueOptionError(problem)
    return int(priority)


def unusable_settings(settings: Settings) -> str | None:
    """Why no job can be declared like this; None when one can."""
    return (
        _unusable_queue(settings.queue)
        or _unusable_aliases(settings.aliases)
        or _unusable_names("redact", settings.redact)
        or _unusable_policies(settings.policies)
        or unusable_priority(settings.priority)
        or _unusable_timeout(settings.timeout)
        or _unusable_deaths(settings)
        or _unusable_resumption(settings)
    )


def unusable_priority(priority: Any) -> str | None:
    if type(priority) is not int:
        return f"priority is a whole number, not {priority!r}"
    if priority not in PRIORITIES:
        return f"priority {priority} is not between {PRIORITIES[0]} and {PRIORITIES[-1]}"
    return None


def _unusable_queue(queue: Any) -> str | None:
    if inspect.iscoroutinefunction(queue):
        return "queue is an async function: it must return the name at once"
    return None if callable(queue) else _unusable_name("queue", queue)


def _unusable_aliases(aliases: Any) -> str | None:
    problem = _unusable_names("aliases", aliases)
    problems = [] if problem else [_unusable_name("alias", alias) for alias in aliases]
    return problem or next(filter(None, problems), None)


def _unusable_names(what: str, names: Any) -> str | None:
    if isinstance(names, list | tuple | set | frozenset) and all(
        isinstance(name, str) for name in names
    ):
        return None
    return f"{what} is a list of names, not {names!r}"


def _unusable_policies(policies: Sequence[Policy]) -> str | None:
    for policy in policies:
        if isinstance(policy, Retry):
            problem = (policy.queue is not None and _unusable_name("queue", policy.queue)) or (
                policy.priority is not None and unusable_priority(policy.priority)
            )
            if problem:
                return f"retry_on: {problem}"
    return None


def _unusable_timeout(timeout: Any) -> str | None:
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return f"timeout is a timedelta or a number of seconds, not {timeout!r}"
    if not 0 < seconds <= sys.float_info.max:  # whole numbers may be larger than any float
        return f"timeout={timeout!r} is not a span of time that can pass"
    return None


def _unusable_deaths(settings: Settings) -> str | None:
    policy, most = settings.on_process_death, settings.max_process_deaths
    if policy not in (None, "fail", "retry"):
        return f"on_process_death is 'fail' or 'retry', not {policy!r}"
    if most is None:
        return None
    if type(most) is not int or most not in PROCESS_DEATHS:
        return (
            f"max_process_deaths is a whole number from {PROCESS_DEATHS[0]} to "
            f"{PROCESS_DEATHS[-1]}, not {most!r}"
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
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return f"resume_wait is a timedelta or a number of seconds, not {wait!r}"
    if not 0 <= seconds <= LONGEST_RESUME_WAIT:
        return f"resume_wait={wait!r} is not a span of time between nothing and a year"
    if not settings.continuable and (most, seconds, settings.resume_errors_after_advancing) != (
        None,
        DEFAULT_RESUME_WAIT,
        True,
    ):
        return "max_resumptions, resume_wait and resume_errors_after_advancing are for continuable"
    return None


def _unusable_name(what: str, name: Any) -> str | None:
    """What is wrong with a name that becomes a column's value: the same rules on each database."""
    if not isinstance(name, str):
        return f"{what} is a text, not {name!r}"
    if not name or name != name.strip():
        return f"{what} {name!r} is empty, or begins or ends with a space"
    if len(name) > MAX_NAME_LENGTH:
        return f"{what} {name[:40]}... has {len(name)} characters; {MAX_NAME_LENGTH} fit"
    if "\0" in name or not name.isprintable():
        return f"{what} {name!r} has characters that cannot be printed"
    if what == "queue" and ("*" in name or "," in name):
        return f"queue {name!r} has a * or a comma, which mean something to a worker's queues"
    return None


def _unusable_class(source: Any) -> str | None:
    if not isinstance(source, type):
        return None
    try:
        signature = inspect.signature(source)
    except (ValueError, TypeError):
        return None  # it is written in C, and nobody can say
    try:
        signature.bind()
    except TypeError as error:
        made = f"{source.__qualname__}{signature}"
        return f"each run makes an instance without arguments, and {made}: {error}"
    return None


def _unusable_function(function: Callable[..., Any]) -> str | None:
    if not callable(function):
        return "it cannot be called"
    if not hasattr(function, "__qualname__"):
        return f"it is a {type(function).__qualname__}, not a function"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "it is a generator, whose call would run nothing: it must not yield"
    try:
        inspect.signature(function)
    except (ValueError, TypeError):
        return "its parameters cannot be found out: wrap it in a function"
    return None


class _Redacted:
    def __repr__(self) -> str:
        return "[redacted]"


def _without_secrets(signature: inspect.Signature, redact: Sequence[str]) -> inspect.Signature:
    """For an error message, which shows the defaults, too."""
    return signature.replace(
        parameters=[
            parameter.replace(default=_Redacted())
            if parameter.name in redact and parameter.default is not parameter.empty
            else parameter
            for parameter in signature.parameters.values()
        ]
    )


def _register(declaration: Declaration) -> None:
    """Remember a job by name. Importing its module again replaces it; another job may not."""
    names = (declaration.name, *declaration.settings.aliases)
    for name in names:
        other = _registered.get(name)
        if other is not None and _origin(other) != _origin(declaration):
            raise JobDeclarationError(
                f"two jobs are named {name}: {_described(other)}, {_described(declaration)}"
            )
    for name in names:
        _registered[name] = declaration


def _described(declaration: Declaration) -> str:
    return f"one in {declaration.module} ({declaration.place})"


def _origin(declaration: Declaration) -> tuple[str, str]:
    return declaration.module, _qualname(declaration.source)


def _real_module(source: Any) -> str:
    """The name by which a worker can import the module. `python -m app.jobs` runs app.jobs as
    `__main__` but says so in its spec; a plain script has none."""
    module: str = getattr(source, "__module__", None) or "__main__"
    if module != "__main__":
        return module
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else module


def _qualname(source: Any) -> str:
    return str(getattr(source, "__qualname__", repr(source)))


def place_of(function: Callable[..., Any]) -> str:
    """Where a function stands: file:line."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "no place known"
