"""What the other tests may rely on: throwaway servers that live, die and come back as told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.clusters import Cluster
from tests.databases import PostgreSQLDatabases
from tests.servers import CLUSTERS, Server

SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")

MAKER = """
import sys, time
from tests.servers import CLUSTERS
server = CLUSTERS[sys.argv[1]]()
server.start()
print(server.pid, server.folder, flush=True)
time.sleep(600)
"""


def test_a_server_answers_on_its_port_and_on_its_socket(killable_server: Cluster) -> None:
    server = killable_server

    assert server.databases.version().lower().startswith(server.product)
    if isinstance(server.databases, PostgreSQLDatabases):
        psycopg.connect(host=str(server.socket), port=server.port, user="postgres").close()
    else:
        pymysql.connect(unix_socket=str(server.socket), user="root").close()


def test_what_was_committed_outlives_a_kill(killable_server: Cluster) -> None:
    assert_commit_outlives_kill(killable_server)


@SERVERS
@pytest.mark.long
def test_what_was_committed_outlives_a_kill_of_a_durable_server(product: str) -> None:
    with CLUSTERS[product](durable=True) as server:
        assert_commit_outlives_kill(server)


def test_a_restarted_server_keeps_its_port(killable_server: Cluster) -> None:
    before = killable_server.pid

    killable_server.restart()

    assert killable_server.pid != before
    assert killable_server.version()


@SERVERS
def test_two_databases_are_separate(server: Server, two_urls: tuple[str, str]) -> None:
    one, other = two_urls

    write(server, one, "create table queuekit_notes (id integer primary key)")
    write(server, other, "create table queuekit_notes (id integer primary key)")
    write(server, one, "insert into queuekit_notes values (1)")

    assert rows(server, one, "queuekit_notes") == 1
    assert rows(server, other, "queuekit_notes") == 0


@SERVERS
def test_emptying_keeps_the_migrations_and_waits_for_nobody(server: Server, empty_url: str) -> None:
    write(server, empty_url, "create table queuekit_schema_migrations (id integer primary key)")
    write(server, empty_url, "create table queuekit_jobs (id integer primary key)")
    write(server, empty_url, "insert into queuekit_schema_migrations values (1)")
    write(server, empty_url, "insert into queuekit_jobs values (1), (2)")

    with server.databases.connection(empty_url) as forgotten:
        forgotten.execute("begin")
        forgotten.execute("insert into queuekit_jobs values (3)")
        server.databases.empty(empty_url)
        with pytest.raises(server.databases.refusals):
            forgotten.execute("commit")

    assert rows(server, empty_url, "queuekit_schema_migrations") == 1
    assert rows(server, empty_url, "queuekit_jobs") == 0


@pytest.mark.databases("postgresql", "mariadb")
def test_a_server_ends_with_its_killed_maker(product: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, product], stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        pid, folder = maker.stdout.readline().split()
        assert is_alive(int(pid))

        maker.kill()

    wait_until(lambda: not Path(folder).exists())
    assert not is_alive(int(pid))


@pytest.mark.databases("postgresql")
def test_a_forked_child_leaves_its_parents_server_alone(killable_server: Cluster) -> None:
    child = "import os, sys\nif os.fork() == 0: sys.exit()\nos.wait()\nprint(server.version())\n"
    code = MAKER.replace("time.sleep(600)\n", child)

    output = subprocess.check_output([sys.executable, "-c", code, killable_server.product])

    assert output.splitlines()[-1].decode() == killable_server.version()


def assert_commit_outlives_kill(server: Cluster) -> None:
    url = server.create_database("killed")
    write(server, url, "create table notes (id integer primary key)")
    for number in range(50):
        write(server, url, f"insert into notes values ({number})")

    server.kill()
    assert not server.running
    server.start()

    assert rows(server, url, "notes") == 50
    server.drop_database("killed")


@pytest.fixture
def two_urls(server: Server) -> Iterator[tuple[str, str]]:
    names = f"queuekit_one_{os.getpid()}", f"queuekit_other_{os.getpid()}"
    yield server.create_database(names[0]), server.create_database(names[1])
    for name in names:
        server.drop_database(name)


def write(server: Server, url: str, statement: str) -> None:
    with server.databases.connection(url) as connection:
        connection.execute(statement)


def rows(server: Server, url: str, table: str) -> int:
    with server.databases.connection(url) as connection:
        cursor = connection.execute(f"select count(*) from {table}")
        (count,) = (connection if isinstance(cursor, int) else cursor).fetchone()
    return int(count)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
