"""The fixtures for pytest, which finds them by queuekit's entry point.

Nothing of queuekit is imported before a test asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from queuekit.testing import Jobs


@pytest.fixture
def queuekit_jobs() -> Iterator[Jobs]:
    """What the test enqueues, kept in memory: see queuekit.testing."""
    from queuekit.testing import in_memory

    with in_memory() as jobs:
        yield jobs


@pytest.fixture
def queuekit_jobs_on() -> Iterator[Callable[[Any], Jobs]]:
    """A function of the test's own DB-API connection: from its call on, jobs are kept in that
    connection's transaction."""
    from queuekit.testing import on_connection

    with ExitStack() as stack:
        yield lambda connection: stack.enter_context(on_connection(connection))
