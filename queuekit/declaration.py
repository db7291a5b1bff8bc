"""What is known of a job from its declaration, and the register of all that were declared.

The register is what makes a row in the table harmless: a worker runs what was declared as a job in
its own process, under the name it was declared with, and nothing else.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from queuekit import recurrences
from queuekit.callbacks import Callbacks, of_every_job
from queuekit.checks import unusable_name, unusable_queue
from queuekit.declaring import Settings, place_of
from queuekit.errors import (
    EnqueueOptionError,
    JobDeclarationError,
    SignatureError,
    UnreachableJobError,
)
from queuekit.keys import Call
from queuekit.limits import HeldLimit
from queuekit.names import name_of
from queuekit.parameters import Parameters
from queuekit.recurrences import Recurrence, UnusableRecurrenceError
from queuekit.throttles import HeldThrottle
from queuekit.uniqueness import HeldUnique

_registered: dict[str, Declaration] = {}

#: Who has said first what the keys of a group allow: by the setting and the group.
_groups: dict[tuple[str, str], Declaration] = {}


class Declaration:
    """One declared job: its name, its defaults, and how to call it.

    Raises JobDeclarationError when it cannot work, naming the job and the place.
    """

    __slots__ = (
        "after_discard",
        "call",
        "callbacks",
        "is_async",
        "module",
        "name",
        "parameters",
        "place",
        "policies",
        "priority",
        "queue",
        "recurrences",
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
        self.name = name if name is not None else f"{self.module}.{name_of(source)}"
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
        self.parameters = Parameters(function, skip_self=skip_self)
        self._check_redacted()
        for setting in ("limits_concurrency", "throttle"):
            self._check_group(setting)
        self.recurrences = self._read_recurrences()
        _register(self)

    def queue_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The queue that the declaration says for these arguments.

        Raises EnqueueOptionError when a function of the arguments returned no queue's name.
        """
        if isinstance(self.queue, str):
            return self.queue
        try:
            name = self.queue(*args, **kwargs)
        except TypeError as error:
            if _can_be_called(self.queue, args, kwargs):
                raise
            raise EnqueueOptionError(
                f"{self.name}: its queue function is called with the job's arguments, by position "
                f"or by name as they are given, and cannot be: {error}"
            ) from error
        problem = unusable_queue(name)
        if problem:
            raise EnqueueOptionError(f"{self.name}: what its queue function returned: {problem}")
        return str(name)

    def limit_for(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], default_duration: float
    ) -> HeldLimit | None:
        """The concurrency limit of a job with these arguments, None when it has none.

        Raises EnqueueOptionError when its key cannot be made of them.
        """
        limit = self.settings.limits_concurrency
        if limit is None:
            return None
        return limit.held(self._call(args, kwargs), default_duration)

    def throttle_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HeldThrottle | None:
        """The throttle of a job with these arguments, None when it has none.

        Raises EnqueueOptionError when there is no key for it.
        """
        throttle = self.settings.throttle
        return None if throttle is None else throttle.held(self._call(args, kwargs))

    def unique_for(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], stored_arguments: str
    ) -> HeldUnique | None:
        """The uniqueness of a job with these arguments, None when it has none.

        Raises EnqueueOptionError when its key cannot be made of them.
        """
        unique = self.settings.unique
        if unique is None:
            return None
        return unique.held(self._call(args, kwargs), stored_arguments, self.parameters.names)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        arguments = self.parameters.bind(args, kwargs)
        return Call(self.name, self.source, arguments, args, kwargs)

    def hidden(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[str | int]:
        """What of these arguments is redacted: the names, and the positions without one."""
        redact = self.settings.redact
        return self.parameters.hidden(redact, args, kwargs) if redact else ()

    def check_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise SignatureError when the job cannot be called like this."""
        try:
            self.parameters.check(args, kwargs)
        except TypeError as error:
            shown = self.parameters.shown(self.settings.redact)
            raise SignatureError(f"{self.name}{shown}: {error}") from None

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
            or unusable_name("name" if named else "import path", self.name)
            or self.settings.problem()
            or _unusable_class(self.source)
        )
        if problem:
            raise self._refused(problem)

    def _check_redacted(self) -> None:
        """A class may inherit names for the sake of those of its kind that have such parameters."""
        if isinstance(self.source, type) and "redact" not in vars(self.source):
            return
        for name in self.settings.redact:
            if not self.parameters.take(name):
                raise self._refused(f"redact: it has no parameter {name}")

    def _check_group(self, setting: str) -> None:
        """Jobs that share their keys must agree on what these allow."""
        mine = getattr(self.settings, setting)
        if mine is None or mine.group is None:
            return
        first = _groups.setdefault((setting, mine.group), self)
        if _origin(first) == _origin(self):
            _groups[setting, mine.group] = self
            return
        other = getattr(first.settings, setting)
        if other.agreed != mine.agreed:
            raise self._refused(
                f"{setting}: the group {mine.group} has {mine.agreed} here, and {other.agreed} in "
                f"{first.name} ({first.place})"
            )

    def _read_recurrences(self) -> tuple[Recurrence, ...]:
        """The tasks that the job is declared to be; their calls are checked here, too."""
        try:
            found = recurrences.read(self.name, self.settings.recurring)
            for recurrence in found:
                self.check_call(recurrence.settings.args, dict(recurrence.settings.kwargs))
        except UnusableRecurrenceError as error:
            raise self._refused(str(error)) from None
        except SignatureError as error:
            raise self._refused(f"recurring: {error}") from None
        return found

    def _refused(self, problem: str) -> JobDeclarationError:
        return JobDeclarationError(f"job {self.name} ({self.place}): {problem}")


# What can be a job


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


# The register


def find(name: str) -> Declaration | None:
    """The job declared under this name in this process."""
    return _registered.get(name)


def every() -> list[Declaration]:
    """All jobs that are declared in this process."""
    return list({id(declared): declared for declared in _registered.values()}.values())


def _can_be_called(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:
        return True  # a builtin that does not tell its parameters
    return True


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
    return declaration.module, name_of(declaration.source)


def _real_module(source: Any) -> str:
    """The name by which a worker can import the module. `python -m app.jobs` runs app.jobs as
    `__main__` but says so in its spec; a plain script has none."""
    module: str = getattr(source, "__module__", None) or "__main__"
    if module != "__main__":
        return module
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else module
