"""`bin/jobs install`: what an application needs, written into it, never over what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click

from queuekit.cli import options, output

_EXECUTABLE = '''\
#!/usr/bin/env python3
"""Runs and watches this application's background jobs; bin/jobs --help lists the commands."""

import os
import sys
from pathlib import Path

APPLICATION = Path(__file__).resolve().parent.parent

os.chdir(APPLICATION)
sys.path.insert(0, str(APPLICATION))

try:
    from queuekit.cli import main
except ModuleNotFoundError as error:
    sys.exit(
        f"bin/jobs: {sys.executable} has no module {error.name}: activate the application's "
        "virtual environment, or install queuekit into it with pip"
    )
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
'''


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
@options.json_option
@options.common_options
def install(folder: Path, as_json: bool) -> None:
    """Write the configuration and bin/jobs into an application.

    These are config/queue.yml, config/recurring.yml and an executable bin/jobs. FOLDER is the
    application's, by default the current one. A file that exists is left as it is.

    \b
    Examples:
      queuekit install
      queuekit install ~/projects/shop
    """
    written: dict[str, list[str]] = {"create": [], "exist": []}
    for name, text, mode in _files():
        action = "create" if _write(folder / name, text, mode) else "exist"
        written[action].append(name)
        if not as_json:
            click.echo(f"{action:>12}  {name}")
    if as_json:
        output.print_json({"created": written["create"], "existing": written["exist"]})


def _files() -> Iterator[tuple[str, str, int]]:
    """What to write: name, text, mode."""
    templates = files("queuekit").joinpath("templates")
    for name in ("queue.yml", "recurring.yml"):
        yield f"config/{name}", templates.joinpath(name).read_text(encoding="utf-8"), 0o666
    yield "bin/jobs", _EXECUTABLE, 0o777


def _write(path: Path, text: str, mode: int) -> bool:
    """Write a file and say True, or leave alone what is there, be it a broken link."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mode is narrowed by the umask, as for every new file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        if not path.parent.is_dir():
            raise _refusal(path.parent, "is not a folder") from None
        return False
    except OSError as error:
        raise _refusal(path, f"cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _refusal(path: Path, why: str) -> click.ClickException:
    return click.ClickException(f"{path} {why}")
