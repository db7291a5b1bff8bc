"""A configuration in readable lines, as `bin/jobs check` prints it. Passwords are masked."""

import re
from collections.abc import Iterator

from queuekit.config.durations import format_duration
from queuekit.config.problems import bare
from queuekit.config.settings import (
    Configuration,
    DispatcherSettings,
    Mode,
    SchedulerSettings,
    WorkerSettings,
)
from queuekit.config.sizes import format_size

_MASK = "***"
# Up to the last @: a password may hold one itself, and to mask too much only costs legibility.
_PASSWORD = re.compile(r"(?P<before>://[^:@/?#]*:).*@", re.DOTALL)
_SECRET_OPTION = re.compile(
    r"(?P<before>[?&;][^=&;]*(?:pass|pwd|secret|token)[^=&;]*=)[^&;]*", re.IGNORECASE
)


def describe(configuration: Configuration) -> list[str]:
    """Whatever differs from case to case; `prefetch_limit` and `wake_on_enqueue`, which few ever
    touch, where they are not the default's."""
    return [f"{label + ':':<20} {text}" for label, text in _lines(configuration)]


def _lines(configuration: Configuration) -> Iterator[tuple[str, str]]:
    yield "environment", bare(configuration.environment)
    path = configuration.path
    yield "configuration", bare(str(path)) if path else "the defaults, there is no config/queue.yml"
    url = mask_password(configuration.database_url)
    yield "database", f"{url} (from {configuration.database_url_source})"
    yield "mode", configuration.mode
    if configuration.imports:
        yield "imports", ", ".join(configuration.imports)
    for worker in configuration.workers:
        yield "worker", _worker(worker, configuration.mode)
    for dispatcher in configuration.dispatchers:
        yield "dispatcher", _dispatcher(dispatcher)
    yield from _supervision(configuration)
    yield from _periods(configuration)
    yield "recurring tasks", _recurring(configuration)
    if not configuration.skip_recurring:
        yield "scheduler", _scheduler(configuration.scheduler)
    for hint in configuration.hints:
        yield "hint", hint


def mask_password(url: str) -> str:
    """The URL without its password and without options that sound like secrets."""
    if not url.startswith("sqlite:"):
        url = _PASSWORD.sub(rf"\g<before>{_MASK}@", url, count=1)
    return _SECRET_OPTION.sub(rf"\g<before>{_MASK}", url)


_USUAL_WORKER = WorkerSettings()


def _worker(worker: WorkerSettings, mode: Mode) -> str:
    parts = [f"queues {', '.join(map(bare, worker.queues))}", _count(worker.threads, "thread")]
    parts.append(_count(worker.async_concurrency, "async job"))
    if worker.prefetch_limit != _USUAL_WORKER.prefetch_limit:
        parts.append(f"prefetch limit {worker.prefetch_limit:,}")
    if mode == "fork":
        parts.append(_count(worker.processes, "process", "es"))
    parts.append(f"polling every {format_duration(worker.polling_interval)}")
    if bounds := list(_bounds(worker)):
        parts.append(f"replaced after {' or '.join(bounds)}")
    return "; ".join(parts)


def _bounds(worker: WorkerSettings) -> Iterator[str]:
    if worker.max_jobs is not None:
        yield _count(worker.max_jobs, "job")
    if worker.max_age is not None:
        yield format_duration(worker.max_age)
    if worker.max_memory is not None:
        yield f"growing over {format_size(worker.max_memory)}"


def _dispatcher(dispatcher: DispatcherSettings) -> str:
    if dispatcher.concurrency_maintenance:
        interval = format_duration(dispatcher.concurrency_maintenance_interval)
        maintenance = f"concurrency maintenance every {interval}"
    else:
        maintenance = "no concurrency maintenance"
    return (
        f"polling every {format_duration(dispatcher.polling_interval)}; "
        f"batches of {dispatcher.batch_size}; {maintenance}"
    )


def _supervision(configuration: Configuration) -> Iterator[tuple[str, str]]:
    pidfile = configuration.supervisor_pidfile
    yield "pidfile", bare(str(pidfile)) if pidfile else "none"
    yield "log format", configuration.log_format
    most = f"at most {configuration.max_process_deaths} per job"
    yield (
        "process deaths",
        f"{configuration.on_process_death} the job unless it says otherwise; {most}",
    )


def _periods(configuration: Configuration) -> Iterator[tuple[str, str]]:
    interval = format_duration(configuration.process_heartbeat_interval)
    threshold = format_duration(configuration.process_alive_threshold)
    yield "heartbeat", f"every {interval}; a process is taken for dead after {threshold}"
    yield "shutdown timeout", format_duration(configuration.shutdown_timeout)
    yield "boot timeout", format_duration(configuration.boot_timeout)
    grace = format_duration(configuration.timeout_grace_period)
    yield "timeout grace", f"{grace} for a job past its own timeout to end"
    if configuration.preserve_finished_jobs:
        kept = f"kept for {format_duration(configuration.clear_finished_jobs_after)}"
    else:
        kept = "not kept"
    yield "finished jobs", kept
    period = format_duration(configuration.default_concurrency_control_period)
    if not configuration.wake_on_enqueue:
        yield "waking up", "by polling only, and whoever enqueues tells nobody"
    yield "concurrency limits", f"hold a slot for at most {period} unless they say otherwise"


def _recurring(configuration: Configuration) -> str:
    if configuration.skip_recurring:
        return "skipped"
    sources = [bare(str(path)) for path in [configuration.recurring_schedule_file] if path]
    if configuration.tasks_of_dispatchers:
        sources.append(f"dispatchers in {bare(str(configuration.path))}")
    return " and ".join(sources) or "none, there is no config/recurring.yml"


def _scheduler(scheduler: SchedulerSettings) -> str:
    if not scheduler.dynamic_tasks_enabled:
        return "runs where there are recurring tasks; no dynamic tasks"
    return f"dynamic tasks, polled for every {format_duration(scheduler.polling_interval)}"


def _count(number: int, unit: str, plural: str = "s") -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}{plural}"
