"""`bin/jobs show`: one job with its whole history, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from queuekit import application, arguments, jobs, slots
from queuekit.cli import options, output
from queuekit.executions.steps import StoredProgress, StoredStep, progress_of, steps_of
from queuekit.jobs import Attempt
from queuekit.slots import Slot

#: So many holders of slots are named.
_MOST_HOLDERS = 5


@click.command()
@click.argument("job_id")
@options.json_option
@options.common_options
def show(job_id: str, as_json: bool) -> None:
    """Show a job: what it is, and every attempt with how it ended.

    Its steps and its progress are shown, where it has such, and its finished attempts until they
    are cleared.

    \b
    Examples:
      bin/jobs show 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704
      bin/jobs show 0199b2c1-7d53-7cc0-9a3e-5b8f21d6e704 --json | jq .attempts[-1].state
    """
    options.use()
    history = jobs.history(job_id)
    database = application.database()
    steps = steps_of(database, history[-1].job_id)
    progress = progress_of(database, history[-1].job_id)
    if as_json:
        output.print_json(_as_json(history, steps, progress))
    else:
        _print(history, steps, progress)


def _holders(latest: Attempt) -> list[Slot]:
    """Who holds the slots behind which this job is blocked."""
    if latest.state != "blocked" or latest.concurrency_key is None:
        return []
    return slots.holders([latest.concurrency_key], limit=_MOST_HOLDERS)


def _print(
    history: Sequence[Attempt], steps: Sequence[StoredStep], progress: StoredProgress | None
) -> None:
    latest = history[-1]
    _print_job(latest, progress)
    click.echo()
    output.print_arguments(latest.arguments)
    click.echo()
    if steps:
        _print_steps(steps)
        click.echo()
    _print_attempts(history)
    if latest.error is not None:
        click.echo()
        output.print_lines(latest.error.traceback)


def _print_job(latest: Attempt, progress: StoredProgress | None) -> None:
    pairs: list[tuple[str, object]] = [
        ("job id", latest.job_id),
        ("class", latest.class_name),
        ("queue", latest.queue),
        ("priority", latest.priority),
        ("state", latest.outcome or latest.state),
        ("scheduled at", output.moment(latest.scheduled_at)),
    ]
    if latest.process_id is not None:
        pairs.append(("claimed by", _process(latest)))
    if latest.concurrency_key is not None:
        pairs.append(("concurrency key", latest.concurrency_key))
    for holder in _holders(latest):
        name = holder.job_id or f"row {holder.row_id}"
        pairs.append(("blocked behind", f"{name} ({holder.state})"))
    if progress is not None:
        pairs.append(("progress", _progress(progress)))
    output.print_pairs(pairs)


def _progress(progress: StoredProgress) -> str:
    if not progress.total:
        return f"{progress.done:,.15g}"
    share = progress.done / progress.total
    return f"{progress.done:,.15g} of {progress.total:,.15g} ({share:.0%})"


def _process(attempt: Attempt) -> str:
    if attempt.pid is None:
        return f"process {attempt.process_id}, which is not registered any more"
    return f"process {attempt.process_id} (pid {attempt.pid} on {attempt.hostname})"


def _print_steps(steps: Sequence[StoredStep]) -> None:
    output.print_heading("Steps")
    output.print_table(
        ["STEP", "STATE", "CURSOR"],
        [
            [
                step.name,
                "finished" if step.is_finished else "begun",
                "" if step.cursor is None else arguments.describe(step.cursor),
            ]
            for step in steps
        ],
    )


def _print_attempts(history: Sequence[Attempt]) -> None:
    output.print_heading("Attempts")
    output.print_table(
        ["ATTEMPT", "ROW ID", "STATE", "QUEUE", "ENQUEUED AT", "ENDED AT", "ERROR"],
        [
            [
                attempt.attempt,
                attempt.row_id,
                attempt.outcome or attempt.state,
                attempt.queue,
                output.moment(attempt.enqueued_at),
                output.moment(attempt.ended_at),
                "" if attempt.error is None else output.error_line(attempt.error),
            ]
            for attempt in history
        ],
        right=["ATTEMPT", "ROW ID"],
        whole=["ENQUEUED AT", "ENDED AT"],
        fold="ENQUEUED AT",
    )


def _as_json(
    history: Sequence[Attempt], steps: Sequence[StoredStep], progress: StoredProgress | None
) -> dict[str, Any]:
    latest = history[-1]
    return {
        "job_id": latest.job_id,
        "class_name": latest.class_name,
        "arguments": output.arguments_json(latest.arguments),
        "state": latest.state,
        "outcome": latest.outcome,
        "concurrency_key": latest.concurrency_key,
        "blocked_behind": [holder.job_id for holder in _holders(latest)],
        "progress": None if progress is None else _progress_as_json(progress),
        "steps": [
            {
                "name": step.name,
                "is_finished": step.is_finished,
                "cursor": _cursor_as_json(step),
            }
            for step in steps
        ],
        "attempts": [_attempt_as_json(attempt) for attempt in history],
    }


def _progress_as_json(progress: StoredProgress) -> dict[str, Any]:
    return {
        "done": progress.done,
        "total": progress.total,
        "updated_at": output.moment_json(progress.updated_at),
    }


def _cursor_as_json(step: StoredStep) -> Any:
    """It is stored as the one argument."""
    if step.cursor is None:
        return None
    stored = output.arguments_json(step.cursor)
    return stored["args"][0] if isinstance(stored, dict) and stored["args"] else stored


def _attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    error = attempt.error
    return {
        "attempt": attempt.attempt,
        "row_id": attempt.row_id,
        "state": attempt.state,
        "outcome": attempt.outcome,
        "queue": attempt.queue,
        "priority": attempt.priority,
        "executions": attempt.executions,
        "enqueued_at": output.moment_json(attempt.enqueued_at),
        "scheduled_at": output.moment_json(attempt.scheduled_at),
        "claimed_at": output.moment_json(attempt.claimed_at),
        "ended_at": output.moment_json(attempt.ended_at),
        "exception_class": None if error is None else error.exception_class,
        "message": None if error is None else error.message,
        "traceback": None if error is None else error.traceback,
        "process_id": attempt.process_id,
        "pid": attempt.pid,
        "hostname": attempt.hostname,
    }
