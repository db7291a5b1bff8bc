"""An application's folder for tests that import modules from it, and forget them afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from queuekit import application, declaration
from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.recurring import reading
from queuekit.recurring.task import RecurringTask


@contextmanager
def application_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder is the current one and its modules can be imported; what was is forgotten."""
    before = set(sys.modules)
    monkeypatch.setattr(declaration, "_registered", dict(declaration._registered))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    yield folder
    for name in set(sys.modules) - before:
        if "queuekit" not in name:
            del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))


def configured(tasks: str = "", **settings: Any) -> Configuration:
    """A configuration whose recurring file, config/recurring.yml, has these tasks."""
    file = Path("config/recurring.yml")
    write(file, tasks)
    return replace(Configuration(recurring_schedule_file=file), **settings)


def in_use(monkeypatch: pytest.MonkeyPatch, configuration: Configuration) -> None:
    """Let this process work with a configuration, for one test."""
    monkeypatch.setattr(application, "_configuration", configuration)
    monkeypatch.setattr(application, "_folder", Path.cwd())


def tasks_of_files(configuration: Configuration) -> list[RecurringTask]:
    """The recurring tasks of the configuration's files. Raises ConfigurationError."""
    problems = Problems()
    tasks = reading.collect(configuration, problems)
    problems.raise_if_any()
    return tasks
