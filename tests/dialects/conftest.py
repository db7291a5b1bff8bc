"""Every test here runs on each database, and ends with the invariant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuekit.database import Database
from tests.dialects.drivers import Driver
from tests.dialects.support import in_use, misplaced


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A prepared, empty database, which enqueueing and everything else uses."""
    with in_use(database_url) as database:
        yield database


@pytest.fixture(autouse=True)
def every_job_is_in_one_place(database: Database) -> Iterator[None]:
    yield
    assert misplaced() == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A driver meets only the databases that it speaks with."""
    items[:] = [item for item in items if speaks(item)]


def speaks(item: pytest.Item) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    driver = parameters.get("driver")
    return not isinstance(driver, Driver) or parameters.get("product") in driver.products
