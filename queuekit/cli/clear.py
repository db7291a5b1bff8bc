"""`bin/jobs clear`: deleting finished jobs."""

from __future__ import annotations

import click

from queuekit.cli import options, output, values
from queuekit.cli.progress import progress
from queuekit.executions import finished


@click.command()
@click.option(
    "--older-than",
    type=values.duration,
    metavar="1d|SECONDS",
    help="Only what finished longer ago. Default: the configuration's clear_finished_jobs_after.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=finished.BATCH_SIZE,
    show_default=True,
    help="So many in one transaction.",
)
@click.option(
    "--sleep-between-batches",
    type=values.duration,
    metavar="SECONDS",
    help="Leave the database room for other work. Default: twice as long as the batch took.",
)
@options.json_option
@options.common_options
def clear(
    older_than: float | None, batch_size: int, sleep_between_batches: float | None, as_json: bool
) -> None:
    """Delete finished jobs, in batches.

    Interrupted, it leaves what it has not come to; each batch is a transaction of its own.

    \b
    Examples:
      bin/jobs clear
      bin/jobs clear --older-than 1d --sleep-between-batches 0.3
      bin/jobs clear --older-than 0 --json
    """
    configuration = options.use()
    seconds = configuration.clear_finished_jobs_after if older_than is None else older_than
    total = finished.count(older_than=seconds)
    with progress("clearing", total, quiet=as_json) as update:
        cleared = finished.clear_in_batches(
            older_than=seconds,
            batch_size=batch_size,
            sleep_between_batches=sleep_between_batches,
            progress=update,
        )
    if as_json:
        output.print_json({"cleared": cleared})
    else:
        click.echo(f"cleared {output.count(cleared, 'finished job')}")
