"""An application for each story, on the database of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from tests.stories.support import Application


@pytest.fixture
def application(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An application that is not started yet. The test's own process works with its database."""
    yield from make_application(tmp_path / "application", database_url, monkeypatch)


def make_application(
    folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    for name in ("_configuration", "_database"):
        monkeypatch.setattr(queuekit.application, name, None)
    application = Application(folder, database_url)
    queuekit.configure(database_url=database_url)
    yield application
    application.close()
    queuekit.application.database().disconnect()
