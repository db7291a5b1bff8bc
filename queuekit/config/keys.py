"""Which setting belongs where, and what to say of one that stands elsewhere.

A key that is right elsewhere, or that Solid Queue has and queuekit does not need, gets a sentence
of its own instead of a guess.
"""

WORKER = (
    "queues",
    "threads",
    "async_concurrency",
    "prefetch_limit",
    "processes",
    "polling_interval",
    "max_jobs",
    "max_age",
    "max_memory",
)
DISPATCHER = (
    "polling_interval",
    "batch_size",
    "concurrency_maintenance",
    "concurrency_maintenance_interval",
)
SCHEDULER = ("polling_interval", "dynamic_tasks_enabled")
SECTION = (
    "workers",
    "dispatchers",
    "scheduler",
    "database_url",
    "imports",
    "mode",
    "supervisor_pidfile",
    "log_format",
    "process_heartbeat_interval",
    "process_alive_threshold",
    "shutdown_timeout",
    "boot_timeout",
    "timeout_grace_period",
    "on_process_death",
    "max_process_deaths",
    "preserve_finished_jobs",
    "clear_finished_jobs_after",
    "default_concurrency_control_period",
    "silence_polling",
    "wake_on_enqueue",
    "recurring_schedule_file",
    "skip_recurring",
)

NOT_NEEDED = {
    "app_executor": "is not needed: jobs run as they are, without an executor around them",
    "connects_to": "is not needed: database_url names the database",
    "logger": "is not needed: queuekit writes to the logger 'queuekit' of Python's logging",
    "on_thread_error": "is not needed: errors in queuekit's own threads are logged",
    "use_skip_locked": "is not needed: queuekit asks the server what it can do",
}


def why_not_in_a_section(key: str) -> str | None:
    if key in WORKER and key in DISPATCHER:
        return "belongs in an entry of workers or of dispatchers, or in scheduler"
    if key in WORKER:
        return "belongs in an entry of workers"
    if key in DISPATCHER:
        return "belongs in an entry of dispatchers"
    if key in SCHEDULER:
        return "belongs in scheduler"
    if key == "recurring_tasks":
        return "belongs in config/recurring.yml, without this key around the tasks"
    return NOT_NEEDED.get(key)


def why_not_in_a_worker(key: str) -> str | None:
    if key in DISPATCHER:
        return "belongs in an entry of dispatchers, workers do not have it"
    return _why_not_in_an_entry(key)


def why_not_in_a_dispatcher(key: str) -> str | None:
    if key in WORKER:
        return "belongs in an entry of workers, dispatchers do not have it"
    return _why_not_in_an_entry(key)


def why_not_in_the_scheduler(key: str) -> str | None:
    if key in SECTION:
        return "belongs beside scheduler, not in it"
    return why_not_in_a_section(key)


def _why_not_in_an_entry(key: str) -> str | None:
    if key in SECTION:
        return "belongs beside workers and dispatchers, not in one of them"
    if key in SCHEDULER:
        return "belongs in scheduler"
    return NOT_NEEDED.get(key)
