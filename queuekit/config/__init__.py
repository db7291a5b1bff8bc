"""Configuration: what a file, the environment and the command line say, checked and frozen.

A leaf of the import graph: it needs the standard library, PyYAML and `queuekit.errors`.
"""

from queuekit.config.description import describe
from queuekit.config.loading import load
from queuekit.config.recurring import recurring_tasks
from queuekit.config.settings import (
    Configuration,
    DispatcherSettings,
    SchedulerSettings,
    WorkerSettings,
)

__all__ = [
    "Configuration",
    "DispatcherSettings",
    "SchedulerSettings",
    "WorkerSettings",
    "describe",
    "load",
    "recurring_tasks",
]
