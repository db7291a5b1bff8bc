"""`bin/jobs enqueue`: a job, from the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from queuekit import importing
from queuekit.cli import options, output, values
from queuekit.cli.values import Arguments
from queuekit.description import describe
from queuekit.description import options as enqueue_options
from queuekit.enqueueing import write
from queuekit.receipts import Receipt


@click.command()
@click.argument("name")
@click.argument("arguments", nargs=-1)
@click.option("--queue", metavar="NAME", help="Default: the job's own.")
@click.option("--priority", type=int, help="Lower runs first. Default: the job's own.")
@click.option(
    "--wait",
    type=values.duration,
    metavar="5m|SECONDS",
    help="Run it after this time, not at once.",
)
@click.option(
    "--at", type=values.moment, metavar="ISO-8601", help="Run it at this time; with its zone."
)
@click.option(
    "--args-json",
    type=values.arguments_json,
    metavar="JSON",
    help='All arguments at once: {"args": [...], "kwargs": {...}}; - reads them from stdin.',
)
@options.import_option
@options.json_option
@options.common_options
def enqueue(
    name: str,
    arguments: tuple[str, ...],
    queue: str | None,
    priority: int | None,
    wait: float | None,
    at: datetime | None,
    args_json: Arguments | None,
    as_json: bool,
) -> None:
    """Enqueue the job NAME with ARGUMENTS, and print its receipt. Of a unique job that was there
    already it is that job's, and nothing is enqueued.

    NAME is where the job is declared (app.jobs.welcome), or the name it was declared with; then its
    module has to be listed under imports, or given with --import.

    An argument that reads as JSON is that: 42, true, null, [1, 2]. Any other is text. KEY=VALUE is
    a keyword argument. In quotes for JSON, everything is text: '"42"', '"a=b"'. An argument that
    begins with a dash stands behind --.

    \b
    Examples:
      bin/jobs enqueue app.jobs.welcome 42
      bin/jobs enqueue app.jobs.export 7 full=true --queue exports --priority -5
      bin/jobs enqueue app.jobs.remind ada@example.org --wait 5m
      bin/jobs enqueue app.jobs.report --at 2030-01-31T09:00:00+01:00
      bin/jobs enqueue app.jobs.add -- -2 3
      bin/jobs enqueue app.jobs.load --args-json - < arguments.json
    """
    if arguments and args_json is not None:
        raise click.UsageError("--args-json takes the place of ARGUMENTS: give one of them.")
    args, kwargs = args_json or values.arguments(arguments)
    configuration = options.use()
    importing.import_all(configuration.imports)
    declaration = importing.find(name, configuration.imports)
    how = enqueue_options(queue=queue, priority=priority, wait=wait, at=at, connection=None)
    receipt = write([describe(declaration, args, kwargs, how)])[0]
    print_receipt(receipt, "class", declaration.name, as_json)


def print_receipt(receipt: Receipt, kind: str, name: str, as_json: bool) -> None:
    """What has come of enqueueing; `kind` says what the name is one of."""
    if as_json:
        output.print_json(_as_json(receipt, kind, name))
    else:
        _print(receipt, kind, name)


def _print(receipt: Receipt, kind: str, name: str) -> None:
    pairs: list[tuple[str, object]] = [("job id", receipt.job_id)]
    if receipt.row_id is not None:
        pairs.append(("row id", receipt.row_id))
    pairs += [(kind, name), ("queue", receipt.queue)]
    if receipt.is_existing:
        pairs.append(("status", "existing: it was there already, nothing was enqueued"))
    elif receipt.status != "enqueued":
        pairs.append(("status", receipt.status))
    if receipt.scheduled_at is not None:
        pairs.append(("scheduled at", output.moment(receipt.scheduled_at)))
    output.print_pairs(pairs)


def _as_json(receipt: Receipt, kind: str, name: str) -> dict[str, Any]:
    return {
        "job_id": receipt.job_id,
        "row_id": receipt.row_id,
        {"class": "class_name"}.get(kind, kind): name,
        "queue": receipt.queue,
        "status": receipt.status,
        "scheduled_at": output.moment_json(receipt.scheduled_at),
    }
