"""`bin/jobs limits`: list the keys of concurrency limits, show one, release a slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from queuekit import slots as operations
from queuekit.cli import options, output
from queuekit.slots import BlockedJob, Key, Released, Slot

#: How many keys are listed.
_LIMIT = 100

#: How many slots and blocked jobs of one key are shown.
_FEW = 20

#: How many slots are listed with the keys.
_MOST_SLOTS = 1_000

_blocked_option = click.option(
    "--blocked", is_flag=True, help="Only keys behind which jobs are blocked."
)


class _Limits(click.Group):
    """`limits KEY` is `limits show KEY`: every key has a slash, between its group and its value."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if "/" in args[0] and args[0] not in self.commands:
            return "show", show, args
        return super().resolve_command(ctx, args)


@click.group(cls=_Limits, invoke_without_command=True, subcommand_metavar="[KEY | COMMAND ...]")
@_blocked_option
@click.option("--limit", type=click.IntRange(min=1), metavar="INTEGER", help="At most so many.")
@options.json_option
@options.common_options
@click.pass_context
def limits(context: click.Context, blocked: bool, limit: int | None, as_json: bool) -> None:
    """Show who holds slots of limits and who waits; free one by hand.

    Without a command: list; with a key: show.

    \b
    Examples:
      bin/jobs limits
      bin/jobs limits --blocked
      bin/jobs limits exports/7
      bin/jobs limits release 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, blocked=blocked, limit=limit or _LIMIT, as_json=as_json)
    elif blocked or limit is not None or as_json:
        raise click.UsageError("Options stand behind the command: limits list --json")


@limits.command("list")
@_blocked_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="At most so many keys.",
)
@options.json_option
@options.common_options
def list_(blocked: bool, limit: int, as_json: bool) -> None:
    """Show the keys that jobs use, and who holds their slots.

    HELD are the slots that count, of SLOTS that there are; EXPIRED are those of jobs that were
    claimed for longer than their limit's duration, which do not; BLOCKED jobs wait for a slot.
    A job takes its slot when it gets ready. The slot expires so long after the claim.

    \b
    Examples:
      bin/jobs limits list --blocked
      bin/jobs limits list --limit 1000 --json | jq -r '.[] | select(.expired > 0).key'
    """
    options.use()
    found = operations.list(blocked=blocked, limit=limit + 1)
    keys = found[:limit]
    held = operations.holders([key.key for key in keys], limit=_MOST_SLOTS)
    if as_json:
        by_key = {key.key: list[Slot]() for key in keys}
        for slot in held:
            by_key[slot.key].append(slot)
        output.print_json([_key_as_json(key, by_key[key.key]) for key in keys])
    elif keys:
        _print_keys(keys)
        _print_slots(held, sum(key.held + key.expired for key in keys), with_keys=True)
        if len(found) > limit:
            click.echo(f"There are more than these {limit:,} keys; --limit shows more.", err=True)
    else:
        click.echo("No jobs are blocked." if blocked else "No job holds a slot, none is blocked.")


@limits.command()
@click.argument("key")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_FEW,
    show_default=True,
    help="At most so many slots, and blocked jobs.",
)
@options.json_option
@options.common_options
def show(key: str, limit: int, as_json: bool) -> None:
    """Show a key: who holds its slots, and who is blocked behind them.

    Blocked jobs stand in the order in which they come in. The command's name may be left out.

    \b
    Examples:
      bin/jobs limits show exports/7
      bin/jobs limits exports/7 --json | jq -r '.holders[].job_id'
    """
    options.use()
    shown = operations.show(key)
    held = operations.holders([key], limit=limit)
    blocked = operations.blocked(key, limit=limit)
    if as_json:
        waiting = [_blocked_as_json(job) for job in blocked]
        output.print_json(_key_as_json(shown, held) | {"first_blocked": waiting})
    elif held or blocked:
        _print_key(shown)
        _print_slots(held, shown.held + shown.expired, with_keys=False)
        _print_blocked(blocked, shown.blocked)
    else:
        click.echo(f"No job holds a slot of {output.printable(key)}, none is blocked behind it.")


@limits.command()
@click.argument("job_id")
@options.json_option
@options.common_options
def release(job_id: str, as_json: bool) -> None:
    """Free the slot of a job by hand, and let the next one in.

    The job goes on all the same: while it does, one more of its key may run than the limit says.
    To be rid of a job that does not run yet, discard it: bin/jobs discard.

    \b
    Example:
      bin/jobs limits release 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
    """
    options.use()
    released = operations.release(job_id)
    if as_json:
        output.print_json(_released_as_json(job_id, released))
    else:
        _say_released(job_id, released)


def _say_released(job_id: str, released: Released) -> None:
    key = output.printable(released.key)
    ready = [f"job {other} is ready now" for other in released.ready]
    click.echo("; ".join([f"released the slot of job {job_id} of {key}", *ready]))
    doing = {"claimed": "still running", "ready": "ready, and is going to run"}.get(released.state)
    if doing is not None:
        click.echo(
            f"Warning: job {job_id} is {doing}: until it has ended, "
            f"one more job of {key} may run at once",
            err=True,
        )


def _print_keys(keys: Sequence[Key]) -> None:
    output.print_table(
        ["KEY", "SLOTS", "HELD", "EXPIRED", "BLOCKED"],
        [
            [key.key, f"{key.slots:,}", f"{key.held:,}", f"{key.expired:,}", f"{key.blocked:,}"]
            for key in keys
        ],
        right=["SLOTS", "HELD", "EXPIRED", "BLOCKED"],
    )


def _print_key(key: Key) -> None:
    output.print_pairs(
        [
            ("key", key.key),
            ("slots", "" if key.slots is None else f"{key.slots:,}"),
            ("held", f"{key.held:,}"),
            ("expired", f"{key.expired:,}"),
            ("blocked", f"{key.blocked:,}"),
        ]
    )


def _print_slots(held: Sequence[Slot], number: int, *, with_keys: bool) -> None:
    if not held:
        return
    click.echo()
    output.print_heading("Slots")
    first = ["KEY"] if with_keys else []
    output.print_table(
        [*first, "JOB ID", "CLASS", "STATE", "SINCE", "EXPIRES", "PROCESS"],
        [
            [
                *([slot.key] if with_keys else []),
                slot.job_id or f"row {slot.row_id}",
                slot.class_name or "",
                slot.state,
                output.moment(slot.since),
                _expiry(slot),
                _process(slot),
            ]
            for slot in held
        ],
        whole=["JOB ID"],
        fold="STATE",
    )
    _say_how_many_more(number - len(held))


def _print_blocked(blocked: Sequence[BlockedJob], number: int) -> None:
    if not blocked:
        return
    click.echo()
    output.print_heading("Blocked")
    output.print_table(
        ["JOB ID", "CLASS", "QUEUE", "PRIORITY", "SINCE"],
        [
            [
                job.job_id or f"row {job.row_id}",
                job.class_name or "",
                job.queue,
                job.priority,
                output.moment(job.since),
            ]
            for job in blocked
        ],
        right=["PRIORITY"],
        whole=["JOB ID"],
        fold="QUEUE",
    )
    _say_how_many_more(number - len(blocked))


def _say_how_many_more(others: int) -> None:
    if others > 0:
        click.echo(f"... and {others:,} more.")


def _expiry(slot: Slot) -> str:
    return "expired" if slot.is_expired else output.moment(slot.expires_at)


def _process(slot: Slot) -> str:
    if slot.process_id is None:
        return ""
    if slot.pid is None:
        return f"{slot.process_id}, not registered any more"
    return f"{slot.process_id} (pid {slot.pid} on {slot.hostname})"


def _key_as_json(key: Key, held: Sequence[Slot]) -> dict[str, Any]:
    return {
        "key": key.key,
        "slots": key.slots,
        "held": key.held,
        "expired": key.expired,
        "blocked": key.blocked,
        "holders": [_slot_as_json(slot) for slot in held],
    }


def _slot_as_json(slot: Slot) -> dict[str, Any]:
    return {
        "job_id": slot.job_id,
        "row_id": slot.row_id,
        "class_name": slot.class_name,
        "queue": slot.queue,
        "state": slot.state,
        "since": output.moment_json(slot.since),
        "expires_at": output.moment_json(slot.expires_at),
        "is_expired": slot.is_expired,
        "process_id": slot.process_id,
        "pid": slot.pid,
        "hostname": slot.hostname,
    }


def _blocked_as_json(job: BlockedJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "row_id": job.row_id,
        "class_name": job.class_name,
        "queue": job.queue,
        "priority": job.priority,
        "since": output.moment_json(job.since),
    }


def _released_as_json(job_id: str, released: Released) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "key": released.key,
        "state": released.state,
        "ready": list(released.ready),
    }
