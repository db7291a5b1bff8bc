"""The databases that are measured: started once, with their own defaults, fsync included.

Each measurement gets a new and prepared database, so that none finds what another left. The files
are on a disk where there is one: in memory an fsync costs nothing.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from benchmarks.bare import Bare, BareMySQL, BarePostgreSQL, BareSQLite
from queuekit.database import prepare
from queuekit.database.url import parse
from tests.janitor import new_folder
from tests.servers import CLUSTERS

#: What can be measured; without a choice all but MySQL itself, as the tests do.
PRODUCTS = ("sqlite", "postgresql", "mariadb", "mysql")
USUAL = PRODUCTS[:3]

_TITLES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "mysql": "MySQL",
}
_BARE: dict[str, type[Bare]] = {
    "sqlite": BareSQLite,
    "postgresql": BarePostgreSQL,
    "mariadb": BareMySQL,
    "mysql": BareMySQL,
}


class _Databases(Protocol):
    """Where new databases come from: a folder, or a server."""

    def create_database(self, name: str) -> str: ...
    def drop_database(self, name: str) -> None: ...


class Target:
    """A database product that is ready to be measured."""

    def __init__(self, product: str, databases: _Databases) -> None:
        self.product = product
        self.title = _TITLES[product]
        self._databases = databases
        self._numbers = itertools.count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new and prepared database, gone afterwards."""
        name = f"benchmark_{next(self._numbers)}"
        url = self._databases.create_database(name)
        try:
            prepare(url)
            yield url
        finally:
            self._databases.drop_database(name)

    @contextmanager
    def bare(self, url: str) -> Iterator[Bare]:
        """A connection for the bare statements."""
        bare = _BARE[self.product](parse(url))
        try:
            yield bare
        finally:
            bare.close()


@contextmanager
def start(products: Sequence[str]) -> Iterator[list[Target]]:
    """The targets for these products, for as long as they are needed."""
    with ExitStack() as stack:
        yield [Target(name, stack.enter_context(_databases(name))) for name in products]


def _databases(product: str) -> AbstractContextManager[_Databases]:
    return _Files() if product == "sqlite" else CLUSTERS[product](durable=True)


class _Files:
    """SQLite: each database is a file in a folder of its own."""

    def __enter__(self) -> _Files:
        self._folder = new_folder(on_disk=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)

    def create_database(self, name: str) -> str:
        (self._folder / name).mkdir()
        return f"sqlite:///{self._folder / name / 'queue.sqlite3'}"

    def drop_database(self, name: str) -> None:
        shutil.rmtree(self._folder / name)
