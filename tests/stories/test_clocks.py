"""The host's clock is wrong, or jumps: every decision about time is made on the database's.

libfaketime gives queuekit's processes another clock than the server has. On servers only: SQLite
has no clock of its own, a process that writes to the file does so by its host's clock, and hosts
with different clocks cannot share the file.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.stories.promises import assert_clean_termination, assert_registered
from tests.stories.support import Application, wait_until

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")

#: Debian has it in a folder of its own, by architecture; others in lib or lib64.
_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


class Clock:
    """The clock that an application's processes see; the monotonic one goes on as it does."""

    def __init__(self, application: Application, library: Path) -> None:
        self._file = application.folder / "clock"
        self.set("+0")
        application.surroundings |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Jump so far from the true time, as in '+2d' or '-90m'."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.rename(self._file)  # never seen half written


@pytest.fixture
def clock(application: Application) -> Clock:
    found = [path for pattern in _LIBRARIES for path in Path("/").glob(pattern.removeprefix("/"))]
    if not found:
        pytest.skip("libfaketime is not installed")
    return Clock(application, found[0])


def days_off(application: Application) -> int:
    printed = application.python("import time; print(time.time())")
    return round((float(printed) - time.time()) / 86400)


def pass_seconds(application: Application, seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, application, f"{seconds} s pass")


@pytest.mark.parametrize(("offset", "days"), [("+2d", 2), ("-2d", -2)])
def test_nothing_runs_early_or_late_where_the_clock_is_wrong(
    application: Application, clock: Clock, offset: str, days: int
) -> None:
    clock.set(offset)
    assert days_off(application) == days
    application.start()

    # Enqueued here, on the true clock, and there, on the wrong one.
    before = time.monotonic()
    application.enqueue("jobs.note", "soon from here", wait=2)
    application.python("import jobs; jobs.note.using(wait=2).enqueue('soon from there')")
    application.enqueue("jobs.note", "tomorrow from here", wait=86400)
    application.python("import jobs; jobs.note.using(wait=86400).enqueue('tomorrow from there')")
    wait_until(lambda: application.ran(), application, "the first job runs")
    assert time.monotonic() - before >= 2

    application.wait_until_ran("soon from here", "soon from there")
    application.wait_until_jobs(finished=2, scheduled=2)
    application.stop()
    assert_clean_termination(application)


def test_nobody_is_pruned_for_its_clock(application: Application, clock: Clock) -> None:
    settings = {"process_heartbeat_interval": 0.5, "process_alive_threshold": 4}
    application.configure(**settings)
    clock.set("-2d")
    application.start()
    right = Application(application.folder.with_name("right"), application.database_url)
    right.configure(**settings)
    try:
        right.start()
        assert_registered(application, Supervisor=2, Dispatcher=2, Worker=2)
        before = [process.id for process in application.processes()]

        for offset in ("+2d", "-1h", "-10y"):
            clock.set(offset)
            application.enqueue("jobs.note", offset)
            application.enqueue("jobs.note", f"later {offset}", wait=0.5)
            pass_seconds(application, 1.5)

        pass_seconds(application, 4.5)
        application.wait_until_jobs(finished=6)
        assert [process.id for process in application.processes()] == before
        assert "Buried" not in application.printed() + right.printed()
        right.stop()
    finally:
        right.close()
    application.stop()
    assert_clean_termination(application)


def test_jobs_run_as_they_were_enqueued_whatever_the_enqueuers_clocks_say(
    application: Application, clock: Clock
) -> None:
    """A job id begins with its maker's time; the order of execution does not come from it."""
    application.configure(workers={"threads": 1})
    for number, offset in enumerate(("+2d", "-2d", "+0", "-30d", "+1d")):
        clock.set(offset)
        application.python(f"import jobs; jobs.note.enqueue('{number}')")

    application.start()

    application.wait_until_jobs(finished=5)
    assert application.ran() == ["0", "1", "2", "3", "4"]
    application.stop()
    assert_clean_termination(application)
