"""The same for unittest: a mixin that gives each test its `self.jobs`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from queuekit.testing.database import on_connection
from queuekit.testing.jobs import Jobs
from queuekit.testing.memory import in_memory


class JobsTestCase:
    """Beside unittest.TestCase, or a framework's, and named before it:

        class SignUpTest(JobsTestCase, unittest.TestCase): ...

    Jobs are kept in memory, unless `queuekit_connection` returns a connection.
    """

    jobs: Jobs

    def queuekit_connection(self) -> Any:
        """The test's own DB-API connection, to keep jobs in its transaction; None for in memory."""
        return None

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        connection = self.queuekit_connection()
        block: AbstractContextManager[Jobs] = (
            in_memory() if connection is None else on_connection(connection)
        )
        self.jobs = block.__enter__()
        self.addCleanup(block.__exit__, None, None, None)  # type: ignore[attr-defined]
