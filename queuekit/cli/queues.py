"""`bin/jobs queues`: list, pause, resume, clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from queuekit import queues as operations
from queuekit.checks import check_queue
from queuekit.cli import asking, options, output
from queuekit.cli.progress import progress
from queuekit.queues import Queue


@click.group(invoke_without_command=True)
@options.json_option
@options.common_options
@click.pass_context
def queues(context: click.Context, as_json: bool) -> None:
    """List the queues, pause and resume them, or clear one. Without a command: list.

    \b
    Examples:
      bin/jobs queues
      bin/jobs queues pause mailers
      bin/jobs queues resume mailers
      bin/jobs queues clear imports --yes
    """
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        raise click.UsageError("--json stands behind the command: queues list --json")


@queues.command("list")
@options.json_option
@options.common_options
def list_(as_json: bool) -> None:
    """Show every queue that has ready jobs or is paused.

    SIZE is the number of ready jobs, LATENCY how long the oldest has waited. Jobs that a
    concurrency limit blocks are in no queue until they get a slot: bin/jobs limits lists them.

    \b
    Examples:
      bin/jobs queues list
      bin/jobs queues list --json
    """
    _list(as_json)


@queues.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.json_option
@options.common_options
def pause(names: tuple[str, ...], as_json: bool) -> None:
    """Let no worker take jobs from these queues until they are resumed.

    Jobs that run already finish; jobs can still be enqueued, and wait.

    \b
    Examples:
      bin/jobs queues pause mailers
      bin/jobs queues pause imports exports
    """
    options.use()
    _switch(names, operations.pause, ("paused", "was paused already"), as_json)


@queues.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.json_option
@options.common_options
def resume(names: tuple[str, ...], as_json: bool) -> None:
    """Let workers take jobs from these queues again.

    \b
    Example:
      bin/jobs queues resume mailers
    """
    options.use()
    _switch(names, operations.resume, ("resumed", "was not paused"), as_json)


@queues.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@asking.yes_option
@options.json_option
@options.common_options
def clear(names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Discard every ready and every blocked job of these queues.

    Jobs that run already, are scheduled or have failed are left alone. Discarded jobs count as
    finished; their slots go to blocked jobs of other queues. Asks first; where there is no terminal
    to ask on, --yes is needed.

    \b
    Examples:
      bin/jobs queues clear imports
      bin/jobs queues clear imports exports --yes
    """
    options.use()
    _check(names)
    sizes, blocked = operations.sizes(), operations.blocked()
    waiting = {name: sizes.get(name, 0) + blocked.get(name, 0) for name in names}
    asking.confirm(f"Discard {_jobs(names, sizes, blocked)} of {', '.join(waiting)}?", yes=yes)
    cleared = {}
    for name, size in waiting.items():
        with progress(f"clearing {name}", size, quiet=as_json) as update:
            cleared[name] = operations.clear(name, progress=update)
        if not as_json:
            click.echo(f"{name}: discarded {output.count(cleared[name], 'job')}")
    if as_json:
        output.print_json({"cleared": cleared})


def print_queues(rows: Sequence[Queue]) -> None:
    if not rows:
        click.echo("None has ready jobs or is paused.")
        return
    output.print_table(
        ["NAME", "SIZE", "LATENCY", "PAUSED SINCE"],
        [
            [queue.name, f"{queue.size:,}", _latency(queue), output.moment(queue.paused_at)]
            for queue in rows
        ],
        right=["SIZE", "LATENCY"],
    )


def as_json(queue: Queue) -> dict[str, Any]:
    return {
        "name": queue.name,
        "size": queue.size,
        "latency": round(queue.latency, 3),
        "paused_at": output.moment_json(queue.paused_at),
    }


def _list(json: bool) -> None:
    options.use()
    if json:
        output.print_json([as_json(queue) for queue in operations.list()])
    else:
        print_queues(operations.list())


def _jobs(names: Sequence[str], sizes: Mapping[str, int], blocked: Mapping[str, int]) -> str:
    ready, waiting = (
        sum(numbers.get(name, 0) for name in dict.fromkeys(names)) for numbers in (sizes, blocked)
    )
    jobs = output.count(ready, "ready job")
    return f"{jobs} and {output.count(waiting, 'blocked job')}" if waiting else jobs


def _latency(queue: Queue) -> str:
    return output.period(queue.latency) if queue.size else ""


def _switch(
    names: Sequence[str], switch: Callable[[str], bool], words: tuple[str, str], json: bool
) -> None:
    """Pause or resume each; `words` say that it was done, and that there was nothing to do."""
    _check(names)
    changed = {name: switch(name) for name in dict.fromkeys(names)}
    if json:
        output.print_json([{"name": name, "changed": did} for name, did in changed.items()])
    else:
        done, nothing = words
        for name, did in changed.items():
            click.echo(f"{output.printable(name)}: {done if did else nothing}")


def _check(names: Sequence[str]) -> None:
    """All names before the first is touched: nothing half done."""
    for name in names:
        check_queue(name)
