"""Helpers for testing applications that enqueue jobs: assert what was enqueued, run it, move time.

    def test_signing_up(queuekit_jobs):                       # pytest: the fixture comes by itself
        sign_up("ada@example.org")
        queuekit_jobs.assert_enqueued_with(welcome, args=(1,), queue="mailers")
        assert queuekit_jobs.perform_enqueued_jobs() == 1

    class SignUpTest(JobsTestCase):                           # unittest: a mixin of its own
        def test_signing_up(self):
            sign_up("ada@example.org")
            self.jobs.assert_enqueued_with(welcome, args=(1,))

There are two modes. `in_memory()` keeps jobs in the test's own memory: no database is asked.
`on_connection(connection)` is the real thing on a DB-API connection of the test's: every statement
of queuekit runs in the test's transaction, and is gone with its rollback. In both, arguments travel
as they do in production: what could not be stored is refused.

Named as in Active Job's TestHelper. A job that fails raises its error into the test.
"""

from queuekit.testing.database import on_connection
from queuekit.testing.jobs import Assertions, Jobs, TestedJob
from queuekit.testing.memory import in_memory
from queuekit.testing.mixin import JobsTestCase

__all__ = ["Assertions", "Jobs", "JobsTestCase", "TestedJob", "in_memory", "on_connection"]
