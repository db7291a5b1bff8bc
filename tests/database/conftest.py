"""A database that enqueueing and everything else uses; afterwards the invariant holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from queuekit.database import Database
from tests.dialects.support import in_use, misplaced


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with in_use(database_url) as database:
        yield database
        assert misplaced() == []
