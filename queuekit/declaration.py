"""What is known of a job from its declaration, and the register of all that were declared.

The register is what makes a row in the table harmless: a worker runs what was declared as a job in
its own process, under the name it was declared with, and nothing else.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from queuekit.errors import (
    EnqueueOptionError,
    JobDeclarationError,
    SignatureError,
    UnreachableJobError,
)

#: The length that MySQL can index in utf8mb4.
MAX_NAME_LENGTH = 191

PRIORITIES = range(-(2**31), 2**31)
PROCESS_DEATHS = range(1, 1001)

_registered: dict[str, Declaration] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a declaration says beside the function: the defaults of `using`, and how it is run.

    `timeout` is in seconds. `on_process_death` and `max_process_deaths` are None where the
    configuration decides.
    """

    queue: str
    priority: int
    timeout: timedelta | float | None = None
    on_process_death: Literal["fail", "retry"] | None = None
    max_process_deaths: int | None = None

    @property
    def timeout_seconds(self) -> float | None:
        if isinstance(self.timeout, timedelta):
            return self.timeout.total_seconds()
        return self.timeout


class Declaration:
    """One declared job: its name, its defaults, and how to call it.

    Raises JobDeclarationError when it cannot work, naming the job and the place.
    """

    __slots__ = (
        "_positional",
        "_required",
        "_signature",
        "call",
        "module",
        "name",
        "parameter_names",
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
    ) -> None:
        self.source = source
        self.module = _real_module(source)
        self.name = name if name is not None else f"{self.module}.{_qualname(source)}"
        self.settings = settings
        self.queue = settings.queue
        self.priority = settings.priority
        self.timeout = settings.timeout_seconds
        self.call = call
        self._check(function, named=name is not None)
        self._read_signature(function, skip_self)
        _register(self)

    def check_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise SignatureError when the job cannot be called like this."""
        if not kwargs and self._required <= len(args) <= self._positional:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise SignatureError(f"{self.name}{self._signature}: {error}") from None

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
            or _unusable_name("queue", self.queue)
            or unusable_priority(self.priority)
            or _unusable_timeout(self.settings.timeout)
            or _unusable_deaths(self.settings)
            or _unusable_class(self.source)
        )
        if problem:
            raise JobDeclarationError(f"job {self.name} ({_place(function)}): {problem}")

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


def unusable_priority(priority: Any) -> str | None:
    if type(priority) is not int:
        return f"priority is a whole number, not {priority!r}"
    if priority not in PRIORITIES:
        return f"priority {priority} is not between {PRIORITIES[0]} and {PRIORITIES[-1]}"
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
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "it is an async function, whose call would run nothing: declare it with plain def"
    if inspect.isgeneratorfunction(function):
        return "it is a generator, whose call would run nothing: it must not yield"
    try:
        inspect.signature(function)
    except (ValueError, TypeError):
        return "its parameters cannot be found out: wrap it in a function"
    return None


def _register(declaration: Declaration) -> None:
    """Remember a job by name. Importing its module again replaces it; another job may not."""
    other = _registered.get(declaration.name)
    if other is not None and _origin(other) != _origin(declaration):
        raise JobDeclarationError(
            f"two jobs are named {declaration.name}: one in {other.module}, "
            f"one in {declaration.module}"
        )
    _registered[declaration.name] = declaration


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


def _place(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "no place known"
