"""The commands, under one name. Without any of them `bin/jobs` is `bin/jobs start`."""

from __future__ import annotations

import click

from queuekit.cli.check import check
from queuekit.cli.clear import clear
from queuekit.cli.database import prepare, schema
from queuekit.cli.discard import discard
from queuekit.cli.enqueue import enqueue
from queuekit.cli.failed import failed
from queuekit.cli.install import install
from queuekit.cli.limits import limits
from queuekit.cli.options import start_options
from queuekit.cli.queues import queues
from queuekit.cli.recurring import recurring
from queuekit.cli.show import show
from queuekit.cli.start import run, start
from queuekit.cli.status import status
from queuekit.version import VERSION


@click.group(invoke_without_command=True, context_settings={"max_content_width": 100})
@start_options
@click.version_option(VERSION, message="queuekit %(version)s")
@click.pass_context
def jobs(context: click.Context) -> None:
    """Background jobs in your SQL database: run them, watch them, put them right.

    Without a command: start, which runs the jobs until it is told to stop.

    \b
    Examples:
      bin/jobs                                   run jobs as config/queue.yml says
      bin/jobs -c config/calendar.yml --skip-recurring
      bin/jobs check                             is the configuration all right?
      bin/jobs enqueue app.jobs.welcome 42       run welcome(42)
      bin/jobs status                            what is running, and what waits
      bin/jobs show JOB_ID                       what became of a job, attempt by attempt
      bin/jobs COMMAND --help                    more about a command

    The options may stand before a command or after it. Folders and files are relative to the
    current folder, which is also where the application's modules are imported from.
    """
    if context.invoked_subcommand is None:
        run()


for _command in (
    start,
    check,
    install,
    prepare,
    schema,
    status,
    enqueue,
    show,
    discard,
    queues,
    limits,
    recurring,
    failed,
    clear,
):
    jobs.add_command(_command)
