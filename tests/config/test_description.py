"""A configuration in readable lines, without its password."""

import pytest

from queuekit.config import Configuration, describe
from tests.config import Load


def test_the_description_shows_everything_but_the_password(load_text: Load) -> None:
    configuration = load_text(
        """
        database_url: postgresql://app:p@ss/w?rd@db/app?sslpassword=hush&x=1
        imports: app.jobs
        workers:
          - {queues: [a, b*], threads: 5, processes: 2, max_jobs: 1, max_age: 1d, max_memory: 2GB,
            async_concurrency: 7, prefetch_limit: 20}
          - {threads: 1, max_memory: 1.5 GiB}
        dispatchers: {concurrency_maintenance: false}
        preserve_finished_jobs: false
        supervisor_pidfile: tmp/jobs.pid
        on_process_death: retry
        """
    )
    assert describe(configuration) == [
        "environment:         development",
        "configuration:       config/queue.yml",
        "database:            postgresql://app:***@db/app?sslpassword=***&x=1 "
        "(from config/queue.yml)",
        "mode:                fork",
        "imports:             app.jobs",
        "worker:              queues a, b*; 5 threads; 7 async jobs; prefetch limit 20; "
        "2 processes; polling every 0.1 s; replaced after 1 job or 1 day or growing over 2 GB",
        "worker:              queues *; 1 thread; 100 async jobs; 1 process; polling every 0.1 s; "
        "replaced after growing over 1536 MiB",
        "dispatcher:          polling every 1 s; batches of 500; no concurrency maintenance",
        "pidfile:             tmp/jobs.pid",
        "log format:          text",
        "process deaths:      retry the job unless it says otherwise; at most 3 per job",
        "heartbeat:           every 60 s; a process is taken for dead after 5 minutes",
        "shutdown timeout:    5 s",
        "boot timeout:        60 s",
        "timeout grace:       5 s for a job past its own timeout to end",
        "finished jobs:       not kept",
        "concurrency limits:  hold a slot for at most 3 minutes unless they say otherwise",
        "recurring tasks:     none, there is no config/recurring.yml",
        "scheduler:           runs where there are recurring tasks; no dynamic tasks",
    ]
    assert "p@ss" not in repr(configuration)


def test_async_has_no_processes_to_describe(load_text: Load) -> None:
    lines = describe(load_text("mode: async\nworkers: {processes: 3}"))
    assert "mode:                async" in lines
    assert "worker:              queues *; 3 threads; 100 async jobs; polling every 0.1 s" in lines
    assert lines[-1].startswith("hint:                mode: async ignores processes")


def test_what_few_ever_touch_is_described_where_somebody_has(load_text: Load) -> None:
    usual = describe(load_text("workers: {prefetch_limit: 100}\nwake_on_enqueue: true"))
    assert not any("prefetch" in line or line.startswith("waking up") for line in usual)

    lines = describe(load_text("workers: {prefetch_limit: 0}\nwake_on_enqueue: false"))
    assert "waking up:           by polling only, and whoever enqueues tells nobody" in lines
    assert any("; prefetch limit 0; " in line for line in lines)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:SECRET@db/app",
        "postgresql://:SECRET@db/app",
        "mysql://app:SECRET/with@signs?and:more@db:3306/app",
        "postgresql:///app?host=/run&PassWord=SECRET",
        "mysql://db/app?user=a&ssl_key_password=SECRET#x",
    ],
)
def test_no_password_is_ever_described(url: str) -> None:
    assert "SECRET" not in "\n".join(describe(Configuration(database_url=url)))


def test_a_path_of_sqlite_is_no_password() -> None:
    lines = describe(Configuration(database_url="sqlite:///a:b@c.sqlite3"))
    assert any("sqlite:///a:b@c.sqlite3" in line for line in lines)
