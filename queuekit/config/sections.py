"""The settings of one environment, as the file has them: its workers, dispatchers and the rest."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict, TypeGuard

from queuekit.config.checking import LONGEST_WAIT, Settings, unfit_module, unfit_url
from queuekit.config.durations import format_duration
from queuekit.config.keys import (
    DISPATCHER,
    SCHEDULER,
    SECTION,
    WORKER,
    why_not_in_a_dispatcher,
    why_not_in_a_section,
    why_not_in_a_worker,
    why_not_in_the_scheduler,
)
from queuekit.config.problems import Problems, in_words
from queuekit.config.queues import parse_queues
from queuekit.config.settings import (
    LOG_FORMATS,
    MODES,
    ON_PROCESS_DEATH,
    Configuration,
    DispatcherSettings,
    SchedulerSettings,
    TaskEntry,
    WorkerSettings,
)
from queuekit.config.substitution import UNUSABLE
from queuekit.config.tasks import task_entries

_MAXIMUM_THREADS = 10_000
_MAXIMUM_ASYNC_CONCURRENCY = 100_000
_MAXIMUM_PREFETCH = 10_000
_MAXIMUM_PROCESSES = 1_000
_MAXIMUM_BATCH_SIZE = 1_000_000
_MAXIMUM_ENTRIES = 1_000
_MAXIMUM_JOBS = 1_000_000_000
_MAXIMUM_DEATHS = 1_000

_RECURRING_HINT = "is read, but recurring tasks belong in a file of their own, config/recurring.yml"

# Less than any worker has when it starts: it would be replaced for ever and never run a job.
_LEAST_MEMORY = 16 * 1024 * 1024

_DEFAULTS = Configuration()
_WORKER = WorkerSettings()
_DISPATCHER = DispatcherSettings()
_SCHEDULER = SchedulerSettings()


def read_section(
    values: Mapping[object, object], place: str, source: str, problems: Problems
) -> Configuration:
    """What the section at `place` in the file `source` sets, over the defaults."""
    section = Settings(values, place, problems)
    section.refuse_unknown(SECTION, why_not_in_a_section)
    workers, dispatchers, tasks = _read_processes(section)
    database_url = _read_database_url(section)
    recurring = section.text("recurring_schedule_file")
    pidfile = section.text("supervisor_pidfile")
    return Configuration(
        workers=workers,
        dispatchers=dispatchers,
        scheduler=_read_scheduler(section),
        tasks_of_dispatchers=tasks,
        database_url=database_url or _DEFAULTS.database_url,
        database_url_source=source if database_url else _DEFAULTS.database_url_source,
        imports=_read_imports(section),
        mode=section.choice("mode", _DEFAULTS.mode, MODES),
        supervisor_pidfile=Path(pidfile) if pidfile else None,
        log_format=section.choice("log_format", _DEFAULTS.log_format, LOG_FORMATS),
        recurring_schedule_file=Path(recurring) if recurring else None,
        skip_recurring=section.flag("skip_recurring", _DEFAULTS.skip_recurring),
        silence_polling=section.flag("silence_polling", _DEFAULTS.silence_polling),
        wake_on_enqueue=section.flag("wake_on_enqueue", _DEFAULTS.wake_on_enqueue),
        preserve_finished_jobs=section.flag(
            "preserve_finished_jobs", _DEFAULTS.preserve_finished_jobs
        ),
        clear_finished_jobs_after=section.duration(
            "clear_finished_jobs_after", _DEFAULTS.clear_finished_jobs_after
        ),
        default_concurrency_control_period=section.duration(
            "default_concurrency_control_period", _DEFAULTS.default_concurrency_control_period
        ),
        **_read_heartbeat(section),
        **_read_timeouts(section),
        on_process_death=section.choice(
            "on_process_death", _DEFAULTS.on_process_death, ON_PROCESS_DEATH
        ),
        max_process_deaths=section.integer(
            "max_process_deaths", _DEFAULTS.max_process_deaths, maximum=_MAXIMUM_DEATHS
        ),
    )


def _read_processes(section: Settings) -> "_Processes":
    """As in Solid Queue, one of the two alone means none of the other; neither means both."""
    if not {"workers", "dispatchers"} & section.values.keys():
        return _Processes(_DEFAULTS.workers, _DEFAULTS.dispatchers, ())
    workers = tuple(_read_worker(entry) for entry in _entries(section, "workers"))
    entries = _entries(section, "dispatchers")
    dispatchers = tuple(_read_dispatcher(entry) for entry in entries)
    return _Processes(workers, dispatchers, _read_tasks_of_dispatchers(entries))


class _Processes(NamedTuple):
    workers: tuple[WorkerSettings, ...]
    dispatchers: tuple[DispatcherSettings, ...]
    tasks: tuple[TaskEntry, ...]


def _entries(section: Settings, name: str) -> list[Settings]:
    """The mappings listed under `name`; a mapping alone is a list of one."""
    value = section.values.get(name, UNUSABLE)
    match value:
        case dict():
            return [Settings(value, section.at(name), section.problems)]
        case list() if 0 < len(value) <= _MAXIMUM_ENTRIES:
            return [
                Settings(entry, f"{section.at(name)}[{index}]", section.problems)
                for index, entry in enumerate(value)
                if _is_mapping(entry, f"{section.at(name)}[{index}]", section.problems)
            ]
        case None | []:
            section.report(name, f"lists none; to run no {name}, remove it and keep the other kind")
        case list():
            section.report(name, f"lists {len(value)}, expected at most {_MAXIMUM_ENTRIES}")
        case _ if value is not UNUSABLE:
            section.mistyped(name, value, "a list of mappings")
    return []


def _is_mapping(entry: object, place: str, problems: Problems) -> TypeGuard[dict[object, object]]:
    if not isinstance(entry, dict) and entry is not UNUSABLE:
        problems.add(place, f"got {in_words(entry)}, expected a mapping")
    return isinstance(entry, dict)


def _read_worker(worker: Settings) -> WorkerSettings:
    worker.refuse_unknown(WORKER, why_not_in_a_worker)
    value = worker.take("queues")
    queues = _WORKER.queues
    if value is not UNUSABLE:
        queues = parse_queues(value, lambda why: worker.report("queues", why))
    return WorkerSettings(
        queues=queues,
        threads=worker.integer("threads", _WORKER.threads, maximum=_MAXIMUM_THREADS),
        async_concurrency=worker.integer(
            "async_concurrency", _WORKER.async_concurrency, maximum=_MAXIMUM_ASYNC_CONCURRENCY
        ),
        prefetch_limit=worker.integer(
            "prefetch_limit", _WORKER.prefetch_limit, minimum=0, maximum=_MAXIMUM_PREFETCH
        ),
        processes=_read_process_count(worker),
        polling_interval=worker.duration(
            "polling_interval", _WORKER.polling_interval, maximum=LONGEST_WAIT
        ),
        max_jobs=worker.integer("max_jobs", _WORKER.max_jobs, maximum=_MAXIMUM_JOBS),
        max_age=worker.duration("max_age", _WORKER.max_age),
        max_memory=worker.size("max_memory", _WORKER.max_memory, minimum=_LEAST_MEMORY),
    )


def _read_process_count(worker: Settings) -> int:
    value = worker.values.get("processes")
    if value == "auto":
        return _cores()
    if isinstance(value, str):
        worker.mistyped("processes", value, "a whole number or auto")
        return _WORKER.processes
    return worker.integer("processes", _WORKER.processes, maximum=_MAXIMUM_PROCESSES)


def _cores() -> int:
    """The cores that this process may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_dispatcher(dispatcher: Settings) -> DispatcherSettings:
    dispatcher.refuse_unknown((*DISPATCHER, "recurring_tasks"), why_not_in_a_dispatcher)
    return DispatcherSettings(
        polling_interval=dispatcher.duration(
            "polling_interval", _DISPATCHER.polling_interval, maximum=LONGEST_WAIT
        ),
        batch_size=dispatcher.integer(
            "batch_size", _DISPATCHER.batch_size, maximum=_MAXIMUM_BATCH_SIZE
        ),
        concurrency_maintenance=dispatcher.flag(
            "concurrency_maintenance", _DISPATCHER.concurrency_maintenance
        ),
        concurrency_maintenance_interval=dispatcher.duration(
            "concurrency_maintenance_interval",
            _DISPATCHER.concurrency_maintenance_interval,
            maximum=LONGEST_WAIT,
        ),
    )


def _read_tasks_of_dispatchers(dispatchers: Sequence[Settings]) -> tuple[TaskEntry, ...]:
    """Dispatchers that share a mapping by an alias share its tasks; each is one task still."""
    tasks: dict[str, TaskEntry] = {}
    for dispatcher in dispatchers:
        value = dispatcher.values.get("recurring_tasks")
        if not value or value is UNUSABLE:
            continue
        place = dispatcher.at("recurring_tasks")
        dispatcher.problems.hint(place, _RECURRING_HINT)
        for entry in task_entries(value, place, dispatcher.problems):
            first = tasks.setdefault(entry.key, entry)
            if first.values != entry.values:
                dispatcher.problems.add(entry.place, f"is another task than {first.place}")
    return tuple(tasks.values())


def _read_scheduler(section: Settings) -> SchedulerSettings:
    value = section.take("scheduler")
    if value is UNUSABLE:
        return _SCHEDULER
    if not isinstance(value, dict):
        section.mistyped("scheduler", value, "a mapping")
        return _SCHEDULER
    scheduler = Settings(value, section.at("scheduler"), section.problems)
    scheduler.refuse_unknown(SCHEDULER, why_not_in_the_scheduler)
    return SchedulerSettings(
        polling_interval=scheduler.duration(
            "polling_interval", _SCHEDULER.polling_interval, maximum=LONGEST_WAIT
        ),
        dynamic_tasks_enabled=scheduler.flag(
            "dynamic_tasks_enabled", _SCHEDULER.dynamic_tasks_enabled
        ),
    )


def _read_database_url(section: Settings) -> str | None:
    url = section.text("database_url")
    if url is not None and (why := unfit_url(url)) is not None:
        section.report("database_url", why)
        return None
    return url


def _read_imports(section: Settings) -> tuple[str, ...]:
    value = section.take("imports")
    if value is UNUSABLE:
        return ()
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        section.mistyped("imports", value, "a list of names of modules")
        return ()
    for name in names:
        if (why := unfit_module(name)) is not None:
            section.report("imports", why)
    return tuple(dict.fromkeys(names))


def _read_heartbeat(section: Settings) -> "_Heartbeat":
    """The two are compared as they will be used, so one may clash with the other's default."""
    interval = section.duration(
        "process_heartbeat_interval", _DEFAULTS.process_heartbeat_interval, maximum=LONGEST_WAIT
    )
    threshold = section.duration("process_alive_threshold", _DEFAULTS.process_alive_threshold)
    if threshold <= interval:
        section.report(
            "process_alive_threshold",
            f"{format_duration(threshold)} is not longer than process_heartbeat_interval, "
            f"{format_duration(interval)}: living processes would be taken for dead",
        )
    return {"process_heartbeat_interval": interval, "process_alive_threshold": threshold}


class _Heartbeat(TypedDict):
    process_heartbeat_interval: float
    process_alive_threshold: float


def _read_timeouts(section: Settings) -> "_Timeouts":
    return {
        "shutdown_timeout": section.duration(
            "shutdown_timeout", _DEFAULTS.shutdown_timeout, maximum=LONGEST_WAIT, zero=True
        ),
        "boot_timeout": section.duration(
            "boot_timeout", _DEFAULTS.boot_timeout, maximum=LONGEST_WAIT
        ),
        "timeout_grace_period": section.duration(
            "timeout_grace_period", _DEFAULTS.timeout_grace_period, maximum=LONGEST_WAIT, zero=True
        ),
    }


class _Timeouts(TypedDict):
    shutdown_timeout: float
    boot_timeout: float
    timeout_grace_period: float
