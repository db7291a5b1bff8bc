"""`bin/jobs status`: what is running, and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from queuekit.cli import options, output
from queuekit.cli.queues import as_json as queue_as_json
from queuekit.cli.queues import print_queues
from queuekit.status import Process, RunningJob, Status, gather


@click.command()
@options.json_option
@options.common_options
def status(as_json: bool) -> None:
    """Show the processes, the jobs, those that run, and the queues.

    Running are the jobs that workers have claimed, FOR how long, longest first. One that was
    claimed ahead may wait for a thread in its worker, for a second at most; only the worker knows.

    Queues are those with ready jobs or paused; LATENCY is how long the oldest ready job has waited.
    A process whose HEARTBEAT is older than process_alive_threshold is taken for dead.

    \b
    Examples:
      bin/jobs status
      bin/jobs status --json | jq .jobs.failed
      watch bin/jobs status
    """
    configuration = options.use()
    now = gather()
    if as_json:
        output.print_json(_as_json(now))
    else:
        _print_processes(now.processes, configuration.process_alive_threshold)
        _print_jobs(now.jobs)
        if now.running:
            _print_running(now)
        output.print_heading("Queues")
        print_queues(now.queues)


def _print_processes(processes: tuple[Process, ...], threshold: float) -> None:
    output.print_heading("Processes")
    if processes:
        output.print_table(
            ["KIND", "PID", "HOST", "HEARTBEAT", "CLAIMS", "DETAILS"],
            [_process_row(process, threshold) for process in processes],
            right=["PID", "CLAIMS"],
        )
    else:
        click.echo("None: no jobs are being run. Start them with bin/jobs.")
    click.echo()


def _process_row(process: Process, threshold: float) -> list[object]:
    ago = f"{output.period(process.seconds_since_heartbeat)} ago"
    if process.seconds_since_heartbeat > threshold:
        ago += ", dead?"
    return [
        process.kind,
        process.pid,
        process.hostname,
        ago,
        process.claims,
        _details(process.metadata),
    ]


def _details(metadata: Mapping[str, Any]) -> str:
    """`queues *; thread pool size 3; polling interval 0.1`: whatever this kind of process says of
    itself. What is alike for most comes last, where a narrow terminal cuts it off."""
    names = sorted(metadata, key=lambda name: name == "polling_interval")
    return "; ".join(
        f"{name.replace('_', ' ')} {_detail(metadata[name])}"
        for name in names
        if metadata[name] is not None
    )


def _detail(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_detail, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_jobs(jobs: Mapping[str, int]) -> None:
    output.print_heading("Jobs")
    names = [state.upper() for state in jobs]
    output.print_table(names, [[f"{number:,}" for number in jobs.values()]], right=names)
    click.echo()


def _print_running(now: Status) -> None:
    output.print_heading("Running")
    output.print_table(
        ["JOB ID", "CLASS", "QUEUE", "ATTEMPT", "FOR", "PROGRESS"],
        [
            [
                job.job_id,
                job.class_name,
                job.queue,
                job.attempt,
                output.period(job.seconds),
                _progress(job),
            ]
            for job in now.running
        ],
        right=["ATTEMPT"],
        whole=["JOB ID"],
        fold="ATTEMPT",
    )
    others = now.jobs["claimed"] - len(now.running)
    if others > 0:
        click.echo(f"... and {others:,} more, which were claimed later.")
    click.echo()


def _progress(job: RunningJob) -> str:
    if job.done is None:
        return ""
    if not job.total:
        return f"{job.done:,.15g}"
    return f"{job.done:,.15g} of {job.total:,.15g} ({job.done / job.total:.0%})"


def _as_json(now: Status) -> dict[str, Any]:
    return {
        "processes": [
            {
                "id": process.id,
                "kind": process.kind,
                "pid": process.pid,
                "hostname": process.hostname,
                "supervisor_id": process.supervisor_id,
                "seconds_since_heartbeat": round(process.seconds_since_heartbeat, 3),
                "started_at": output.moment_json(process.started_at),
                "claims": process.claims,
                "metadata": process.metadata,
            }
            for process in now.processes
        ],
        "jobs": now.jobs,
        "running": [
            {
                "job_id": job.job_id,
                "class_name": job.class_name,
                "queue": job.queue,
                "attempt": job.attempt,
                "process_id": job.process_id,
                "claimed_at": output.moment_json(job.claimed_at),
                "seconds": round(job.seconds, 3),
                "progress": None if job.done is None else {"done": job.done, "total": job.total},
            }
            for job in now.running
        ],
        "queues": [queue_as_json(queue) for queue in now.queues],
    }
