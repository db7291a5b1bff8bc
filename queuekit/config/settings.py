"""The settings themselves: frozen, with Solid Queue's names and its defaults.

Durations are seconds. Nothing here checks anything: `load` is the way to a Configuration that
has been checked, and these classes are what the rest of queuekit reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

DEFAULT_ENVIRONMENT = "development"
DEFAULT_PATH = Path("config/queue.yml")
DEFAULT_RECURRING_PATH = Path("config/recurring.yml")
DEFAULT_DATABASE_URL = "sqlite:///storage/queue.sqlite3"

Mode = Literal["fork", "async"]
OnProcessDeath = Literal["fail", "retry"]
LogFormat = Literal["text", "json"]

MODES: tuple[Mode, ...] = get_args(Mode)
ON_PROCESS_DEATH: tuple[OnProcessDeath, ...] = get_args(OnProcessDeath)
LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """One entry of `workers`. The supervisor forks `processes` workers of this kind.

    Each runs one job on each of its `threads`, and up to `async_concurrency` jobs declared with
    `async def` on one event loop. While its jobs are shorter than a turn, it claims ahead: then it
    has up to `prefetch_limit` jobs claimed for its threads, those that run included.

    A worker that has had `max_jobs`, lived for `max_age` seconds or grown over `max_memory` bytes
    finishes what it runs and is replaced; None is no bound.
    """

    queues: tuple[str, ...] = ("*",)
    threads: int = 3
    processes: int = 1
    polling_interval: float = 0.1
    max_jobs: int | None = None
    max_age: float | None = None
    max_memory: int | None = None
    async_concurrency: int = 100
    prefetch_limit: int = 100

    @property
    def claims(self) -> int:
        """How many jobs a worker may hold at a time, those being settled included."""
        return 2 * (max(self.threads, self.prefetch_limit) + self.async_concurrency)


@dataclass(frozen=True, slots=True)
class DispatcherSettings:
    """One entry of `dispatchers`: one process."""

    polling_interval: float = 1.0
    batch_size: int = 500
    concurrency_maintenance: bool = True
    concurrency_maintenance_interval: float = 600.0


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """The scheduler, of which there is one where there are recurring tasks. Every
    `polling_interval` it looks for dynamic tasks, if these are enabled."""

    polling_interval: float = 5.0
    dynamic_tasks_enabled: bool = False


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A recurring task as its file has it, and the place, unchecked."""

    key: str
    place: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that was configured, and where it came from. Its defaults are what runs
    without any file: one worker and one dispatcher on the embedded database."""

    environment: str = DEFAULT_ENVIRONMENT
    path: Path | None = None
    workers: tuple[WorkerSettings, ...] = (WorkerSettings(),)
    dispatchers: tuple[DispatcherSettings, ...] = (DispatcherSettings(),)
    # Not in the repr: it may hold a password, and a repr ends up in logs and tracebacks.
    database_url: str = field(default=DEFAULT_DATABASE_URL, repr=False)
    database_url_source: str = "default"
    imports: tuple[str, ...] = ()
    mode: Mode = "fork"
    supervisor_pidfile: Path | None = None
    log_format: LogFormat = "text"
    process_heartbeat_interval: float = 60.0
    process_alive_threshold: float = 300.0
    shutdown_timeout: float = 5.0
    # A child that has not come up by then is killed, and another is tried.
    boot_timeout: float = 60.0
    # What a job that is past its own timeout gets to end before its process leaves.
    timeout_grace_period: float = 5.0
    # What becomes of the jobs of a process that died, where a job does not say it itself. One that
    # is retried has failed when it has been through `max_process_deaths`.
    on_process_death: OnProcessDeath = "fail"
    max_process_deaths: int = 3
    preserve_finished_jobs: bool = True
    clear_finished_jobs_after: float = 86400.0
    default_concurrency_control_period: float = 180.0
    silence_polling: bool = True
    # Whether idle processes hear of new jobs, and whoever enqueues tells them. Off, they poll.
    wake_on_enqueue: bool = True
    scheduler: SchedulerSettings = SchedulerSettings()
    recurring_schedule_file: Path | None = None
    skip_recurring: bool = False
    # Where files of Solid Queue had recurring tasks before they got a file of their own.
    tasks_of_dispatchers: tuple[TaskEntry, ...] = field(default=(), hash=False)
    hints: tuple[str, ...] = ()
