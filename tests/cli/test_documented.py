"""docs/command-line.md against the commands themselves, so that it can be relied on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from queuekit.cli.group import jobs
from tests.cli.shop import CHECKOUT, Shop

PAGE = (CHECKOUT / "docs/command-line.md").read_text()
EVERYWHERE = "For every command"
LIKE_START = "the options of [`start`](#start)"
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z_-]*")


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(group: click.Group = jobs, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


def options(command: click.Command) -> set[str]:
    """Every way to write an option of this command."""
    return {
        name
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


@pytest.mark.parametrize("path", dict(commands()))
def test_every_option_is_in_the_section_of_its_command(path: str) -> None:
    command = dict(commands())[path]
    text = sections()[path.split()[0]]
    if LIKE_START in text:
        text += sections()["start"]
    text += sections()[EVERYWHERE]
    assert options(command) - set(OPTION.findall(text)) == set()
    assert path.split()[-1] in text


def test_it_names_no_option_that_does_not_exist() -> None:
    existing = {"--help", "--version"}.union(*(options(command) for _, command in commands()))
    named = set(re.findall(r"(?:bin/jobs|queuekit)\b[^\n|]*", PAGE.replace("`", "\n")))
    for line in named:
        assert set(OPTION.findall(line)) <= existing, line


def test_its_example_of_check_has_every_line(shop: Shop) -> None:
    shop.jobs("prepare")
    labels = re.compile(r"^([a-z][a-z ]*):  +\S", re.MULTILINE)
    shown = labels.findall(shop.jobs("check", "--database").out)
    assert labels.findall(sections()["check"]) == shown
