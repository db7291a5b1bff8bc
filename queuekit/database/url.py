"""Database URLs: `scheme://user:password@host:port/database?option=value`, taken apart and checked.

sqlite:///storage/queue.sqlite3           relative to the current folder
sqlite:////var/lib/app/queue.sqlite3      absolute
    busy_timeout=5000   milliseconds to wait for another writer
    synchronous=normal  or full: survives a power cut with nothing lost, at a third of the speed
postgresql://user@host/app                any parameter of libpq: sslmode, host=/socket/folder ...
    schema=jobs         the schema that holds queuekit's tables (search_path is a synonym)
    prepare=on          prepared statements, or off; by default on, but not behind a pooler
mysql://user@host/app                     MySQL or MariaDB
    socket=/run/mysqld/mysqld.sock
    ssl_mode=required   or disabled, verify_ca, verify_identity; with ssl_ca, ssl_cert, ssl_key
    connect_timeout=10  seconds
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from queuekit.errors import ConfigurationError

DIALECTS = ("postgresql", "mysql", "sqlite")

_SCHEMES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
}


@dataclass(frozen=True)
class DatabaseURL:
    """A checked URL. `text` is what was given; `str()` has the password masked."""

    text: str = field(repr=False)
    dialect: str
    user: str | None
    password: str | None = field(repr=False)
    host: str | None
    port: int | None
    database: str
    options: Mapping[str, str]

    def __str__(self) -> str:
        return masked(self.text)


def parse(text: str) -> DatabaseURL:
    """Take a URL apart.

    Raises ConfigurationError: no URL, an unknown scheme, a port that is none, an unreadable option.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    except ValueError as error:
        if not urlsplit(text.partition("?")[0]).scheme or "bad query field" not in str(error):
            raise ConfigurationError(f"{masked(text)} is not a database URL: {error}") from None
        if "?" in text and text.partition("?")[2]:
            raise ConfigurationError(
                f"{masked(text)}: the options after '?' must be name=value, joined by '&'"
            ) from None
        options, port = {}, parts.port
    return DatabaseURL(
        text=text,
        dialect=_dialect(parts.scheme, text),
        user=_unquoted(parts.username),
        password=_unquoted(parts.password),
        host=_unquoted(parts.hostname),
        port=port,
        database=unquote(parts.path.removeprefix("/")),
        options=options,
    )


def masked(text: str) -> str:
    """The URL with its password replaced by stars, for messages and logs."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text.partition("://")[0] + "://..."
    if parts.password is None:
        return text
    credentials, _, place = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{place}"))


def _dialect(scheme: str, text: str) -> str:
    if scheme in _SCHEMES:
        return _SCHEMES[scheme]
    known = ", ".join(f"{name}://" for name in DIALECTS)
    if not scheme or "://" not in text:
        raise ConfigurationError(
            f"{masked(text)!r} is not a database URL: it begins with one of {known}"
        )
    near = difflib.get_close_matches(scheme.partition("+")[0], _SCHEMES, n=1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    raise ConfigurationError(f"unknown database {scheme}://: queuekit knows {known}{hint}")


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text)
