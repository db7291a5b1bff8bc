"""Running a command: whatever goes wrong becomes one clear line on stderr and an exit status.

    0    done                                   2    used wrongly: see --help
    1    an error of queuekit's own, by name    70   an error that nobody foresaw
    130  interrupted                            141  the reader of the output is gone (`| head`)

`--verbose` shows the traceback of an error beside its line. What a module of the application raises
is shown with its traceback in any case: nobody finds a mistake by its last line alone.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import click

from queuekit.cli.group import jobs
from queuekit.cli.options import Given
from queuekit.cli.output import no_colour, print_error, print_lines
from queuekit.errors import ConfigurationError, ImportFailedError, QueuekitError

_ERROR = 1
_SOFTWARE = 70  # EX_SOFTWARE
_INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
_BROKEN_PIPE = 141  # 128 + SIGPIPE

_IMPORTERS = ("queuekit.importing", "importlib")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the process's own) ask for; its exit status."""
    given = Given()
    try:
        _print_whatever_comes()
        _make_application_importable()
        status = _invoke(list(sys.argv[1:] if arguments is None else arguments), given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        status = _leave_pipe()
    except (KeyboardInterrupt, click.Abort):
        status = _INTERRUPTED
    except click.ClickException as error:
        _show(error)
        status = error.exit_code
    except QueuekitError as error:
        _report(error, _lines_of(error), given)
        status = _ERROR
    except Exception as error:
        cure = "" if given.verbose else "; --verbose shows the traceback"
        _report(error, [f"unexpected {type(error).__name__}: {error}{cure}"], given)
        status = _SOFTWARE
    return status


def _invoke(arguments: list[str], given: Given) -> int:
    colour = False if no_colour() else None
    try:
        with jobs.make_context(_own_name(), arguments, obj=given, color=colour) as context:
            jobs.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    return 0


def _own_name() -> str:
    """How the user called us, for usage lines that can be copied."""
    name = Path(sys.argv[0]).name
    return {"jobs": "bin/jobs", "__main__.py": "python -m queuekit"}.get(name, name or "bin/jobs")


def _print_whatever_comes() -> None:
    """A job's message may hold what the terminal's encoding, or any other, cannot say."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _make_application_importable() -> None:
    folder = str(Path.cwd())
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _show(error: click.ClickException) -> None:
    """Wrong usage, with the way to help. A process may have begun without stderr."""
    if sys.stderr is not None:
        error.show()


def _lines_of(error: QueuekitError) -> Iterable[str]:
    return error.problems if isinstance(error, ConfigurationError) else [str(error)]


def _report(error: BaseException, lines: Iterable[str], given: Given) -> None:
    with suppress(BrokenPipeError):
        if given.verbose:
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        elif isinstance(error, ImportFailedError) and error.__cause__ is not None:
            print_lines(_traceback_of_module(error.__cause__), err=True)
        for line in lines:
            print_error(line)


def _traceback_of_module(error: BaseException) -> str:
    """From the module's first line on: how Python and queuekit came to import it says nothing."""
    frames = error.__traceback__
    while frames is not None and _imports(frames):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _imports(frames: TracebackType) -> bool:
    return str(frames.tb_frame.f_globals.get("__name__")).startswith(_IMPORTERS)


def _leave_pipe() -> int:
    """Point the output elsewhere: Python flushes it once more when it exits, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return _BROKEN_PIPE
