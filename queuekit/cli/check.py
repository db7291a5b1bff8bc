"""`bin/jobs check`: is everything all right? All problems come at once, and none is mended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from queuekit import application, config
from queuekit.cli import options, output
from queuekit.cli.database import list_migrations, migration_name
from queuekit.cli.options import Given
from queuekit.config import Configuration
from queuekit.config.description import mask_password
from queuekit.config.settings import DEFAULT_ENVIRONMENT, DEFAULT_RECURRING_PATH
from queuekit.database import Database, Migration, Row, migrations
from queuekit.errors import ConfigurationError, DatabaseError
from queuekit.recurring import checking
from queuekit.recurring.checking import Checked, describe
from queuekit.recurring.task import RecurringTask

T = TypeVar("T")

#: How many misplaced jobs are listed.
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What the database answered. Only a prepared one can be asked for misplaced jobs."""

    missing: list[Migration]
    prepares_itself: bool
    misplaced: list[Row]


@click.command()
@click.option("--database", "ask_database", is_flag=True, help="Ask the database, too.")
@options.json_option
@options.start_options
@click.pass_context
def check(context: click.Context, ask_database: bool, as_json: bool) -> None:
    """Show the configuration, and everything that is wrong with it.

    It is what start would use, and needs no database. The modules under imports and those of the
    recurring tasks are imported, to see whether each task can be enqueued. With --database it also
    asks whether the server can be reached, whether its tables are up to date, and whether every job
    is in exactly one state, as it should be at any time. Takes the options of start; exits with 1
    when there is a problem.

    \b
    Examples:
      bin/jobs check
      bin/jobs check -c config/calendar.yml --environment production
      bin/jobs check --database
    """
    problems: list[str] = []
    configuration, recurring = check_recurring(problems)
    database = configuration and _collect(lambda: _use(configuration), problems)
    findings = _collect(lambda: _ask(database), problems) if ask_database and database else None
    if findings is not None:
        problems += _problems_of(findings)

    if as_json:
        output.print_json(_as_json(configuration, recurring, findings, problems))
    else:
        _print(configuration, recurring, findings, problems)
    if problems:
        context.exit(1)


def check_recurring(problems: list[str]) -> tuple[Configuration | None, Checked]:
    """The configuration, and what can be said of its recurring tasks: as much as can be when it
    cannot be used. All that is wrong joins the problems."""
    configuration = _collect(options.load, problems)
    if configuration is not None:
        recurring = checking.check(configuration)
    else:
        recurring = checking.check_files(_guess(options.given()))
    problems += [problem for problem in recurring.problems if problem not in problems]
    return configuration, recurring


def _collect(find: Callable[[], T], problems: list[str]) -> T | None:
    """What `find` returns; None when it cannot, and the reasons join the problems."""
    try:
        return find()
    except ConfigurationError as error:
        problems += [problem for problem in error.problems if problem not in problems]
    except DatabaseError as error:
        problems.append(str(error))
    return None


def _guess(given: Given) -> Configuration:
    """Enough of a configuration to look into the recurring tasks when the rest cannot be used."""
    named = given.recurring_schedule_file or os.environ.get("QUEUEKIT_RECURRING_SCHEDULE")
    file = Path(named) if named else DEFAULT_RECURRING_PATH
    return Configuration(
        environment=given.environment or os.environ.get("QUEUEKIT_ENV") or DEFAULT_ENVIRONMENT,
        # A folder that may not be entered is a problem already.
        recurring_schedule_file=file if os.path.lexists(file) else None,
        skip_recurring=bool(given.skip_recurring),
    )


def _use(configuration: Configuration) -> Database:
    application.use(configuration)
    database = application.database()
    click.get_current_context().call_on_close(database.disconnect)
    return database


def _ask(database: Database) -> Findings:
    if not database.exists():
        return Findings(migrations.all_of(database.dialect.name), True, [])
    connection = database.connect()
    try:
        missing = migrations.missing(connection, database.dialect)
    finally:
        connection.close()
    misplaced = [] if missing else database.query("jobs.misplaced", limit=_LISTED + 1)
    return Findings(missing, database.dialect.prepares_itself, misplaced)


def _problems_of(findings: Findings) -> list[str]:
    problems = [_misplaced(row) for row in findings.misplaced[:_LISTED]]
    if len(findings.misplaced) > _LISTED:
        problems.append(f"there are more such jobs; these are the first {_LISTED}")
    if findings.missing and not findings.prepares_itself:
        problems.append(f"the database lacks {_names(findings.missing)}: run bin/jobs prepare")
    return problems


def _misplaced(row: Row) -> str:
    row_id, job, states = row
    if job == "no job":
        return f"there is no job with the row id {row_id}, but it is {states}"
    if states:
        return f"the job with the row id {row_id} is in several states: {states}"
    return f"the job with the row id {row_id} is in no state"


def _print(
    configuration: Configuration | None,
    recurring: Checked,
    findings: Findings | None,
    problems: Sequence[str],
) -> None:
    lines = [] if configuration is None else config.describe(configuration)
    lines += lines_of(recurring_pairs(recurring))
    lines += lines_of([] if findings is None else _describe(findings))
    print_findings(lines, problems)


def recurring_pairs(recurring: Checked) -> list[tuple[str, str]]:
    pairs = [("recurring task", describe(task)) for task in recurring.tasks]
    pairs += [("hint", hint) for hint in recurring.hints]
    return pairs + [("warning", warning) for warning in recurring.warnings]


def print_findings(lines: Iterable[str], problems: Sequence[str]) -> None:
    for line in lines:
        output.print_wrapped(line, indent=21)
    for problem in problems:
        output.print_error(problem)
    if not problems:
        click.echo("No problems.")


def lines_of(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{label + ':':<20} {text}" for label, text in pairs]


def _describe(findings: Findings) -> list[tuple[str, str]]:
    lines = [("reachable", "yes")]
    if not findings.missing:
        held = "no" if findings.misplaced else "yes"
        lines += [("prepared", "yes"), ("one state per job", held)]
    elif findings.prepares_itself:
        lines.append(("prepared", f"not yet, on first use: {_names(findings.missing)}"))
    else:
        lines.append(("prepared", f"no, missing: {_names(findings.missing)}"))
    return lines


def _names(missing: Sequence[Migration]) -> str:
    return ", ".join(map(migration_name, missing))


def _as_json(
    configuration: Configuration | None,
    recurring: Checked,
    findings: Findings | None,
    problems: Sequence[str],
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "configuration": configuration and _settings(configuration),
        "recurring_tasks": [task_as_json(task) for task in recurring.tasks],
        "warnings": recurring.warnings,
        "problems": problems,
    }
    if findings is not None:
        document["database"] = {
            "prepared": not findings.missing,
            "missing": list_migrations(findings.missing),
            "misplaced": [
                {"row_id": row_id, "states": states.split(", ") if states else []}
                for row_id, _, states in findings.misplaced[:_LISTED]
            ],
        }
    return document


def _settings(configuration: Configuration) -> dict[str, Any]:
    settings = asdict(configuration)
    settings["database_url"] = mask_password(configuration.database_url)
    settings["tasks_of_dispatchers"] = [task.key for task in configuration.tasks_of_dispatchers]
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in settings.items()
    }


def task_as_json(task: RecurringTask) -> dict[str, Any]:
    return {
        "key": task.key,
        "class": task.class_name,
        "command": task.command,
        "schedule": task.schedule.text,
        "cron": task.schedule.cron,
        "queue": task.queue,
        "place": task.place,
    }
