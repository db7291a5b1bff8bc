"""Tasks that are a command: a call of something with a dotted name, with literal arguments.

    command: "app.models.MagicLink.cleanup(limit=500)"

It is Python to read, but nothing is ever evaluated: a command is parsed into a name and its
arguments, the module is imported under the rules for jobs' modules (the application's folder,
`imports`, queuekit itself), and what the name stands for is called.

A command runs in a job that carries the task's key and nothing else. The worker looks it up in the
recurring file of its own host: a row can choose among the commands written there, not bring one. A
key that the file does not have may be that of a deploy under way: it is tried again, as a job of an
unknown name is. What the command returns is ignored, but for a coroutine, which nobody awaits:
that is refused, and `async def` belongs into a job, named as the task's `class`.
"""

from __future__ import annotations

import ast
import inspect
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from queuekit import application, importing
from queuekit.concluding import UNKNOWN_JOB
from queuekit.config import Configuration
from queuekit.config.problems import Problems, quoted
from queuekit.config.recurring import recurring_entries
from queuekit.errors import UnknownJobError
from queuekit.job import job

JOB = "queuekit.recurring.command"
QUEUE = "queuekit_recurring"

#: More would be a program, and belongs into a function.
_LONGEST = 2048


class UnusableCommandError(ValueError):
    """A text that is no command. The message says why."""


class Command(NamedTuple):
    """A call that has been read, and not been made."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def check(self, function: Callable[..., Any]) -> None:
        """Raise TypeError when the call cannot be made, as far as can be known before."""
        if not callable(function):
            raise TypeError(f"{self.name} is a {type(function).__qualname__}, not a function")
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{self.name} {_IS_ASYNC}")
        try:
            signature = inspect.signature(function)
        except ValueError:
            return  # a builtin that does not tell its parameters
        try:
            signature.bind(*self.args, **self.kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}{signature}: {error}") from None


_IS_ASYNC = "is an async function: make it a job, and name that as the class of the task"


# Running


@job(name=JOB, queue=QUEUE, retry_on=UNKNOWN_JOB)
def run_command(task_key: str) -> None:
    """Run the command of the recurring task with this key."""
    command = _commands.find(task_key)
    function = resolve(command, application.configuration().imports, application.folder())
    value = function(*command.args, **command.kwargs)
    if isinstance(value, types.CoroutineType):
        value.close()
        raise TypeError(f"{command.name} {_IS_ASYNC}")


def resolve(command: Command, imports: Sequence[str], folder: Path) -> Callable[..., Any]:
    """What the command calls, checked.

    Raises UnknownJobError when it cannot be found, TypeError when it cannot be called like this.
    """
    function: Callable[..., Any] = importing.locate(command.name, (*imports, "queuekit"), folder)
    command.check(function)
    return function


class _Commands:
    """The commands of this process's own files, read when first asked for, and again when the
    recurring file has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_from: object = None
        self._texts: Mapping[str, str] = {}
        self._problem = ""

    def find(self, key: str) -> Command:
        """The command of the task with this key.

        Raises UnknownJobError.
        """
        # As the host of the scheduler has it: one that skips recurring tasks runs their jobs still.
        configuration = replace(in_its_folder(application.configuration()), skip_recurring=False)
        with self._lock:
            state = configuration, _state(configuration.recurring_schedule_file)
            if self._read_from != state:
                self._texts, self._problem = _read(configuration)
                self._read_from = state
            text = self._texts.get(key)
        if text is None:
            raise UnknownJobError(
                f"there is no command with the key {key}: the recurring tasks of this worker "
                f"have none{self._problem}"
            )
        try:
            return parse(text)
        except UnusableCommandError as error:
            raise UnknownJobError(f"the command with the key {key}: {error}") from None


_commands = _Commands()


def in_its_folder(configuration: Configuration) -> Configuration:
    """The same, whose recurring file is found wherever jobs have gone."""
    path = configuration.recurring_schedule_file
    if path is None:
        return configuration
    return replace(configuration, recurring_schedule_file=application.folder() / path)


def _state(path: Path | None) -> tuple[int, ...] | None:
    """What is another when the file is; None when there is no file."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns)


def _read(configuration: Configuration) -> tuple[dict[str, str], str]:
    """The commands by their keys, and a problem of the file to be added to an error. Most are those
    of other tasks, which are the scheduler's to say."""
    problems = Problems()
    entries = recurring_entries(configuration, problems)
    commands = {entry.key: entry.values.get("command") for entry in entries}
    texts = {key: text for key, text in commands.items() if isinstance(text, str)}
    return texts, f" ({problems.found[0]})" if problems.found else ""


# Parsing


def parse(text: str) -> Command:
    """The call that a text writes down.

    Raises UnusableCommandError.
    """
    call = _parsed(text)
    if isinstance(call, ast.Attribute | ast.Name) and _dotted(call) is not None:
        raise UnusableCommandError(f"calls nothing; write {_dotted(call)}()")
    if not isinstance(call, ast.Call):
        raise UnusableCommandError(f"is no call; {_EXPECTED}")
    name = _dotted(call.func)
    if name is None:
        raise UnusableCommandError(
            f"calls {_shown(call.func)}, which is no name with dots; {_EXPECTED}"
        )
    if "." not in name:
        raise UnusableCommandError(f"names no module: where is {name}? {_EXPECTED}")
    args = tuple(_literal(node, f"argument {n}") for n, node in enumerate(call.args, start=1))
    return Command(name, args, _keywords(call.keywords))


_EXPECTED = "expected one such as app.models.MagicLink.cleanup(limit=500)"


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise UnusableCommandError(f"is longer than {_LONGEST} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        ruby = "; Python has dots where Ruby has ::" if "::" in text else ""
        raise UnusableCommandError(
            f"{quoted(text)} is no Python expression; {_EXPECTED}{ruby}"
        ) from None


def _dotted(node: ast.expr) -> str | None:
    """`app.models.cleanup` as a text; None when it is something else than names and dots."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _keywords(keywords: Sequence[ast.keyword]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for keyword in keywords:
        if keyword.arg is None:
            raise UnusableCommandError("has **; write its arguments out")
        if keyword.arg in found:
            raise UnusableCommandError(f"gives {keyword.arg} twice")
        found[keyword.arg] = _literal(keyword.value, f"argument {keyword.arg}")
    return found


def _literal(node: ast.expr, what: str) -> Any:
    if isinstance(node, ast.Starred):
        raise UnusableCommandError("has *; write its arguments out")
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise UnusableCommandError(
            f"has {_shown(node)} as {what}, which is no literal: nothing in a command is "
            "evaluated; make it a function, and call that"
        ) from None


def _shown(node: ast.expr) -> str:
    try:
        return quoted(ast.unparse(node))
    except RecursionError:
        return "something nested"
