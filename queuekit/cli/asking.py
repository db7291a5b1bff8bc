"""Asking before something is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from queuekit.cli.output import is_terminal

F = TypeVar("F", bound=Callable[..., Any])


def yes_option(function: F) -> F:
    return click.option("--yes", is_flag=True, help="Do it without asking.")(function)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when `--yes` was given or the user says so.

    Without a terminal nobody can be asked: that is wrong usage, not a yes.
    """
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"{question} There is no terminal to ask on: give --yes.")
    if not click.confirm(question, err=True):
        click.echo("Nothing was done.", err=True)
        click.get_current_context().exit(1)
