"""The command line: `bin/jobs`, `queuekit` and `python -m queuekit` are the same commands.

running   runs a command and turns what goes wrong into one line and an exit status
group     the commands
options   what commands share: the configuration's options, loading it
output    tables, JSON, text that is safe to show; `progress` beside it
"""

from queuekit.cli.running import main

__all__ = ["main"]
