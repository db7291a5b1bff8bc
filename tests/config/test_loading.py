"""What a good file means, and which source wins over which."""

import os
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from queuekit.config import Configuration, DispatcherSettings, WorkerSettings, load
from tests.config import Load, problems_of

# Without a file


def test_nothing_configured_means_one_worker_and_one_dispatcher(application: Path) -> None:
    configuration = load(environ={})
    assert configuration == Configuration()
    assert configuration.environment == "development"
    assert configuration.workers == (
        WorkerSettings(queues=("*",), threads=3, processes=1, polling_interval=0.1),
    )
    assert configuration.dispatchers == (
        DispatcherSettings(
            polling_interval=1,
            batch_size=500,
            concurrency_maintenance=True,
            concurrency_maintenance_interval=600,
        ),
    )
    assert configuration.database_url == "sqlite:///storage/queue.sqlite3"
    assert configuration.database_url_source == "default"


def test_a_configuration_is_frozen_and_hashable(application: Path) -> None:
    configuration = load(environ={})
    with pytest.raises(FrozenInstanceError):
        configuration.mode = "fork"  # type: ignore[misc]
    assert hash(configuration) == hash(Configuration())


# Good files: the text, and what differs from the defaults

A, B = WorkerSettings(queues=("a",)), WorkerSettings(queues=("b",))

GOOD: dict[str, tuple[str, dict[str, object]]] = {
    "a section for the environment": (
        "development: {workers: [{queues: a}, {queues: b}]}",
        {"workers": (A, B), "dispatchers": ()},
    ),
    "the whole file for every environment": (
        "workers: [{queues: a}]",
        {"workers": (A,), "dispatchers": ()},
    ),
    "dispatchers alone run no workers": (
        "dispatchers: [{polling_interval: 2, batch_size: 10}]",
        {"workers": (), "dispatchers": (DispatcherSettings(polling_interval=2, batch_size=10),)},
    ),
    "neither runs both": ("shutdown_timeout: 30", {"shutdown_timeout": 30.0}),
    "an explicitly empty section": ("development: {}", {}),
    "a mapping in place of a list of one": (
        "workers: {queues: a}",
        {"workers": (A,), "dispatchers": ()},
    ),
    "anchors, aliases and merge keys": (
        """
        default: &default
          workers: [{queues: a}]
          shutdown_timeout: 9
        production: {workers: 17}
        development:
          <<: *default
          shutdown_timeout: 0
        """,
        {"workers": (A,), "dispatchers": (), "shutdown_timeout": 0.0},
    ),
    "every setting of a dispatcher": (
        """
        dispatchers:
          - polling_interval: 250ms
            batch_size: 1
            concurrency_maintenance: false
            concurrency_maintenance_interval: 300
        """,
        {"workers": (), "dispatchers": (DispatcherSettings(0.25, 1, False, 300.0),)},
    ),
    "every setting of a worker": (
        """
        workers:
          - queues: a
            threads: 1000
            processes: 2
            polling_interval: 1
            max_jobs: 1000
            max_age: 12 hours
            max_memory: 1.5 GiB
            async_concurrency: 5000
        """,
        {
            "workers": (WorkerSettings(("a",), 1000, 2, 1.0, 1000, 43200.0, 1610612736, 5000),),
            "dispatchers": (),
        },
    ),
    "every setting of a section": (
        """
        development:
          database_url: postgresql://localhost/app
          imports: [app.jobs, lib.jobs]
          mode: async
          supervisor_pidfile: tmp/jobs.pid
          log_format: json
          on_process_death: retry
          max_process_deaths: 5
          boot_timeout: 2 minutes
          timeout_grace_period: 0
          process_heartbeat_interval: 10
          process_alive_threshold: 1 minute
          shutdown_timeout: 90s
          preserve_finished_jobs: false
          clear_finished_jobs_after: 2 weeks
          default_concurrency_control_period: 1.hour
          silence_polling: no
          skip_recurring: yes
        """,
        {
            "database_url": "postgresql://localhost/app",
            "database_url_source": "config/queue.yml",
            "imports": ("app.jobs", "lib.jobs"),
            "mode": "async",
            "supervisor_pidfile": Path("tmp/jobs.pid"),
            "log_format": "json",
            "on_process_death": "retry",
            "max_process_deaths": 5,
            "boot_timeout": 120.0,
            "timeout_grace_period": 0.0,
            "process_heartbeat_interval": 10.0,
            "process_alive_threshold": 60.0,
            "shutdown_timeout": 90.0,
            "preserve_finished_jobs": False,
            "clear_finished_jobs_after": 1209600.0,
            "default_concurrency_control_period": 3600.0,
            "silence_polling": False,
            "skip_recurring": True,
        },
    ),
    "a byte order mark": ("\ufeffshutdown_timeout: 1", {"shutdown_timeout": 1.0}),
}


@pytest.mark.parametrize(("text", "fields"), GOOD.values(), ids=GOOD.keys())
def test_a_good_file(load_text: Load, text: str, fields: dict[str, Any]) -> None:
    assert load_text(text) == replace(Configuration(path=Path("config/queue.yml")), **fields)


@pytest.mark.parametrize(
    ("queues", "expected"),
    [
        ('"*"', ("*",)),
        ("background", ("background",)),
        ("background, backend", ("background", "backend")),
        ("[ real_time, background ]", ("real_time", "background")),
        ("[ staging*, background ]", ("staging*", "background")),
        ('[ real_time, "*" ]', ("*",)),
        ("é" * 191, ("é" * 191,)),
    ],
)
def test_queues_keep_their_order(load_text: Load, queues: str, expected: tuple[str, ...]) -> None:
    assert load_text(f"workers:\n  - queues: {queues}").workers[0].queues == expected


def test_auto_is_one_process_per_core(load_text: Load) -> None:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    assert load_text("workers: {processes: auto}").workers[0].processes == cores


# Substitution


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("${THREADS:-3}", {}, 3),
        ("${THREADS:-3}", {"THREADS": "7"}, 7),
        ("${THREADS:-3}", {"THREADS": ""}, 3),
        ('"${THREADS}"', {"THREADS": "7"}, 7),
    ],
)
def test_a_text_that_is_one_substitution_gets_its_type_from_the_value(
    load_text: Load, text: str, environ: dict[str, str], expected: int
) -> None:
    configuration = load_text(f"workers:\n  - threads: {text}", environ=environ)
    assert configuration.workers[0].threads == expected


def test_substitution_happens_inside_texts_and_can_be_escaped(load_text: Load) -> None:
    text = "database_url: postgresql://${HOST}/${NAME:-queue}?application_name=$${HOST}$5"
    configuration = load_text(text, environ={"HOST": "db"})
    assert configuration.database_url == "postgresql://db/queue?application_name=${HOST}$5"


def test_a_value_cannot_add_structure(load_text: Load) -> None:
    environ = {"QUEUE": "a}]\nthreads: 9"}
    configuration = load_text("workers:\n  - queues: ${QUEUE}", environ=environ)
    assert configuration.workers == (WorkerSettings(queues=("a}]\nthreads: 9",)),)


def test_an_unset_variable_of_another_environment_does_no_harm(load_text: Load) -> None:
    text = "production: {database_url: '${DATABASE_URL}'}\ndevelopment: {}"
    load_text(text)
    assert problems_of(load_text, text, environment="production") == [
        "config/queue.yml: production.database_url: ${DATABASE_URL} is not set and has no "
        "default; set it or write ${DATABASE_URL:-default}"
    ]


# Sources and their precedence


def test_arguments_win_over_variables_over_the_file(load_text: Load) -> None:
    text = "other: {database_url: 'mysql://file/', skip_recurring: true, imports: [a, b]}"
    environ = {"QUEUEKIT_ENV": "other"}
    in_file = load_text(text, environ=environ)
    assert (in_file.database_url, in_file.skip_recurring) == ("mysql://file/", True)

    environ |= {"QUEUEKIT_DATABASE_URL": "mysql://env/", "QUEUEKIT_SKIP_RECURRING": "0"}
    in_environ = load_text(text, environ=environ)
    assert (in_environ.database_url, in_environ.skip_recurring) == ("mysql://env/", False)
    assert in_environ.database_url_source == "QUEUEKIT_DATABASE_URL"

    environ |= {"QUEUEKIT_ENV": "unknown"}
    options: dict[str, Any] = {"database_url": "mysql://arg/", "skip_recurring": True}
    argued = load_text(text, environ=environ, environment="other", **options)
    assert (argued.database_url, argued.skip_recurring) == ("mysql://arg/", True)
    assert (argued.database_url_source, argued.environment) == ("--database-url", "other")


def test_so_it_is_with_how_processes_are_supervised(load_text: Load) -> None:
    text = "mode: async\nsupervisor_pidfile: file.pid\nlog_format: json"
    environ = {
        "QUEUEKIT_SUPERVISOR_MODE": "fork",
        "QUEUEKIT_SUPERVISOR_PIDFILE": "env.pid",
        "QUEUEKIT_LOG_FORMAT": "text",
    }
    options = {"mode": "async", "pidfile": "arg.pid", "log_format": "json"}

    def supervision(configuration: Configuration) -> tuple[str, Path | None, str]:
        file = configuration.supervisor_pidfile
        return configuration.mode, file, configuration.log_format

    assert supervision(load_text(text)) == ("async", Path("file.pid"), "json")
    assert supervision(load_text(text, environ=environ)) == ("fork", Path("env.pid"), "text")
    argued = load_text(text, environ=environ, **options)
    assert supervision(argued) == ("async", Path("arg.pid"), "json")


def test_several_processes_are_no_problem_for_async_but_worth_a_hint(load_text: Load) -> None:
    text = "workers: [{queues: a}, {queues: b, processes: 2}]"
    assert load_text(text).hints == ()
    assert load_text(text, mode="async").hints == (
        "mode: async ignores processes: each entry of workers is one worker of this process",
    )
    assert load_text("workers: {threads: 9}", mode="async").hints == ()


def test_imports_add_up(load_text: Load) -> None:
    assert load_text("imports: 'a, b'", imports=["c", "a"]).imports == ("a", "b", "c")


def test_variables_that_are_empty_count_as_unset(application: Path) -> None:
    names = ("ENV", "CONFIG", "DATABASE_URL", "RECURRING_SCHEDULE", "SKIP_RECURRING")
    others = ("SUPERVISOR_MODE", "SUPERVISOR_PIDFILE", "LOG_FORMAT")
    environ = {f"QUEUEKIT_{name}": "" for name in (*names, *others)}
    assert load(environ=environ) == Configuration()


def test_another_file_is_chosen_by_argument_or_variable(application: Path) -> None:
    Path("a.yml").write_text("shutdown_timeout: 1")
    Path("b.yml").write_text("shutdown_timeout: 2")
    environ = {"QUEUEKIT_CONFIG": "a.yml"}
    assert load(environ=environ).shutdown_timeout == 1
    assert load(path=Path("b.yml"), environ=environ).shutdown_timeout == 2


def test_a_problem_outside_the_file_names_its_source(load_text: Load) -> None:
    environ = {
        "QUEUEKIT_DATABASE_URL": "postgresql://app:secret@db/app\n",
        "QUEUEKIT_RECURRING_SCHEDULE": "nowhere.yml",
        "QUEUEKIT_SUPERVISOR_MODE": "both",
        "QUEUEKIT_SUPERVISOR_PIDFILE": "jobs.pid ",
        "QUEUEKIT_LOG_FORMAT": "xml",
    }
    assert problems_of(load_text, "modes: 1", environ=environ, imports=["a-b"]) == [
        "config/queue.yml: modes is not a setting; did you mean mode?",
        "--import: 'a-b' is not the name of a module; expected one such as app.jobs",
        "QUEUEKIT_SUPERVISOR_MODE: got the text 'both', expected fork or async",
        "QUEUEKIT_SUPERVISOR_PIDFILE: begins or ends with a space or a line break",
        "QUEUEKIT_LOG_FORMAT: got the text 'xml', expected text or json",
        "QUEUEKIT_DATABASE_URL: begins or ends with a space or a line break",
        "nowhere.yml: there is no such file (named by QUEUEKIT_RECURRING_SCHEDULE)",
    ]
    environ = {"QUEUEKIT_SKIP_RECURRING": "perhaps", "QUEUEKIT_CONFIG": "no.yml"}
    assert problems_of(load, environ=environ, environment="", mode="thread") == [
        "environment: is empty",
        "no.yml: there is no such file (named by QUEUEKIT_CONFIG)",
        "--mode: got the text 'thread', expected fork or async",
        "QUEUEKIT_SKIP_RECURRING: got the text 'perhaps', expected true or false",
    ]
