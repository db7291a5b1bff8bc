"""`bin/jobs start`: the supervisor, in the foreground."""

from __future__ import annotations

import logging

import click

from queuekit import logs
from queuekit.cli import options


@click.command()
@options.start_options
def start() -> None:
    """Run the workers and dispatchers that are configured.

    This is what bin/jobs does without a command. It stays in the foreground until it is told to
    stop: TERM and INT let running jobs finish, for as long as shutdown_timeout allows; QUIT stops
    at once. A server that cannot be reached is waited for.

    \b
    Examples:
      bin/jobs
      bin/jobs start -c config/calendar.yml --skip-recurring
      bin/jobs start --environment production --import app.jobs
    """
    run()


def run() -> None:
    # Nothing but this command needs the processes, and enqueueing must not pay for them.
    from queuekit.processes import supervisor

    configuration = options.load()
    logs.log_to_stderr(logging.DEBUG if options.given().verbose else logging.INFO)
    click.get_current_context().exit(supervisor.run(configuration))
