"""`bin/jobs discard`: giving up a job that waits."""

from __future__ import annotations

import click

from queuekit import jobs
from queuekit.cli import options, output


@click.command()
@click.argument("job_id")
@options.json_option
@options.common_options
def discard(job_id: str, as_json: bool) -> None:
    """Give up a job that waits: scheduled, ready, blocked or failed.

    It counts as finished. A slot of a concurrency limit that it holds goes to the next job. A job
    that a process has claimed is left alone.

    \b
    Example:
      bin/jobs discard 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
    """
    options.use()
    jobs.discard(job_id)
    if as_json:
        output.print_json({"discarded": 1})
    else:
        click.echo("discarded 1 job")
