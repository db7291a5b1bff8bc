"""The recurring tasks of the environment, as their file has them; what they mean is not asked."""

import os
from collections.abc import Mapping
from pathlib import Path

from queuekit.config.problems import Problems, bare, below, in_words
from queuekit.config.settings import Configuration
from queuekit.config.substitution import substitute
from queuekit.config.yaml_file import NothingReadError, read_yaml

# What tells a task from the section of an environment.
_TASK = {"class", "command", "schedule"}


def recurring_tasks(
    configuration: Configuration, *, environ: Mapping[str, str] = os.environ
) -> Mapping[str, Mapping[str, object]]:
    """Each task under its key; none when they are skipped or the file has none for this
    environment, as the installed file has tasks for production only."""
    path = configuration.recurring_schedule_file
    if configuration.skip_recurring or path is None:
        return {}
    problems = Problems()
    try:
        tasks = _read_tasks(path, configuration.environment, environ, problems)
    except NothingReadError:
        tasks = {}
    problems.raise_if_any()
    return tasks


def _read_tasks(
    path: Path, environment: str, environ: Mapping[str, str], problems: Problems
) -> dict[str, dict[str, object]]:
    content = read_yaml(path, problems)
    place = f"{bare(str(path))}: "
    if isinstance(content, dict) and environment in content:
        place = below(place, environment)
        content = content[environment]
    elif isinstance(content, dict) and not any(_is_task(value) for value in content.values()):
        content = None
    if content is None:
        return {}
    if not isinstance(content, dict):
        problems.add(place.removesuffix(": "), f"got {in_words(content)}, expected a mapping")
        return {}
    return {
        key: task
        for key, value in content.items()
        if (task := _read_task(key, value, place, environ, problems)) is not None
    }


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and not _TASK.isdisjoint(value)


def _read_task(
    key: object, value: object, place: str, environ: Mapping[str, str], problems: Problems
) -> dict[str, object] | None:
    if not isinstance(key, str):
        problems.add(place.removesuffix(": "), f"got {in_words(key)} as the key of a task")
        return None
    place = below(place, key)
    if not isinstance(value, dict):
        problems.add(place, f"got {in_words(value)}, expected a mapping")
        return None
    for name in value:
        if not isinstance(name, str):
            problems.add(place, f"got {in_words(name)} as the name of a setting")
    return {
        str(name): substitute(item, below(place, name), environ, problems)
        for name, item in value.items()
    }
