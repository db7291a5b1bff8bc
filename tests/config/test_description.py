"""A configuration in readable lines, without its password."""

import pytest

from queuekit.config import Configuration, describe
from tests.config import Load


def test_the_description_shows_everything_but_the_password(load_text: Load) -> None:
    configuration = load_text(
        """
        database_url: postgresql://app:p@ss/w?rd@db/app?sslpassword=hush&x=1
        imports: app.jobs
        workers: [{queues: [a, b*], threads: 5, processes: 2}, {threads: 1}]
        dispatchers: {concurrency_maintenance: false}
        preserve_finished_jobs: false
        """
    )
    assert describe(configuration) == [
        "environment:         development",
        "configuration:       config/queue.yml",
        "database:            postgresql://app:***@db/app?sslpassword=***&x=1 "
        "(from config/queue.yml)",
        "mode:                fork",
        "imports:             app.jobs",
        "worker:              queues a, b*; 5 threads; 2 processes; polling every 0.1 s",
        "worker:              queues *; 1 thread; 1 process; polling every 0.1 s",
        "dispatcher:          polling every 1 s; batches of 500; no concurrency maintenance",
        "heartbeat:           every 60 s; a process is taken for dead after 5 minutes",
        "shutdown timeout:    5 s",
        "finished jobs:       not kept",
        "concurrency limits:  hold a slot for at most 3 minutes unless they say otherwise",
        "recurring tasks:     none, there is no config/recurring.yml",
    ]
    assert "p@ss" not in repr(configuration)


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
