"""The databases that are measured: started once, with their own defaults, fsync included, or
somebody's own, by their URLs.

Each measurement gets a new and prepared database, so that none finds what another left, on a server
of one's own, too, whose user has to be allowed to create databases. The files are on a disk where
there is one: in memory an fsync costs nothing. A sqlite URL names the folder to make them in.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.bare import Bare, BareMySQL, BarePostgreSQL, BareSQLite
from queuekit.database import prepare
from queuekit.database.url import parse
from tests.janitor import new_folder
from tests.servers import CLUSTERS, ExternalServer

#: What can be measured; without a choice all but MySQL itself, as the tests do.
PRODUCTS = ("sqlite", "postgresql", "mariadb", "mysql")
USUAL = PRODUCTS[:3]

TITLES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "mysql": "MySQL",
}
BARE: dict[str, type[Bare]] = {
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

    def __init__(self, product: str, databases: _Databases, where: str = "") -> None:
        self.product = product
        self.title = f"{TITLES[product]} {where}".rstrip()
        self._databases = databases
        self._numbers = itertools.count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new and prepared database, gone afterwards."""
        name = f"queuekit_benchmark_{next(self._numbers)}"
        url = self._databases.create_database(name)
        try:
            prepare(url)
            yield url
        finally:
            self._databases.drop_database(name)

    @contextmanager
    def bare(self, url: str) -> Iterator[Bare]:
        """A connection for the bare statements."""
        bare = BARE[self.product](parse(url))
        try:
            yield bare
        finally:
            bare.close()


@contextmanager
def start(products: Sequence[str], urls: Sequence[str] = ()) -> Iterator[list[Target]]:
    """The targets for these products and at these URLs, for as long as they are needed."""
    with ExitStack() as stack:
        targets = [Target(name, stack.enter_context(start_one(name))) for name in products]
        for url in urls:
            targets.append(stack.enter_context(_target_at(url)))
        yield targets


def start_one(product: str) -> AbstractContextManager[_Databases]:
    """Where databases of this product come from."""
    return _Files() if product == "sqlite" else CLUSTERS[product](durable=True)


@contextmanager
def _target_at(url: str) -> Iterator[Target]:
    parts = parse(url)
    if parts.dialect == "sqlite":
        with _Files(Path(parts.database)) as files:
            yield Target("sqlite", files, f"in {parts.database}")
    else:
        server = ExternalServer(url)
        yield Target(server.product, server, f"at {parts.host or 'its socket'}")


class _Files:
    """SQLite: each database is a file in a folder of its own."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = place

    def __enter__(self) -> _Files:
        if self._place is None:
            self._folder = new_folder(on_disk=True)
        else:
            self._folder = Path(tempfile.mkdtemp(prefix="queuekit-", dir=self._place))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)

    def create_database(self, name: str) -> str:
        (self._folder / name).mkdir()
        return f"sqlite:///{self._folder.absolute() / name / 'queue.sqlite3'}"

    def drop_database(self, name: str) -> None:
        shutil.rmtree(self._folder / name)
