"""A database that is there and of no use: the start ends with one clear line. Later it is waited
for, as long as a silent process would be; then the supervisor ends, as loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from tests.databases import PostgreSQLDatabases, with_database
from tests.servers import Server
from tests.stories.promises import assert_clean_termination, assert_invariant
from tests.stories.support import Application, wait_until

SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")
SQLITE = pytest.mark.databases("sqlite")


def file_of(application: Application) -> Path:
    return Path(application.database_url.removeprefix("sqlite:///"))


def assert_start_is_refused(application: Application, reason: str, *options: str) -> None:
    application.log.write_text("")
    application.launch(*options)

    assert application.wait_for_end() == 1
    (line,) = application.printed().splitlines()
    assert reason in line
    wait_until(lambda: not application.alive(), application, "nothing lives")


@SQLITE
@pytest.mark.parametrize("mode", ["fork", "async"])
def test_a_file_that_is_no_database_ends_the_start(application: Application, mode: str) -> None:
    place = application.folder / "place"
    application.configure(database_url=f"sqlite:///{place}", mode=mode)

    place.mkdir()
    assert_start_is_refused(application, f"{place} is a folder")
    place.rmdir()
    place.write_text("Dear diary, " * 1000)
    assert_start_is_refused(application, "file is not a database")
    assert place.read_text() == "Dear diary, " * 1000
    place.write_bytes(os.urandom(20_000))
    assert_start_is_refused(application, "file is not a database")

    place.write_bytes(b"")  # the beginning of any SQLite file
    application.launch()
    application.wait_until_printed("Starting Worker")
    application.stop()


@SERVERS
@pytest.mark.parametrize("mode", ["fork", "async"])
def test_a_login_that_is_refused_ends_the_start(
    application: Application, server: Server, mode: str
) -> None:
    application.configure(mode=mode)
    nobody = application.database_url.replace("//", "//nobody:tiger@", 1).replace(
        "tiger@postgres@", "tiger@"
    )
    nobody = nobody.replace("tiger@root@", "tiger@")

    assert_start_is_refused(application, "nobody", "--database-url", nobody)
    assert "tiger" not in application.printed()
    nowhere = with_database(application.database_url, "queuekit_nowhere")
    assert_start_is_refused(application, "queuekit_nowhere", "--database-url", nowhere)


@pytest.fixture
def closed_door(application: Application, server: Server) -> Iterator[Door]:
    door = Door(application, server)
    yield door
    door.close()


class Door:
    """A user of the server for the application, who can be locked out and let in again."""

    def __init__(self, application: Application, server: Server) -> None:
        self._server = server
        self._url = application.database_url
        self._is_postgresql = isinstance(server.databases, PostgreSQLDatabases)
        if self._is_postgresql:
            self._say("create role visitor login superuser password 'tiger'")
        else:
            self._say("create user visitor@'%' identified by 'tiger'")
            self._say("grant all on *.* to visitor@'%'")
        address = self._url.partition("@")[2]
        self.url = f"{self._url.partition('://')[0]}://visitor:tiger@{address}"

    def lock(self) -> None:
        self._set_password("another")
        self._end_connections()

    def unlock(self) -> None:
        self._set_password("tiger")

    def close(self) -> None:
        self._end_connections()
        self._say("drop role visitor" if self._is_postgresql else "drop user visitor@'%'")

    def _set_password(self, password: str) -> None:
        if self._is_postgresql:
            self._say(f"alter role visitor password '{password}'")
        else:
            self._say(f"set password for visitor@'%' = password('{password}')")

    def _end_connections(self) -> None:
        if self._is_postgresql:
            self._say(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'visitor'"
            )
        else:
            self._say("kill user visitor@'%'")

    def _say(self, statement: str) -> None:
        with self._server.databases.connection(self._url) as connection:
            connection.execute(statement)


@pytest.mark.databases("postgresql", "mariadb")
def test_a_password_that_is_changed_for_a_while_is_waited_for(
    application: Application, closed_door: Door
) -> None:
    application.configure(
        database_url=closed_door.url, process_heartbeat_interval=0.5, process_alive_threshold=60
    )
    application.start()
    before = [process.id for process in application.processes()]
    application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    closed_door.lock()
    application.open()
    application.wait_until_printed("waits for the database: ", times=4)
    closed_door.unlock()

    application.wait_until_jobs(finished=1)
    application.wait_until_printed("can use the database again", times=4)
    assert [process.id for process in application.processes()] == before
    assert "gives the database up" not in application.printed()
    assert "tiger" not in application.printed()
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("postgresql", "mariadb")
@pytest.mark.parametrize("mode", ["fork", "async"])
def test_a_password_that_stays_changed_ends_the_supervisor(
    application: Application, closed_door: Door, mode: str
) -> None:
    application.configure(
        database_url=closed_door.url,
        process_heartbeat_interval=0.5,
        process_alive_threshold=4,
        shutdown_timeout=1,
        mode=mode,
    )
    application.start()

    closed_door.lock()

    assert application.wait_for_end() == 1
    assert application.printed().count("Supervisor waits for the database: ") == 1
    assert application.printed().count("Supervisor gives the database up, after ") == 1
    assert "visitor" in application.printed().splitlines()[-1]
    assert "Traceback" not in application.printed()
    wait_until(lambda: not application.alive(), application, "nothing lives")
    assert_invariant()


@SQLITE
@pytest.mark.parametrize("mode", ["fork", "async"])
def test_a_file_that_is_damaged_meanwhile_ends_the_supervisor(
    application: Application, mode: str
) -> None:
    application.configure(
        process_heartbeat_interval=0.5, process_alive_threshold=4, shutdown_timeout=1, mode=mode
    )
    application.start()
    queuekit.application.database().disconnect()

    with file_of(application).open("r+b") as file:
        file.write(os.urandom(file_of(application).stat().st_size))
    for path in file_of(application).parent.glob("queue.sqlite3-*"):
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))

    assert application.wait_for_end() == 1
    assert application.printed().count("Supervisor gives the database up, after ") == 1
    wait_until(lambda: not application.alive(), application, "nothing lives")


@SQLITE
def test_a_file_that_is_replaced_is_the_queue_from_then_on(application: Application) -> None:
    application.start()
    queuekit.application.database().disconnect()
    place = file_of(application)
    for path in place.parent.glob("queue.sqlite3*"):
        path.rename(path.with_name(f"old.{path.name}"))

    application.enqueue("jobs.note", "in the new one")

    application.wait_until_ran("in the new one")
    application.wait_until_printed(
        "the file that was open, or its WAL, has been removed or replaced"
    )
    application.stop()
