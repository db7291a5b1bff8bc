"""An application for each story, on the database of the test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from queuekit.database import prepare
from tests.clusters import Cluster
from tests.stories.support import FROM_CHECKOUT, Application, Installation


@pytest.fixture
def application(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An application that is not started yet. The test's own process works with its database."""
    yield from make_application(tmp_path / "application", database_url, monkeypatch)


@pytest.fixture
def killable_application(
    killable_server: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An application on a database of its own, on a server that the story may end and start."""
    name = f"queuekit_{secrets.token_hex(6)}"
    url = killable_server.create_database(name)
    prepare(url)
    yield from make_application(tmp_path / "application", url, monkeypatch)
    killable_server.start()
    killable_server.drop_database(name)


def make_application(
    folder: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Application] = Application,
    installation: Installation = FROM_CHECKOUT,
) -> Iterator[Application]:
    """An application, and this process's own queuekit on its database, until the test's end."""
    for name in ("_configuration", "_database"):
        monkeypatch.setattr(queuekit.application, name, None)
    application = kind(folder, database_url, installation)
    queuekit.configure(database_url=database_url)
    yield application
    application.close()
    queuekit.application.database().disconnect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MySQL differs from MariaDB in its statements, which the dialect suite is for, and not in what
    processes live through."""
    here = Path(__file__).parent
    items[:] = [item for item in items if here not in item.path.parents or not _on_mysql(item)]


def _on_mysql(item: pytest.Item) -> bool:
    return hasattr(item, "callspec") and item.callspec.params.get("product") == "mysql"
