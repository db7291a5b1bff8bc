"""What a job may be called with: its parameters, for checking calls, for hiding what is secret."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any


class Parameters:
    """The parameters of a job's function; `names` are those that arguments by position go to."""

    __slots__ = ("_known", "_more", "_positional", "_required", "_rest", "_signature", "names")

    def __init__(self, function: Callable[..., Any], *, skip_self: bool) -> None:
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
        kinds = {parameter.kind: parameter.name for parameter in parameters}
        self._signature = inspect.Signature(parameters)
        self._known = frozenset(self._signature.parameters)
        self._rest = kinds.get(inspect.Parameter.VAR_POSITIONAL)
        self._more = kinds.get(inspect.Parameter.VAR_KEYWORD)
        self.names = tuple(parameter.name for parameter in plain)
        self._required = sum(parameter.default is parameter.empty for parameter in plain)
        # Calls with positional arguments only are most calls, and counting them is ten times
        # cheaper than binding them; -1 lets none through.
        self._positional = -1 if needs_keyword else len(plain)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError when the job cannot be called like this."""
        if kwargs or not self._required <= len(args) <= self._positional:
            self._signature.bind(*args, **kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by the parameters that they are for, with the defaults of the others.

        Raises TypeError when the job cannot be called like this.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def take(self, name: str) -> bool:
        """Whether a call may have an argument of this name."""
        return self._more is not None or name in self._known

    def hidden(
        self, redact: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Sequence[str | int]:
        """What of these arguments is redacted: the names, and the positions without one."""
        names = (*self.names, *[self._rest] * (len(args) - len(self.names)))
        positions = [place for place, name in enumerate(names[: len(args)]) if name in redact]
        more = [name for name in kwargs if self._more in redact and name not in self._known]
        return [*redact, *more, *positions]

    def shown(self, redact: Sequence[str]) -> str:
        """The signature for an error message, which shows the defaults, too: not those redacted."""
        parameters = [
            parameter.replace(default=_Redacted())
            if parameter.name in redact and parameter.default is not parameter.empty
            else parameter
            for parameter in self._signature.parameters.values()
        ]
        return str(self._signature.replace(parameters=parameters))


class _Redacted:
    def __repr__(self) -> str:
        return "[redacted]"
