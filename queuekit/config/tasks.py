"""One recurring task as its mapping says it, checked as far as that takes no job and no schedule.

The same for a task in a file and for one that is declared beside the code, with `recurring=`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from queuekit.checks import PRIORITIES, unusable_name, unusable_queue
from queuekit.config.checking import Settings
from queuekit.config.problems import Problems, below, in_words
from queuekit.config.settings import TaskEntry
from queuekit.config.substitution import UNUSABLE

Missed = Literal["skip", "once", "all"]
MISSED: tuple[Missed, ...] = get_args(Missed)

_ANYWHERE = (
    "schedule",
    "args",
    "queue",
    "priority",
    "description",
    "timezone",
    "missed",
    "missed_within",
)
IN_A_FILE = ("class", "command", *_ANYWHERE)
IN_CODE = ("key", *_ANYWHERE)

_CALLED_OTHERWISE = {
    "arguments": "is called args",
    "at": "is called schedule",
    "class_name": "is called class",
    "cron": "is called schedule",
    "every": "is called schedule",
    "job": "is called class",
    "kwargs": "belongs into args, as a mapping at the end of the list",
    "time_zone": "is called timezone",
    "tz": "is called timezone",
    "zone": "is called timezone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What a task says of itself. `schedule` is None when it says none that could be one."""

    schedule: str | None = None
    class_name: str | None = None
    command: str | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int | None = None
    description: str | None = None
    timezone: str | None = None
    missed: Missed = "skip"
    missed_within: float | None = None


def task_entries(tasks: object, place: str, problems: Problems) -> list[TaskEntry]:
    """The tasks of a mapping by their keys, each with its place."""
    if not isinstance(tasks, dict):
        problems.add(place.removesuffix(": "), f"got {in_words(tasks)}, expected a mapping")
        return []
    entries = []
    for key, values in tasks.items():
        if not isinstance(key, str):
            problems.add(place.removesuffix(": "), f"got {in_words(key)} as the key of a task")
        elif (problem := unusable_name("the key", key)) is not None:
            problems.add(below(place, key), problem)
        elif isinstance(values, dict):
            entries.append(_entry(key, values, below(place, key), problems))
        elif values is not UNUSABLE:
            problems.add(below(place, key), f"got {in_words(values)}, expected a mapping")
    return entries


def _entry(key: str, values: dict[Any, Any], place: str, problems: Problems) -> TaskEntry:
    for name in values:
        if not isinstance(name, str):
            problems.add(place, f"got {in_words(name)} as the name of a setting")
    named = {name: value for name, value in values.items() if isinstance(name, str)}
    return TaskEntry(key, place, named)


def read_task(task: Settings, known: Iterable[str]) -> TaskSettings:
    """What the mapping of a task says, with its problems reported; `known` are the settings that it
    may have."""
    task.refuse_unknown(known, _CALLED_OTHERWISE.get)
    if "schedule" not in task.values:
        task.report("schedule", "is missing; write one such as every day at 1am, or */15 * * * *")
    args, kwargs = _read_args(task)
    return TaskSettings(
        schedule=task.text("schedule"),
        class_name=_read_class(task),
        command=task.text("command"),
        args=args,
        kwargs=kwargs,
        queue=_read_queue(task),
        priority=_read_priority(task),
        description=task.text("description"),
        timezone=task.text("timezone"),
        missed=task.choice("missed", "skip", MISSED),
        missed_within=_read_missed_within(task),
    )


def refuse_neither_or_both(task: Settings) -> None:
    """A task in a file names what it enqueues, once."""
    named = [name for name in ("class", "command") if name in task.values]
    if not named:
        task.problems.add(task.place, "has neither a class nor a command; it needs one of them")
    elif len(named) == 2:
        task.problems.add(task.place, "has a class and a command; keep one of them")
    elif named == ["command"] and "args" in task.values:
        task.report("args", "is for a class; a command has its arguments in its call")


def has_unusable(value: object) -> bool:
    """Whether a value is, or holds, one whose problem has been reported already."""
    match value:
        case dict():
            return any(has_unusable(item) for item in value.values())
        case list() | tuple():
            return any(has_unusable(item) for item in value)
        case _:
            return value is UNUSABLE


def _read_args(task: Settings) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A value, a list, or a mapping of keywords, alone or at the end of the list."""
    value = task.take("args")
    if has_unusable(value):
        return (), {}
    args: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    kwargs: dict[Any, Any] = args.pop() if args and isinstance(args[-1], dict) else {}
    for name in kwargs:
        if not isinstance(name, str):
            task.report("args", f"got {in_words(name)} as the name of an argument")
    return tuple(args), {name: item for name, item in kwargs.items() if isinstance(name, str)}


def _read_class(task: Settings) -> str | None:
    name = task.text("class")
    problem = None if name is None else unusable_name("the name", name)
    if problem is not None:
        task.report("class", problem)
    return name


def _read_queue(task: Settings) -> str | None:
    name = task.text("queue")
    problem = None if name is None else unusable_queue(name)
    if problem is not None:
        task.report("queue", problem)
        return None
    return name


def _read_priority(task: Settings) -> int | None:
    value = task.take("priority")
    if value is UNUSABLE:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        task.mistyped("priority", value, "a whole number")
    elif value not in PRIORITIES:
        bounds = f"from {PRIORITIES[0]} to {PRIORITIES[-1]}"
        task.report("priority", f"got {in_words(value)}, expected a whole number {bounds}")
    else:
        return value
    return None


def _read_missed_within(task: Settings) -> float | None:
    seconds = task.duration("missed_within", None)
    if seconds is not None and task.values.get("missed", "skip") == "skip":
        task.report("missed_within", "bounds what is made up for; it is for missed: once, or all")
        return None
    return seconds
