"""The options that commands share, and the configuration that comes of them.

They may stand before the command, as in `bin/jobs -c FILE status`, and after it.
Each records itself in `Given`, so that commands name what they do and not how they are configured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from queuekit import application, config
from queuekit.config import Configuration

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Given:
    """What the command line says about the configuration; None where it says nothing."""

    config_file: str | None = None
    environment: str | None = None
    database_url: str | None = None
    imports: tuple[str, ...] = ()
    mode: str | None = None
    pidfile: str | None = None
    log_format: str | None = None
    recurring_schedule_file: str | None = None
    skip_recurring: bool | None = None
    verbose: bool = False

    def load(self) -> Configuration:
        """The configuration, checked. Raises ConfigurationError with every problem."""
        return config.load(
            path=self.config_file,
            environment=self.environment,
            database_url=self.database_url,
            imports=self.imports,
            mode=self.mode,
            pidfile=self.pidfile,
            log_format=self.log_format,
            recurring_schedule_file=self.recurring_schedule_file,
            skip_recurring=self.skip_recurring,
        )


def load() -> Configuration:
    """The configuration that the running command was given."""
    return given().load()


def use() -> Configuration:
    """Load it and work with it: afterwards `queuekit.failed` and the others know their database."""
    configuration = load()
    application.use(configuration)
    click.get_current_context().call_on_close(application.database().disconnect)
    return configuration


def given() -> Given:
    return click.get_current_context().ensure_object(Given)


def _option(*declarations: str, **attributes: Any) -> Callable[[F], F]:
    """An option that records itself in Given under its own name."""

    def record(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        assert parameter.name is not None
        # After the command wins over before it; what is not there says nothing.
        if value not in (None, False, ()):
            setattr(context.ensure_object(Given), parameter.name, value)

    return click.option(*declarations, expose_value=False, callback=record, **attributes)


_COMMON = (
    _option(
        "-c",
        "--config_file",
        "--config-file",
        "config_file",
        metavar="FILE",
        help="The configuration. Default: QUEUEKIT_CONFIG, then config/queue.yml.",
    ),
    _option(
        "-e",
        "--environment",
        metavar="ENV",
        help="Its section. Default: QUEUEKIT_ENV, then development.",
    ),
    _option(
        "--database-url",
        metavar="URL",
        help="Where the jobs are. Default: QUEUEKIT_DATABASE_URL, then the configuration's, "
        "then sqlite:///storage/queue.sqlite3.",
    ),
    _option(
        "--verbose", is_flag=True, help="Show the traceback of an error; start also logs each job."
    ),
)

_IMPORT = _option(
    "--import",
    "imports",
    metavar="MODULE",
    multiple=True,
    help="Import this module as well as those listed under imports; repeatable.",
)

_RECURRING_FILE = _option(
    "--recurring_schedule_file",
    "--recurring-schedule-file",
    "recurring_schedule_file",
    metavar="FILE",
    help="The recurring tasks. Default: QUEUEKIT_RECURRING_SCHEDULE, then config/recurring.yml.",
)

_START = (
    _RECURRING_FILE,
    _option("--skip-recurring", is_flag=True, help="Leave recurring tasks alone."),
    _option(
        "--mode",
        metavar="fork|async",
        help="Fork a process for each worker and dispatcher, or run them as threads of this one. "
        "Default: QUEUEKIT_SUPERVISOR_MODE, then fork.",
    ),
    _option(
        "--pidfile",
        metavar="FILE",
        help="Hold the pid in this file, and refuse to run beside another supervisor that does. "
        "Default: QUEUEKIT_SUPERVISOR_PIDFILE, then none.",
    ),
    _option(
        "--log-format",
        "log_format",
        metavar="text|json",
        help="How log lines are written. Default: QUEUEKIT_LOG_FORMAT, then text.",
    ),
    _IMPORT,
)


def common_options(function: F) -> F:
    """The options of every command: the file, the environment, the database, --verbose."""
    return _with(function, _COMMON)


def start_options(function: F) -> F:
    """The options of start, which bin/jobs itself and check take as well."""
    return _with(function, _COMMON + _START)


def recurring_options(function: F) -> F:
    """The options of what has to do with recurring tasks."""
    return _with(function, (*_COMMON, _RECURRING_FILE, _IMPORT))


def import_option(function: F) -> F:
    return _with(function, (_IMPORT,))


def json_option(function: F) -> F:
    """`--json`, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def _with(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
