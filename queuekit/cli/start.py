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
    at once. HUP makes it read its configuration again and replace its processes one by one. USR1
    makes it write the stack of every thread to standard error. A server that cannot be reached is
    waited for.

    \b
    Examples:
      bin/jobs
      bin/jobs start -c config/calendar.yml --skip-recurring
      bin/jobs start --environment production --import app.jobs
      bin/jobs start --pidfile tmp/jobs.pid --log-format json
    """
    run()


def run() -> None:
    # Nothing but this command needs the processes, and enqueueing must not pay for them.
    from queuekit.processes import supervisor

    given = options.given()
    configuration = given.load()
    logs.log_to_stderr(logging.DEBUG if given.verbose else logging.INFO, configuration.log_format)
    # For HUP: the same command line, over files that may say something else by then.
    status = supervisor.run(configuration, reload=given.load)
    click.get_current_context().exit(status)
