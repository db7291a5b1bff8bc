"""`bin/jobs recurring`: list the recurring tasks, run one, check them, preview a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from queuekit import application, importing, schedules
from queuekit.cli import options, output, values
from queuekit.cli.check import check_recurring, lines_of, print_findings, recurring_pairs
from queuekit.cli.check import task_as_json as checked_as_json
from queuekit.cli.enqueue import print_receipt
from queuekit.config import Configuration
from queuekit.config.problems import Problems
from queuekit.errors import ImportFailedError
from queuekit.recurring import now
from queuekit.recurring.checking import Checked
from queuekit.recurring.listing import LastRun, ListedTask, collect
from queuekit.schedules import Schedule, Upcoming

#: How many runs are previewed.
_COUNT = 5
_MOST = 100_000

#: So many keys are named in a warning.
_SHOWN = 3


@click.group(invoke_without_command=True)
@options.json_option
@options.recurring_options
@click.pass_context
def recurring(context: click.Context, as_json: bool) -> None:
    """Show the recurring tasks, run one, preview a schedule.

    Without a command: list.

    \b
    Examples:
      bin/jobs recurring
      bin/jobs recurring run nightly_backup
      bin/jobs recurring preview "every weekday at 9am Europe/Paris" --count 10
      bin/jobs recurring check --environment production
    """
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        raise click.UsageError("--json stands behind the command: recurring list --json")


@recurring.command("list")
@options.json_option
@options.recurring_options
def list_(as_json: bool) -> None:
    """Show every recurring task, with its last run and its next.

    The tasks are those that the schedulers have stored, static and dynamic, and the static ones of
    this configuration with which none has begun yet. LAST RUN is the time that it was for; OUTCOME
    what became of its job: waiting, running, retried, finished, failed, discarded, or cleared when
    it is kept no more; handed on of another library's task. NEXT RUN is in the task's own zone.

    \b
    Examples:
      bin/jobs recurring list
      bin/jobs recurring list --json | jq -r '.[] | select(.last_run.outcome == "failed").key'
    """
    _list(as_json)


@recurring.command()
@click.argument("key")
@options.json_option
@options.recurring_options
def run(key: str, as_json: bool) -> None:
    """Enqueue what the task with this key enqueues, now.

    It is no run of the schedule: the next one comes at its time. A static task has to be one of
    this configuration's.

    \b
    Example:
      bin/jobs recurring run nightly_backup
    """
    configuration = options.use()
    importing.import_all(configuration.imports)
    task = now.find(key)
    receipt = now.enqueue(task)
    name = task.class_name or task.command or ""
    if receipt is not None:
        print_receipt(receipt, "command" if task.class_name is None else "class", name, as_json)
    elif as_json:
        output.print_json({"job_id": None, "class_name": name, "status": "handed on"})
    else:
        click.echo(f"{output.printable(name)}: handed on to its own library, so it has no job id")


@recurring.command()
@click.argument("schedule")
@click.option(
    "--count",
    type=click.IntRange(1, _MOST),
    default=_COUNT,
    show_default=True,
    help="So many runs.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    help="The zone of a schedule that names none. Default: this machine's.",
)
@click.option(
    "--from",
    "start",
    type=values.moment_of_any_zone,
    metavar="ISO-8601",
    help="The runs after this time, in the schedule's zone unless it says another. Default: now.",
)
@options.json_option
@options.common_options
def preview(
    schedule: str, count: int, timezone: str | None, start: datetime | None, as_json: bool
) -> None:
    """Show when a SCHEDULE runs next, changes of the clocks included.

    SCHEDULE is a phrase or cron. Needs no configuration and no database.

    \b
    Examples:
      bin/jobs recurring preview "every weekday at 9am Europe/Paris" --count 10
      bin/jobs recurring preview "30 2 * * *" --timezone America/New_York --from 2030-03-09
      bin/jobs recurring preview "every day at 02:30 Europe/Berlin" --json | jq -r .cron
    """
    parsed = schedules.parse(schedule, timezone=timezone)
    after = start or datetime.now(UTC)
    if after.tzinfo is None:
        after = after.replace(tzinfo=parsed.zone)
    runs = parsed.preview(after, count)
    if as_json:
        output.print_json(_preview_as_json(parsed, runs))
    else:
        _print_preview(parsed, runs)
        if len(runs) < count:
            click.echo("There are no more within fifty years.", err=True)


@recurring.command()
@options.json_option
@options.recurring_options
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Show the tasks of the files, and everything wrong with any.

    The modules under imports and those of the tasks are imported, to see whether each could be
    enqueued. Needs no database. Exits with 1 when there is a problem.

    \b
    Examples:
      bin/jobs recurring check
      bin/jobs recurring check --environment production
    """
    problems: list[str] = []
    configuration, checked = check_recurring(problems)
    if as_json:
        output.print_json(_checked_as_json(checked, problems))
    else:
        print_findings(lines_of(_checked_pairs(configuration, checked, problems)), problems)
    if problems:
        context.exit(1)


# Listing


def _list(as_json: bool) -> None:
    configuration = options.use()
    problems = Problems()
    _import(configuration, problems)
    tasks = collect(configuration, problems)
    if as_json:
        output.print_json([_as_json(task) for task in tasks])
    else:
        _print_tasks(tasks)
    for warning in (*problems.found, *_warnings(tasks, configuration)):
        click.echo(f"Warning: {output.printable(warning)}", err=True)


def _import(configuration: Configuration, problems: Problems) -> None:
    """Tasks that are declared beside the code are known when it has been imported. Rows can be
    listed where it cannot be."""
    try:
        importing.import_all(configuration.imports)
    except ImportFailedError as error:
        problems.found.append(" ".join(str(error).split()))


def _warnings(tasks: Sequence[ListedTask], configuration: Configuration) -> list[str]:
    """Why what is listed may not come about."""
    warnings = [f"{task.key}: {task.problem}" for task in tasks if task.problem is not None]
    kinds = {row[1] for row in application.database().query("processes.list")}
    new = [task.key for task in tasks if not task.is_stored]
    if tasks and "Scheduler" not in kinds:
        warnings.append("no scheduler is running: nothing is enqueued until one is")
    elif new:
        shown = ", ".join(new[:_SHOWN]) + (f" and {len(new) - _SHOWN} more" * (len(new) > _SHOWN))
        warnings.append(f"no scheduler has begun with {shown} yet")
    dynamic = not all(task.is_static for task in tasks)
    if dynamic and not configuration.scheduler.dynamic_tasks_enabled:
        warnings.append(
            "dynamic tasks run where a scheduler has dynamic_tasks_enabled, "
            "which this configuration has not"
        )
    return warnings


def _print_tasks(tasks: Sequence[ListedTask]) -> None:
    if not tasks:
        click.echo("There are no recurring tasks.")
        return
    output.print_table(
        [
            "KEY",
            "SCHEDULE",
            "CLASS OR COMMAND",
            "QUEUE",
            "LAST RUN",
            "OUTCOME",
            "NEXT RUN",
            "IN UTC",
        ],
        [
            [
                task.key,
                task.words or task.schedule,
                task.class_name or task.command or "",
                task.queue or "",
                "" if task.last_run is None else output.moment(task.last_run.at),
                "never" if task.last_run is None else task.last_run.outcome,
                "" if task.next_run is None else output.moment_in_zone(task.next_run),
                "" if task.next_run is None else output.moment(task.next_run.astimezone(UTC)),
            ]
            for task in tasks
        ],
        whole=["LAST RUN", "OUTCOME", "NEXT RUN", "IN UTC"],
        fold="LAST RUN",
    )


def _as_json(task: ListedTask) -> dict[str, Any]:
    return {
        "key": task.key,
        "kind": "static" if task.is_static else "dynamic",
        "is_stored": task.is_stored,
        "class": task.class_name,
        "command": task.command,
        "queue": task.queue,
        "priority": task.priority,
        "description": task.description,
        "schedule": task.schedule,
        "words": task.words,
        "cron": task.cron,
        "timezone": task.timezone,
        "missed": task.missed,
        "missed_within": task.missed_within,
        "last_run": task.last_run and _last_run_as_json(task.last_run),
        **_next_run_as_json(task.next_run),
        "problem": task.problem,
    }


def _last_run_as_json(run: LastRun) -> dict[str, Any]:
    return {"at": output.moment_json(run.at), "job_id": run.job_id, "outcome": run.outcome}


def _next_run_as_json(at: datetime | None) -> dict[str, Any]:
    return {
        "next_run": at and at.isoformat(),
        "next_run_utc": at and output.moment_json(at.astimezone(UTC)),
    }


# Previewing


def _print_preview(schedule: Schedule, runs: Sequence[Upcoming]) -> None:
    output.print_pairs(
        [
            ("schedule", schedule.text),
            ("cron", schedule.cron),
            ("in words", schedule.describe()),
        ]
    )
    click.echo()
    headings = [f"IN {schedule.zone}", "IN UTC"]
    rows = [
        [f"{run.at:%a} {output.moment_in_zone(run.at)}", output.moment(run.at.astimezone(UTC))]
        for run in runs
    ]
    notes = [run.note for run in runs]
    if any(notes):
        headings.append("NOTE")
        rows = [[*row, note] for row, note in zip(rows, notes, strict=True)]
    output.print_table(headings, rows, whole=headings[:2], fold=headings[-1])


def _preview_as_json(schedule: Schedule, runs: Sequence[Upcoming]) -> dict[str, Any]:
    return {
        "schedule": schedule.text,
        "cron": schedule.cron,
        "words": schedule.describe(),
        "timezone": str(schedule.zone),
        "runs": [
            {
                "at": run.at.isoformat(),
                "at_utc": output.moment_json(run.at.astimezone(UTC)),
                "note": run.note or None,
            }
            for run in runs
        ],
    }


# Checking


def _checked_pairs(
    configuration: Configuration | None, checked: Checked, problems: Sequence[str]
) -> list[tuple[str, str]]:
    pairs = recurring_pairs(checked)
    if configuration is not None and not checked.tasks and not problems:
        pairs.append(("recurring tasks", _why_none(configuration)))
    return pairs


def _why_none(configuration: Configuration) -> str:
    if configuration.skip_recurring:
        return "left alone"
    return f"none in the environment {configuration.environment}"


def _checked_as_json(checked: Checked, problems: Sequence[str]) -> dict[str, Any]:
    return {
        "recurring_tasks": [checked_as_json(task) for task in checked.tasks],
        "hints": checked.hints,
        "warnings": checked.warnings,
        "problems": problems,
    }
