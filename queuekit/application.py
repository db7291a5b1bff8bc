"""What this process works with: one configuration and one database, settled when first needed.

Enqueueing, the functions for operators and the processes all ask here. `configure` settles it from
code; otherwise it is what the environment and `config/queue.yml` say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from queuekit import config
from queuekit.config import Configuration
from queuekit.database import Database, open_database
from queuekit.errors import ConfigurationError

_lock = threading.Lock()
_configuration: Configuration | None = None
_folder: Path | None = None
_database: Database | None = None
_replacement: Database | None = None


def configure(
    *,
    database_url: str | None = None,
    environment: str | None = None,
    config_file: str | None = None,
    imports: Sequence[str] = (),
) -> None:
    """Settle which database this process uses, and with which configuration.

    What is not given comes from the environment (`QUEUEKIT_DATABASE_URL`, `QUEUEKIT_ENV`,
    `QUEUEKIT_CONFIG`), then from `config/queue.yml`, then from the defaults. Nothing is connected
    yet. Calling it again replaces what was settled before.

    Raises ConfigurationError with every problem found.
    """
    use(
        config.load(
            path=config_file, environment=environment, database_url=database_url, imports=imports
        )
    )


def use(configuration: Configuration, answer_timeout: float | None = None) -> None:
    """Work with a configuration that has been loaded already.

    Connections that other threads still hold to a database replaced here close with their threads.
    A server that has not answered for `answer_timeout` seconds counts as lost: see Dialect.connect.
    """
    global _configuration, _database, _folder
    database = open_database(
        configuration.database_url, answer_timeout, sends_hints=configuration.wake_on_enqueue
    )
    with _lock:
        if _database is not None:
            _database.disconnect()
        _configuration, _database, _folder = configuration, database, _current_folder()


@contextmanager
def replaced(database: Database) -> Iterator[None]:
    """A block in which this process works with another database, a test's, whatever is configured
    meanwhile."""
    global _replacement
    before, _replacement = _replacement, database
    try:
        yield
    finally:
        _replacement = before


def configuration() -> Configuration:
    """The configuration in use. Raises ConfigurationError when it cannot be used."""
    if _configuration is None:
        _settle()
    assert _configuration is not None
    return _configuration


def folder() -> Path:
    """The folder that the paths in the configuration are relative to: the current one when it was
    settled, wherever jobs have gone since."""
    configuration()
    assert _folder is not None
    return _folder


def database() -> Database:
    """The database in use. Raises ConfigurationError when its URL cannot be used."""
    if _replacement is not None:
        return _replacement
    if _database is None:
        _settle()
    assert _database is not None
    return _database


def sends_hints() -> bool:
    """Whether to tell idle processes of new jobs. Whoever enqueues on a connection of his own needs
    no configuration, and so none that can be used."""
    try:
        return configuration().wake_on_enqueue
    except ConfigurationError:
        return True


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        # It has been removed, as old releases are. Nothing is to be found there any more.
        return Path("/")


def _settle() -> None:
    loaded = config.load()
    if _configuration is None:
        use(loaded)
