"""The recurring tasks of the environment, as their files have them; what they mean is not asked."""

import os
from collections.abc import Mapping
from dataclasses import replace

from queuekit.config.problems import Problems, bare, below
from queuekit.config.settings import Configuration, TaskEntry
from queuekit.config.substitution import substitute
from queuekit.config.tasks import task_entries
from queuekit.config.yaml_file import TASKS, NothingReadError, read_yaml

# What tells a task from the section of an environment.
_TASK = {"class", "command", "schedule"}


def recurring_tasks(
    configuration: Configuration, *, environ: Mapping[str, str] = os.environ
) -> Mapping[str, Mapping[str, object]]:
    """Each task under its key; none when they are skipped or there are none for this environment,
    as the installed file has tasks for production only."""
    problems = Problems()
    entries = recurring_entries(configuration, problems, environ=environ)
    problems.raise_if_any()
    return {entry.key: entry.values for entry in entries}


def recurring_entries(
    configuration: Configuration, problems: Problems, *, environ: Mapping[str, str] = os.environ
) -> list[TaskEntry]:
    """The tasks of the recurring file, then those under dispatchers, each with its place. Where
    both have a key, the recurring file counts."""
    if configuration.skip_recurring:
        return []
    entries = {entry.key: entry for entry in _of_the_file(configuration, problems, environ)}
    for entry in configuration.tasks_of_dispatchers:
        first = entries.setdefault(entry.key, entry)
        if first is not entry:
            problems.hint(entry.place, f"is given in {first.place}, too, which counts")
    return list(entries.values())


def _of_the_file(
    configuration: Configuration, problems: Problems, environ: Mapping[str, str]
) -> list[TaskEntry]:
    path = configuration.recurring_schedule_file
    if path is None:
        return []
    try:
        content = read_yaml(path, problems, bounds=TASKS)
    except NothingReadError:
        return []
    place = f"{bare(str(path))}: "
    environment = configuration.environment
    if isinstance(content, dict) and environment in content:
        place = below(place, environment)
        content = content[environment]
    elif isinstance(content, dict) and not any(_is_task(value) for value in content.values()):
        content = None
    if content is None:
        return []
    entries = task_entries(content, place, problems)
    return [_substituted(entry, environ, problems) for entry in entries]


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and not _TASK.isdisjoint(value)


def _substituted(entry: TaskEntry, environ: Mapping[str, str], problems: Problems) -> TaskEntry:
    values = {
        name: substitute(value, below(entry.place, name), environ, problems)
        for name, value in entry.values.items()
    }
    return replace(entry, values=values)
