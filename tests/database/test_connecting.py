"""Getting connected, or being told why not: options, drivers, versions, passwords, places."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pymysql
import pytest

import queuekit
from queuekit import (
    ConfigurationError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    EnqueueError,
    UnsupportedServerError,
    application,
)
from queuekit.database import mysql, open_database, postgresql, prepare, sqlite
from queuekit.database.url import parse
from tests.clusters import Cluster
from tests.databases import PostgreSQLDatabases, with_database
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, claim, counts, in_use, misplaced, register
from tests.janitor import free_port
from tests.servers import Server

SERVERS = pytest.mark.databases("postgresql", "mariadb", "mysql")
MYSQL = pytest.mark.databases("mariadb", "mysql")
PASSWORD = "ti/g:e@r %#"
ESCAPED = "ti%2Fg%3Ae%40r%20%25%23"


# Options


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize(
    ("option", "schema"),
    [
        ("schema=jobs", "jobs"),
        ("search_path=jobs", "jobs"),
        ("search_path=jobs,public", "jobs"),
        ("schema=Jobs", "jobs"),
        ('schema="Jobs"', "Jobs"),
        ("schema=%22my+jobs%22", "my jobs"),
    ],
)
def test_a_schema_is_made_and_used(empty_url: str, option: str, schema: str) -> None:
    url = f"{empty_url}?{option}"
    prepare(url)

    with in_use(url):
        note.enqueue()
        assert counts() == {"ready": 1}
        assert ask(
            "select distinct schemaname::text from pg_tables where tablename like 'queuekit%'"
        ) == [(schema,)]
    with in_use(empty_url), pytest.raises(queuekit.NotPreparedError):
        counts()


@pytest.mark.databases("postgresql")
def test_two_schemas_are_two_queues(empty_url: str) -> None:
    one, other = f"{empty_url}?schema=one", f"{empty_url}?schema=other"
    prepare(one)
    prepare(other)
    with in_use(one):
        note.enqueue()
    with in_use(other):
        assert counts() == {}


@pytest.mark.databases("postgresql")
def test_any_parameter_of_libpq_may_stand_in_the_url(database_url: str) -> None:
    with in_use(f"{database_url}?application_name=shop&options=-cwork_mem%3D1234kB&schema=public"):
        assert ask("select current_setting('application_name'), current_setting('work_mem')") == [
            ("shop", "1234kB")
        ]
        assert ask("select current_setting('search_path')") == [("public",)]
    with in_use(database_url):
        assert ask("select current_setting('application_name')") == [("queuekit",)]


@pytest.mark.databases("postgresql")
def test_an_option_that_libpq_cannot_use_is_a_configuration_error(database_url: str) -> None:
    for option in ("sslmode=perhaps", "connect_timeout=soon", "channel_binding=x"):
        with pytest.raises(ConfigurationError, match=option.partition("=")[0]):
            open_database(f"{database_url}?{option}").connect()


@SERVERS
def test_a_server_can_be_reached_through_its_socket(server: Server, database_url: str) -> None:
    if not isinstance(server, Cluster):
        pytest.skip("the server that was given has a socket nobody knows of")
    url = parse(database_url)
    if server.product == "postgresql":
        text = f"postgresql://{url.user}@/{url.database}?host={server.socket}&port={server.port}"
    else:
        text = f"mysql://{url.user}@/{url.database}?socket={server.socket}"

    with in_use(text):
        note.enqueue()
        assert counts() == {"ready": 1}


@SERVERS
def test_time_in_a_session_is_no_matter(database_url: str, server: Server) -> None:
    """A server or user may have a time zone of its own."""
    zone = {
        "postgresql": "alter database {} set timezone to 'Pacific/Kiritimati'",
    }.get(server.product)
    if zone is None:
        change, restore = "set global time_zone = '+13:00'", "set global time_zone = 'SYSTEM'"
    else:
        name = parse(database_url).database
        change = zone.format(f'"{name}"')
        restore = f'alter database "{name}" reset timezone'
    with server.databases.connection(database_url) as connection:
        connection.execute(change)
    try:
        with in_use(database_url) as database:
            receipt = note.using(wait=3600).enqueue()
            ((created,),) = ask("select created_at from queuekit_jobs")
            assert receipt.scheduled_at is not None
            waits = receipt.scheduled_at - (database.from_database(created) or receipt.scheduled_at)
            assert waits.total_seconds() == pytest.approx(3600)
            from datetime import UTC, datetime

            assert (receipt.scheduled_at - datetime.now(UTC)).total_seconds() == pytest.approx(
                3600, abs=60
            )
            assert note.enqueue().row_id in [job.row_id for job in claim(register())]
    finally:
        with server.databases.connection(database_url) as connection:
            connection.execute(restore)


@pytest.mark.databases("sqlite")
def test_a_sqlite_file_is_set_up_for_many_processes(database_url: str) -> None:
    with in_use(database_url):
        assert ask("pragma journal_mode") == [("wal",)]
        assert ask("pragma synchronous") == [(1,)]
        assert ask("pragma foreign_keys") == [(1,)]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("option", "level"), [("normal", 1), ("full", 2), ("FULL", 2), ("extra", 3), ("off", 0)]
)
def test_how_a_sqlite_file_survives_a_power_cut_can_be_chosen(
    database_url: str, option: str, level: int
) -> None:
    with in_use(f"{database_url}?synchronous={option}"):
        assert ask("pragma synchronous") == [(level,)]


@MYSQL
@pytest.mark.parametrize("level", ["serializable", "repeatable read", "read uncommitted"])
def test_every_session_is_read_committed_whatever_the_server_says(
    database_url: str, server: Server, level: str
) -> None:
    variable = "tx_isolation" if server.product == "mariadb" else "transaction_isolation"
    with server.databases.connection(database_url) as cursor:
        cursor.execute(f"set global transaction isolation level {level}")
    try:
        with in_use(database_url) as database:
            isolation = database.transact(
                lambda connection: connection.execute(f"select @@{variable}", {})  # type: ignore[attr-defined]
            )
        assert isolation == [("READ-COMMITTED",)]
    finally:
        with server.databases.connection(database_url) as cursor:
            cursor.execute("set global transaction isolation level repeatable read")


@pytest.mark.databases("postgresql")
def test_a_stricter_default_isolation_does_no_harm(database_url: str, server: Server) -> None:
    name = parse(database_url).database
    with server.databases.connection(database_url) as connection:
        connection.execute(
            f"alter database \"{name}\" set default_transaction_isolation to 'serializable'"
        )
    try:
        with in_use(database_url):
            note.enqueue()
            assert len(claim(register())) == 1
            assert misplaced() == []
    finally:
        with server.databases.connection(database_url) as connection:
            connection.execute(f'alter database "{name}" reset default_transaction_isolation')


@pytest.mark.databases("mysql")
def test_mysql_can_be_reached_with_tls(database_url: str) -> None:
    with in_use(f"{database_url}?ssl_mode=required"):
        ((_, cipher),) = ask("show session status like 'Ssl_cipher'")
        assert cipher
    with in_use(database_url):
        ((_, cipher),) = ask("show session status like 'Ssl_cipher'")
        assert not cipher


@pytest.mark.databases("mysql")
def test_a_certificate_that_is_not_trusted_is_refused(database_url: str) -> None:
    with pytest.raises(queuekit.DatabaseError, match="certificate"):
        open_database(f"{database_url}?ssl_mode=verify_ca").connect()


@MYSQL
def test_a_certificate_file_that_is_not_there_is_a_configuration_error(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        open_database(f"{database_url}?ssl_ca=/nowhere/ca.pem").connect()


# Refusals


@SERVERS
def test_a_server_that_is_not_there_is_unavailable(database_url: str) -> None:
    url = parse(database_url)
    nowhere = f"{url.dialect}://{url.user}:{ESCAPED}@127.0.0.1:{free_port()}/{url.database}"

    assert_refused(nowhere, DatabaseUnavailableError)


@SERVERS
def test_a_database_that_is_not_there_is_refused(server: Server) -> None:
    assert_refused(with_database(server.url, "queuekit_nowhere"), DatabaseRefusedError, "nowhere")


@SERVERS
def test_a_wrong_password_is_refused_and_the_right_one_is_not(
    server: Server, database_url: str, user_with_password: str
) -> None:
    url = parse(database_url)
    place = f"{url.host}:{url.port}/{url.database}"
    right = f"{url.dialect}://{user_with_password}:{ESCAPED}@{place}"

    with in_use(right):
        assert note.enqueue().row_id
    assert PASSWORD not in str(parse(right)) and ESCAPED not in str(parse(right))
    assert_refused(right.replace("%2F", "%2f%2F"), DatabaseRefusedError, user_with_password)
    assert_refused(right.replace(f":{ESCAPED}", ""), DatabaseRefusedError)


@pytest.fixture
def user_with_password(server: Server, database_url: str) -> Iterator[str]:
    name = "queuekit_tester"
    database = parse(database_url).database
    if isinstance(server.databases, PostgreSQLDatabases):
        make = [
            f"create role {name} login password '{PASSWORD}'",
            f"grant all on all tables in schema public to {name}",
        ]
        drop = [f"drop owned by {name}", f"drop role {name}"]
    else:
        make = [
            f"create user {name}@'%%' identified by '{PASSWORD.replace('%', '%%')}'",
            f"grant all on `{database}`.* to {name}@'%%'",
        ]
        drop = [f"drop user {name}@'%%'"]
    say(server, database_url, make)
    yield name
    say(server, database_url, drop)


def say(server: Server, url: str, statements: list[str]) -> None:
    """Run statements as the server's owner; %% is a %."""
    mysql_style = not isinstance(server.databases, PostgreSQLDatabases)
    with server.databases.connection(url) as connection:
        for statement in statements:
            connection.execute(statement, ()) if mysql_style else connection.execute(statement)


def assert_refused(url: str, kind: type[Exception], text: str = "queuekit|:") -> None:
    """The error is of this kind, alone and as the cause of an EnqueueError, and keeps secrets."""
    with in_use(url) as database:
        with pytest.raises(kind, match=text) as alone:
            database.connect()
        with pytest.raises(EnqueueError, match=text) as enqueueing:
            note.enqueue()
    assert isinstance(enqueueing.value.__cause__, kind)
    for error in (alone.value, enqueueing.value):
        told = "".join(traceback.format_exception(error))
        assert PASSWORD not in told
        assert ESCAPED not in told


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
def test_a_place_that_cannot_be_a_database_is_refused(tmp_path: Path, driver: str) -> None:
    (tmp_path / "text").write_text("not a database, and not a folder" * 100)
    (tmp_path / "short").write_text("hi")
    (tmp_path / "encrypted").write_bytes(bytes(range(7, 256)) * 100)
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    reasons = {
        "text": "file is not a database",
        "short": "file is not a database",
        "encrypted": "file is not a database",
        "text/queue.sqlite3": "cannot make the folder .*/text: ",
        ".": "is a folder",
        "link": "is a folder",
        "pipe": "is not a regular file",
    }
    for place, reason in reasons.items():
        url = f"sqlite:///{tmp_path}/{place}?driver={driver}"
        assert_refused(url, DatabaseRefusedError, reason)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
def test_a_damaged_file_is_refused(
    empty_url: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(parse(empty_url).database)
    with in_use(empty_url):
        queuekit.enqueue_all(note.bind("x" * 1000) for _ in range(100))
        application.database().disconnect()
    whole = place.read_bytes()

    for damaged in (whole[:5000], whole[:100] + bytes(4000) + whole[4100:]):
        monkeypatch.setattr(sqlite, "_libraries", {})  # none has it open now
        place.write_bytes(damaged)
        assert_refused(f"{empty_url}?driver={driver}", DatabaseRefusedError, "the file is damaged")


@pytest.mark.databases("sqlite")
def test_a_folder_that_cannot_be_made_is_refused() -> None:
    assert_refused("sqlite:////proc/queuekit/queue.sqlite3", DatabaseRefusedError, "the folder")


@pytest.mark.databases("sqlite")
def test_a_path_may_have_spaces_and_letters_of_every_script(tmp_path: Path) -> None:
    for name in ("a b", "läuft", "ジョブ", "100%", "it's", 'say "so"', "a%23b%3Fc", "-c", "~"):
        with in_use(f"sqlite:///{tmp_path}/{name}/{name}.sqlite3"):
            note.enqueue()
            assert counts() == {"ready": 1}
            application.database().disconnect()
        assert (tmp_path / unquote(name) / f"{unquote(name)}.sqlite3").exists()


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("act", ["removed", "replaced"])
def test_a_file_that_is_taken_away_is_not_written_to_any_more(
    database_url: str, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(parse(database_url).database)
    monkeypatch.setattr(sqlite, "_LOOK_INTERVAL", 0)
    with in_use(database_url):
        note.enqueue("into the old one")
        for path in place.parent.glob(f"{place.name}*"):
            path.rename(path.with_name(f"old.{path.name}"))
        if act == "replaced":
            prepare(database_url)

        note.enqueue("into the new one")

        assert counts() == {"ready": 1}
        assert ask("select arguments from queuekit_jobs") == [
            ('{"args":["into the new one"],"kwargs":{}}',)
        ]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
def test_a_wal_that_is_taken_away_is_noticed(
    database_url: str, driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(parse(database_url).database)
    link = tmp_path / "link"
    link.symlink_to(place)
    for way in (place, link):
        with in_use(f"sqlite:///{way}?driver={driver}") as database:
            connection = database.connect()
            connection.begin()
            connection.rollback()
            monkeypatch.setattr(sqlite, "_LOOK_INTERVAL", 0)
            connection.begin()  # while nothing has happened, nothing is said
            connection.rollback()
            place.with_name(f"{place.name}-wal").unlink()
            with pytest.raises(DatabaseUnavailableError, match="has been removed or replaced"):
                connection.begin()
            connection.close()


@SERVERS
def test_a_missing_privilege_is_refused_and_helps_as_soon_as_it_is_there(
    server: Server, database_url: str, user_with_password: str
) -> None:
    url = parse(database_url)
    on, of = f"on table queuekit_jobs to {user_with_password}", user_with_password
    revoke = [f"revoke all on table queuekit_jobs from {of}"]
    grant = [f"grant all {on}"]
    if not isinstance(server.databases, PostgreSQLDatabases):
        revoke = [f"revoke all on `{url.database}`.* from {of}@'%%'"]
        grant = [f"grant all on `{url.database}`.* to {of}@'%%'"]
    place = f"{url.host}:{url.port}/{url.database}"
    with in_use(f"{url.dialect}://{of}:{ESCAPED}@{place}") as database:
        database.query("processes.silent", silent_for=0.0)
        say(server, database_url, revoke)
        database.disconnect()  # MySQL looks at privileges on a whole database when it is chosen
        with pytest.raises(EnqueueError) as raised:
            note.enqueue()
        assert isinstance(raised.value.__cause__, DatabaseRefusedError)
        say(server, database_url, grant)
        assert note.enqueue().row_id


@MYSQL
@pytest.mark.parametrize("scheduled", [False, True], ids=["due now", "scheduled"])
@pytest.mark.parametrize("size", [16_777_216, 40_000_000])
def test_arguments_too_big_for_the_server_are_refused_with_its_limit(
    database_url: str, scheduled: bool, size: int
) -> None:
    with in_use(database_url) as database:
        ((limit,),) = ask("select @@max_allowed_packet")
        if limit > size:
            pytest.skip(f"the server takes {limit} bytes")
        other = pymysql.connect(**mysql._connect_arguments(database.url))
        with closing(other):
            for given in (None, other):
                job = note.using(wait=60 if scheduled else None, connection=given)
                with pytest.raises(EnqueueError, match=f"max_allowed_packet is {limit:,}"):
                    job.enqueue("x" * size)
                note.using(connection=given).enqueue("small")  # the connection lives
        assert counts() == {"ready": 2}


@SERVERS
def test_a_server_too_old_is_refused_when_connecting(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_OLDEST", 990000)
    monkeypatch.setattr(mysql, "_OLDEST", {"MySQL": (99, 0, 0), "MariaDB": (99, 0, 0)})

    assert_refused(database_url, UnsupportedServerError, "queuekit needs")


def test_closing_twice_does_nothing(database_url: str) -> None:
    connection: Any = open_database(database_url).connect()

    connection.close()
    connection.close()
