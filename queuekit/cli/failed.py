"""`bin/jobs failed`: list, show, retry, discard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from queuekit.cli import asking, options, output
from queuekit.cli.progress import progress
from queuekit.executions import failed as operations
from queuekit.executions.failed import FailedJob

F = TypeVar("F", bound=Callable[..., Any])


#: How many jobs are listed.
_LIMIT = 100

_queue_option = click.option("--queue", metavar="NAME", help="Only of this queue.")
_class_option = click.option("--class", "class_name", metavar="NAME", help="Only of this class.")
_all_option = click.option("--all", "all_", is_flag=True, help="All that have failed until now.")
_ids_argument = click.argument("job_ids", nargs=-1, metavar="[JOB_ID]...")


def _filters(function: F) -> F:
    return _queue_option(_class_option(function))


def _selection(function: F) -> F:
    """Job ids, or `--all` with filters."""
    return _ids_argument(_all_option(_filters(function)))


@click.group(invoke_without_command=True)
@options.json_option
@options.common_options
@click.pass_context
def failed(context: click.Context, as_json: bool) -> None:
    """List failed jobs, look into one, retry or discard them. Without a command: list.

    \b
    Examples:
      bin/jobs failed
      bin/jobs failed show 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
      bin/jobs failed retry --all --queue mailers
      bin/jobs failed discard --all --class app.jobs.export
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, as_json=as_json, queue=None, class_name=None, limit=_LIMIT)
    elif as_json:
        raise click.UsageError("--json stands behind the command: failed list --json")


@failed.command("list")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="At most so many.",
)
@options.json_option
@options.common_options
def list_(queue: str | None, class_name: str | None, limit: int, as_json: bool) -> None:
    """Show failed jobs, the newest failure first.

    \b
    Examples:
      bin/jobs failed list --queue mailers --limit 10
      bin/jobs failed list --class app.jobs.welcome --json | jq -r '.[].job_id'
    """
    options.use()
    jobs = operations.list(queue=queue, class_name=class_name, limit=limit)
    if as_json:
        output.print_json([_as_json(job) for job in jobs])
    elif jobs:
        _print_table(jobs)
        if len(jobs) == limit:
            _say_what_is_missing(limit, operations.count(queue=queue, class_name=class_name))
    else:
        click.echo("No failed jobs.")


@failed.command()
@click.argument("job_id")
@options.json_option
@options.common_options
def show(job_id: str, as_json: bool) -> None:
    """Show a failed job: its arguments, its error and the traceback.

    \b
    Example:
      bin/jobs failed show 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
    """
    options.use()
    job = operations.show(job_id)
    if as_json:
        output.print_json(_as_json(job) | {"traceback": job.error.traceback})
    else:
        _print_job(job)


@failed.command()
@_selection
@options.json_option
@options.common_options
def retry(
    job_ids: tuple[str, ...],
    all_: bool,
    queue: str | None,
    class_name: str | None,
    as_json: bool,
) -> None:
    """Run failed jobs again, as if they were enqueued now.

    With ids, all of them are retried or, when one is not a failed job, none.

    \b
    Examples:
      bin/jobs failed retry 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
      bin/jobs failed retry --all
      bin/jobs failed retry --all --queue mailers --class app.jobs.welcome
    """
    _check_selection(job_ids, all_, queue, class_name)
    options.use()
    if all_:
        total = operations.count(queue=queue, class_name=class_name)
        with progress("retrying", total, quiet=as_json) as update:
            retried = operations.retry_all(queue=queue, class_name=class_name, progress=update)
    else:
        retried = len(dict.fromkeys(job_ids))
        operations.retry(*job_ids)
    _say_done("retried", retried, as_json)


@failed.command()
@_selection
@asking.yes_option
@options.json_option
@options.common_options
def discard(
    job_ids: tuple[str, ...],
    all_: bool,
    queue: str | None,
    class_name: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Give failed jobs up, their errors kept.

    They count as finished. With ids, all of them are discarded or, when one is not a failed job,
    none. With --all it asks first; where there is no terminal to ask on, --yes is needed.

    \b
    Examples:
      bin/jobs failed discard 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
      bin/jobs failed discard --all --queue mailers --yes
    """
    _check_selection(job_ids, all_, queue, class_name)
    options.use()
    if all_:
        total = operations.count(queue=queue, class_name=class_name)
        asking.confirm(f"Discard {output.count(total, 'failed job')}?", yes=yes)
        with progress("discarding", total, quiet=as_json) as update:
            discarded = operations.discard_all(queue=queue, class_name=class_name, progress=update)
    else:
        discarded = len(dict.fromkeys(job_ids))
        operations.discard(*job_ids)
    _say_done("discarded", discarded, as_json)


def _check_selection(
    job_ids: tuple[str, ...], all_: bool, queue: str | None, class_name: str | None
) -> None:
    if all_ and job_ids:
        raise click.UsageError("Give job ids or --all, not both.")
    if not all_ and not job_ids:
        raise click.UsageError("Which jobs? Give their ids, or --all.")
    if job_ids and (queue is not None or class_name is not None):
        raise click.UsageError("--queue and --class narrow --all; job ids stand alone.")


def _say_done(verb: str, number: int, as_json: bool) -> None:
    if as_json:
        output.print_json({verb: number})
    else:
        click.echo(f"{verb} {output.count(number, 'job')}")


def _print_table(jobs: list[FailedJob]) -> None:
    output.print_table(
        ["JOB ID", "QUEUE", "CLASS", "ATTEMPT", "FAILED AT", "ERROR"],
        [
            [
                job.job_id,
                job.queue,
                job.class_name,
                job.attempt,
                output.moment(job.failed_at),
                _error(job),
            ]
            for job in jobs
        ],
        right=["ATTEMPT"],
        whole=["JOB ID"],
        fold="ATTEMPT",
    )


def _say_what_is_missing(shown: int, total: int) -> None:
    if total > shown:
        click.echo(f"{shown:,} of {total:,} failed jobs; --limit shows more.", err=True)


def _print_job(job: FailedJob) -> None:
    output.print_pairs(
        [
            ("job id", job.job_id),
            ("row id", job.row_id),
            ("class", job.class_name),
            ("queue", job.queue),
            ("priority", job.priority),
            ("attempt", job.attempt),
            ("enqueued at", output.moment(job.enqueued_at)),
            ("failed at", output.moment(job.failed_at)),
            ("error", _error(job)),
        ]
    )
    click.echo()
    output.print_arguments(job.arguments)
    click.echo()
    output.print_lines(job.error.traceback)


def _error(job: FailedJob) -> str:
    return output.error_line(job.error)


def _as_json(job: FailedJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "row_id": job.row_id,
        "class_name": job.class_name,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "arguments": output.arguments_json(job.arguments),
        "enqueued_at": output.moment_json(job.enqueued_at),
        "failed_at": output.moment_json(job.failed_at),
        "exception_class": job.error.exception_class,
        "message": job.error.message,
    }
