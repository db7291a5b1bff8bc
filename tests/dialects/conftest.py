"""Every test here runs on each database, and ends with the invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from queuekit.database import Connection, Database
from tests.dialects.drivers import Driver
from tests.dialects.support import Counted, in_use, misplaced
from tests.dialects.transactions import Other, transaction


@pytest.fixture
def database_url(database_url: str, request: pytest.FixtureRequest) -> str:
    """A file has one library per process: where the application uses apsw, so does queuekit."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    driver = parameters.get("driver")
    uses_apsw = isinstance(driver, Driver) and driver.name.startswith("apsw")
    return f"{database_url}?driver=apsw" if uses_apsw else database_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A prepared, empty database, which enqueueing and everything else uses."""
    with in_use(database_url) as database:
        yield database


@pytest.fixture
def other(database: Database) -> Iterator[Other]:
    """Another connection, whose transaction stays open; what it has not committed is undone."""
    with transaction(database) as other:
        yield other


@pytest.fixture
def asked(database: Database, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each query is run inside of transactions of several."""
    asked: Counter[str] = Counter()
    transact = database.transact

    def counting(work: Callable[[Connection], Any], **options: Any) -> Any:
        return transact(lambda connection: work(Counted(connection, asked)), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "transact", counting)
    return asked


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
