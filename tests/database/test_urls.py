"""Database URLs: what is understood, what is refused, and that no message tells a password."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuekit import ConfigurationError
from queuekit.database import masked, open_database
from queuekit.database.url import DatabaseURL, parse

GOOD = {
    "sqlite:///storage/queue.sqlite3": ("sqlite", None, None, "storage/queue.sqlite3"),
    "sqlite:////var/lib/app/queue.sqlite3": ("sqlite", None, None, "/var/lib/app/queue.sqlite3"),
    "sqlite3:///a%20b.sqlite3": ("sqlite", None, None, "a b.sqlite3"),
    "sqlite:///100%.sqlite3": ("sqlite", None, None, "100%.sqlite3"),
    "postgresql://me@db.example/app": ("postgresql", "db.example", None, "app"),
    "postgres://me@[::1]:5433/app": ("postgresql", "::1", 5433, "app"),
    "postgresql:///app?host=/run/postgresql": ("postgresql", None, None, "app"),
    "postgresql://me@one:5432,two:5433/app": ("postgresql", "one", None, "app"),
    "mysql://me@db.example:3307/app": ("mysql", "db.example", 3307, "app"),
    "mariadb://me@localhost/app?socket=/run/mysqld/mysqld.sock": (
        "mysql",
        "localhost",
        None,
        "app",
    ),
    "mysql://me@localhost/app%2Ftest": ("mysql", "localhost", None, "app/test"),
}

BAD = {
    "": "is not a database URL: it begins with one of postgresql://, mysql://, sqlite://",
    "queue.sqlite3": "is not a database URL",
    "sqlite:queue.sqlite3": "is not a database URL",
    "postgresql:app": "is not a database URL",
    "oracle://me@host/app": "unknown database oracle://: queuekit knows",
    "postgresq://me@host/app": "did you mean postgresql://?",
    "postgresql+psycopg://me@host/app": "did you mean postgresql://?",
    "mysql+pymysql://me@host/app": "did you mean mysql://?",
    "sqllite:///queue.sqlite3": "did you mean sqlite://?",
    "mysql://me@host:port/app": "its host or port cannot be read",
    "mysql://me@host:99999/app": "its host or port cannot be read",
    "postgresql://me@[::1/app": "its host or port cannot be read",
    "mysql://me@host/app?socket": "the options after '?' must be name=value",
    "mysql://me@host/app?=x": None,
    "sqlite:///queue#1.sqlite3": "a # in a database URL is written as %23",
    "postgresql://me:100%@host/app": "a % in a database URL is written as %25",
    "sqlite://queue.sqlite3": "a SQLite URL has no host: write sqlite:///queue.sqlite3",
    "sqlite://": "a queue needs a file that other processes can open",
    "sqlite:///": "a queue needs a file that other processes can open",
    "sqlite:///:memory:": "a queue needs a file that other processes can open",
    "sqlite:///q.sqlite3?timeout=5": "SQLite has no option timeout; did you mean busy_timeout?",
    "sqlite:///q.sqlite3?Driver=apsw": "SQLite has no option Driver; did you mean driver?",
    "sqlite:///q.sqlite3?cache=shared": "it has busy_timeout, synchronous, driver",
    "sqlite:///q.sqlite3?busy_timeout=5s": "busy_timeout is a whole number of milliseconds",
    "sqlite:///q.sqlite3?busy_timeout=-5": "busy_timeout is a whole number of milliseconds",
    "sqlite:///q.sqlite3?busy_timeout=": "busy_timeout is a whole number of milliseconds",
    "sqlite:///q.sqlite3?synchronous=fast": "synchronous is one of normal, full, extra, off",
    "mysql://me@host": "names no database",
    "mysql://me@host/": "names no database",
    "mysql://me@host/app?charset=latin1": "MySQL has no option charset; it has socket, ",
    "mysql://me@host/app?ssl-mode=required": "MySQL has no option ssl-mode; did you mean ssl_mode?",
    "mysql://me@host/app?ssl_mode=preferred": "ssl_mode is one of disabled, required, verify_ca",
    "mysql://me@host/app?connect_timeout=soon": "connect_timeout is a whole number of seconds",
    "postgresql://me@host/app?schema=a&search_path=b": "schema and search_path mean the same",
    "postgresql://me@host/app?prepare=maybe": "prepare is on or off",
    "postgresql://me@host/app?ssl_mode=require": "no option ssl_mode; did you mean sslmode?",
    "postgresql://me@host/app?shema=jobs": "PostgreSQL has no option shema; did you mean schema?",
    "postgresql://me@host/app?bogus=1": "it has schema, search_path, prepare and the parameters of",
}

#: Passwords as people write them, escaped or not. None of these URLs may show any of it.
SECRET = [
    "postgresql://me:tiger@host/app",
    "postgresql://me:tiger@host:5432/app?sslmode=require",
    "postgresql://me@corp:tiger@host/app",
    "postgresql://me:tiger@x@host/app",
    "postgresql://me:ti/tiger@host/app",
    "postgresql://me:ti#tiger@host/app",
    "postgresql://me:ti?tiger@host/app",
    "postgresql://me:ti:tiger@host/app",
    "postgresql://me:ti,ti/tiger@host/app",
    "postgresql://me:[tiger@host/app",
    "postgresql://me:ti%tiger@host/app",
    "postgresql://me:tiger\uff05@host/app",
    "postgresql://me:tiger\u2100@host/app",
    "postgresql://:tiger@host/app",
    "postgresql://me@host/app?password=tiger",
    "postgresql://me@host/app?a=b&sslpassword=tiger&c=d",
    "mysql://me@host/app?password=tiger",
    "mysql://me:tiger@host/app?charset=x",
    "mysql://me:tiger@host",
    "sqlite://me:tiger@host/app",
    "oracle://me:tiger@host/app",
    "mysql://me:tiger@host:port/app",
    "mysql://me:tiger@host/app?x",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_url_is_taken_apart(text: str) -> None:
    url = parse(text)

    assert (url.dialect, url.host, url.port, url.database) == GOOD[text]


def test_what_is_escaped_in_a_url_is_read() -> None:
    url = parse("mysql://m%40e:p%2F%3A%25%23@db:3306/app?socket=/tmp/a%20b&ssl_mode=required")

    assert (url.user, url.password) == ("m@e", "p/:%#")
    assert url.options == {"socket": "/tmp/a b", "ssl_mode": "required"}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_url_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_database(text)

    assert (BAD[text] or "") in str(refused.value)


def test_every_problem_of_a_url_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_database("sqlite://host/:memory:?cache=shared&busy_timeout=x&synchronous=y")

    assert len(refused.value.problems) == 5


@pytest.mark.parametrize("text", SECRET)
def test_a_password_is_nowhere_to_be_read(text: str) -> None:
    assert "tiger" not in masked(text)
    try:
        database = open_database(text)
    except ConfigurationError as error:
        told = "".join(traceback.format_exception(error))
    else:
        told = f"{database.url} {database.url!r} {database!r} {vars(database)}"

    assert "tiger" not in told


def test_urls_without_a_password_are_shown_as_they_are() -> None:
    for text in (*GOOD, "mysql://me@host/app?socket=/tmp/a@b"):
        assert masked(text) == text


@given(st.text(min_size=1).filter(lambda password: password not in "me:***@host/app***"))
def test_no_password_whatever_it_is_made_of_survives_masking(password: str) -> None:
    text = f"mysql://me:\x01{password}\x02@host/app"

    assert masked(text) == "mysql://me:***@host/app"


@given(st.text())
def test_any_text_is_a_url_or_a_configuration_error(text: str) -> None:
    try:
        assert isinstance(parse(text), DatabaseURL)
    except ConfigurationError as error:
        assert error.problems
    masked(text)
