"""Applications to run the command line in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An application with a SQLite queue that nobody has used yet."""
    folder = tmp_path / "shop"
    folder.mkdir()
    shop = Shop(folder)
    yield shop
    shop.close()


@pytest.fixture
def shop_on_each(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """An application with a prepared queue, on each database."""
    folder = tmp_path / "shop"
    folder.mkdir()
    shop = Shop(folder, database_url)
    yield shop
    shop.close()
