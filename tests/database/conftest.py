"""What enqueueing and everything else uses; afterwards the invariant holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuekit import application
from queuekit.database import Database
from queuekit.database.url import parse
from tests.database.proxy import Proxy
from tests.dialects.support import in_use, misplaced


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with in_use(database_url) as database:
        yield database
        assert misplaced() == []


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """The database, reached through a proxy that can lose requests and answers."""
    url = parse(database_url)
    assert url.host is not None
    assert url.port is not None
    with (
        Proxy(url.host, url.port) as proxy,
        in_use(database_url.replace(f":{url.port}/", f":{proxy.port}/")),
    ):
        yield proxy
        assert misplaced() == []
        application.database().disconnect()
