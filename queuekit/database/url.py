"""Database URLs: `scheme://user:password@host:port/database?option=value`, taken apart and checked.

sqlite:///storage/queue.sqlite3           relative to the current folder
sqlite:////var/lib/app/queue.sqlite3      absolute
    busy_timeout=5000   milliseconds to wait for another writer
    driver=sqlite3      or apsw: the library that the application uses on this file, too
    synchronous=normal  or full: survives a power cut with nothing lost, at a third of the speed
postgresql://user@host/app                any parameter of libpq: sslmode, host=/socket/folder ...
    schema=jobs         the schema that holds queuekit's tables (search_path is a synonym)
    prepare=on          prepared statements, or off; by default on, but not behind a pooler
mysql://user@host/app                     MySQL or MariaDB
    socket=/run/mysqld/mysqld.sock
    ssl_mode=required   or disabled, verify_ca, verify_identity; with ssl_ca, ssl_cert, ssl_key
    connect_timeout=10  seconds

docs/configuration.md lists all of them, for users.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

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

_PASSWORD = re.compile(r"^([^:/?#]*://[^:/?#]*:).*@", re.DOTALL)
_SEVERAL_HOSTS = re.compile(r"(^|@)[^:@,]*(:\d*)?(,[^:@,]*(:\d*)?)+$")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECRET_OPTION = re.compile(r"([?&][^=&]*password=)[^&]*", re.IGNORECASE)


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
    options: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        return masked(self.text)


def parse(text: str) -> DatabaseURL:
    """Take a URL apart.

    Raises ConfigurationError: no URL, an unknown scheme, a port that is none, an unreadable option.
    """
    try:
        parts = urlsplit(text)
        # libpq takes several hosts, each with a port, and reads them by itself.
        port = None if _SEVERAL_HOSTS.search(parts.netloc) else parts.port
    except ValueError:  # which may quote a piece of the password
        raise ConfigurationError(
            f"{masked(text)} is not a database URL: its host or port cannot be read; special "
            "characters in a user or password are written as %40 for @, %2F for /, %23 for #"
        ) from None
    if parts.fragment:
        raise ConfigurationError(f"{masked(text)}: a # in a database URL is written as %23")
    if _BAD_ESCAPE.search(parts.netloc + parts.query):
        raise ConfigurationError(f"{masked(text)}: a % in a database URL is written as %25")
    return DatabaseURL(
        text=text,
        dialect=_dialect(parts.scheme, text),
        user=_unquoted(parts.username),
        password=_unquoted(parts.password),
        host=_unquoted(parts.hostname),
        port=port,
        database=unquote(parts.path.removeprefix("/")),
        options=_options(parts.query, text),
    )


def masked(text: str) -> str:
    """The URL with its password replaced by stars, for messages and logs. Of a URL that cannot be
    read rather too much is hidden than too little."""
    return _SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


def unknown_options(
    url: DatabaseURL, product: str, known: Sequence[str], named: str | None = None
) -> list[str]:
    """A problem for each option that this product does not have, with the nearest that it has, or
    else all of them, which are `named` so when they are too many."""
    named = named or ", ".join(known)
    problems = []
    for option in url.options:
        if option not in known:
            near = difflib.get_close_matches(option.lower(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {named}"
            problems.append(f"{url}: {product} has no option {option}; {hint}")
    return problems


def _dialect(scheme: str, text: str) -> str:
    if scheme in _SCHEMES and "://" in text:
        return _SCHEMES[scheme]
    known = ", ".join(f"{name}://" for name in DIALECTS)
    if not scheme or "://" not in text:
        raise ConfigurationError(
            f"{masked(text)!r} is not a database URL: it begins with one of {known}"
        )
    near = difflib.get_close_matches(scheme.partition("+")[0], _SCHEMES, n=1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    raise ConfigurationError(f"unknown database {scheme}://: queuekit knows {known}{hint}")


def _options(query: str, text: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        raise ConfigurationError(
            f"{masked(text)}: the options after '?' must be name=value, joined by '&'"
        ) from None


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text)
