"""Context that travels with a job: the tenant, the request it is part of, the language.

    request_id: ContextVar[str] = ContextVar("request_id")
    queuekit.propagate("request_id", request_id)

    queuekit.propagate("account", capture=lambda: Current.account, restore=Current.acting_for)

Declared once, in a module that both the enqueuers and the workers import. What is there when a job
is enqueued is stored with it, the way arguments are, and stands again around each of its runs.
`capture` returns the value, None for none; `restore` is called with it and returns a context
manager. Jobs that a job enqueues inherit its context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from queuekit import arguments
from queuekit.errors import (
    DeserializationError,
    JobDeclarationError,
    RecordNotFound,
    SerializationError,
)

Capture = Callable[[], Any]
Restore = Callable[[Any], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class _Propagated:
    capture: Capture
    restore: Restore


_propagated: dict[str, _Propagated] = {}


def propagate(
    name: str,
    variable: ContextVar[Any] | None = None,
    *,
    capture: Capture | None = None,
    restore: Restore | None = None,
) -> None:
    """Let a context variable, or what `capture` and `restore` stand for, travel with every job.

    Declaring a name again replaces it. Raises JobDeclarationError.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise JobDeclarationError(f"propagate: {name!r} is not a name (letters, digits, _)")
    if variable is not None and capture is None and restore is None:
        _propagated[name] = _of_variable(variable)
    elif variable is None and callable(capture) and callable(restore):
        _propagated[name] = _Propagated(capture, restore)
    else:
        raise JobDeclarationError(
            f"propagate({name!r}) takes a context variable, or both capture= and restore="
        )


def stop_propagating(name: str) -> None:
    """Undo `propagate`; nothing happens when the name is not known."""
    _propagated.pop(name, None)


def captured() -> str | None:
    """The context here and now in its stored form; None when there is none.

    Raises SerializationError.
    """
    if not _propagated:
        return None
    values = {name: propagated.capture() for name, propagated in _propagated.items()}
    present = {name: value for name, value in values.items() if value is not None}
    if not present:
        return None
    try:
        return arguments.dump((), present)
    except SerializationError as error:
        raise SerializationError(f"the propagated context cannot travel: {error}") from error


@contextmanager
def restored(stored: str) -> Iterator[None]:
    """A stored context, standing again for as long as this is entered.

    Raises DeserializationError, also when nothing here can restore one of its names: a job must not
    run for no tenant because its worker is older than its enqueuer.
    """
    try:
        _, values = arguments.load(stored)
    except DeserializationError as error:
        if type(error) not in (DeserializationError, RecordNotFound):
            raise  # a locator's own: nobody else knows how to make one
        raise type(error)(f"in the context that came with the job: {error}") from error
    with ExitStack() as stack:
        for name, value in values.items():
            if name not in _propagated:
                raise DeserializationError(
                    f"the job was enqueued with the context {name!r}, which nothing here restores: "
                    "list the module that declares queuekit.propagate for it under imports"
                )
            _enter(stack, _propagated[name].restore(value))
        yield


def _enter(stack: ExitStack, manager: AbstractContextManager[Any]) -> None:
    """Enter it, and leave it without asking whether it would take the error: that is for policies,
    and a job that failed must not count as finished because of how its context is put away."""
    manager.__enter__()

    def leave(*error: Any) -> None:
        manager.__exit__(*error)

    stack.push(leave)


def _of_variable(variable: ContextVar[Any]) -> _Propagated:
    @contextmanager
    def restore(value: Any) -> Iterator[None]:
        token = variable.set(value)
        try:
            yield
        finally:
            variable.reset(token)

    return _Propagated(lambda: variable.get(None), restore)
