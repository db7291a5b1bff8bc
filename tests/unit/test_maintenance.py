"""A supervisor's dealings with the database: registering, burying, pruning, and outages.

Its clock is the test's: a beat is as late as the test says, however busy the machine is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import application, events
from queuekit.config import Configuration
from queuekit.database import Database
from queuekit.errors import NotPreparedError, ProcessExitError
from queuekit.events import Event
from queuekit.processes.maintenance import Death, Maintenance
from queuekit.processes.registration import ProcessRow, Registration
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, attempts, claim, counts, in_use, misplaced, silent_for

DIED = ProcessExitError("the process 4711 that ran this job was killed by SIGKILL")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with in_use(f"sqlite:///{tmp_path / 'queue.sqlite3'}") as database:
        yield database
        assert misplaced() == []


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    heard: list[Event] = []
    monkeypatch.setattr(events, "_handlers", [heard.append])
    return heard


class Clock:
    """What maintenance, and its outages, take for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("queuekit.processes.maintenance.time", clock)
    monkeypatch.setattr("queuekit.processes.outage.time", clock)
    return clock


def maintenance(database: Database, running: Collection[int] = (), **settings: Any) -> Maintenance:
    """A supervisor's; `running` are the pids of its children."""
    configuration = Configuration(database_url=application.configuration().database_url, **settings)
    return Maintenance(
        configuration, database, {"workers": 1}, lambda process: process.pid in running
    )


def begun(database: Database, running: Collection[int] = (), **settings: Any) -> Maintenance:
    supervisor = maintenance(database, running, **settings)
    assert supervisor.begin() == 0
    return supervisor


def child(database: Database, supervisor: Maintenance, pid: int) -> int:
    """The row of a child with this pid."""
    row_id = Registration(database, "Worker", {}, supervisor.registration.id).id
    ask("update queuekit_processes set pid = :pid where id = :id", pid=pid, id=row_id)
    return row_id


def death(pid: int, **how: Any) -> Death:
    usual: dict[str, Any] = {"error": DIED, "begun": [], "may_retry": True, "puts_back": False}
    return Death(pid=pid, **(usual | how))


def buried(heard: list[Event]) -> list[events.ProcessBuried]:
    return [event for event in heard if isinstance(event, events.ProcessBuried)]


def processes() -> list[Any]:
    return [row[0] for row in ask("select id from queuekit_processes order by id")]


# Beginning and ending


def test_a_supervisor_registers_and_leaves(database: Database, heard: list[Event]) -> None:
    supervisor = maintenance(database)
    assert not supervisor.is_registered

    assert supervisor.begin() == 0
    assert supervisor.is_registered
    assert processes() == [supervisor.registration.id]

    supervisor.end()
    assert processes() == []
    started, stopped = heard
    assert started == events.ProcessStarted(kind="Supervisor", metadata={"workers": 1})
    assert isinstance(stopped, events.ProcessStopped)


def test_claims_whose_process_is_unknown_fail_when_it_begins(
    database: Database, heard: list[Event]
) -> None:
    receipt = note.enqueue()
    gone = Registration(database, "Worker", {}).id
    claim(gone)
    ask("delete from queuekit_processes")

    begun(database)

    assert attempts(receipt.job_id) == [(1, "failed")]
    error = queuekit.failed.show(receipt.job_id).error
    assert error.exception_class == "queuekit.errors.ProcessMissingError"
    assert error.message == (
        f"the process {gone} that had claimed this job is not registered any more"
    )
    assert [event.failed for event in buried(heard)] == [(receipt.job_id,)]


def test_a_database_that_cannot_be_reached_yet_is_waited_for(
    tmp_path: Path, heard: list[Event]
) -> None:
    with (
        in_use(f"sqlite:///{tmp_path}/queue.sqlite3?busy_timeout=10") as database,
        closing(sqlite3.connect(tmp_path / "queue.sqlite3", isolation_level=None)) as locker,
    ):
        counts()  # prepares it
        supervisor = maintenance(database)
        locker.execute("begin exclusive")
        pauses = [supervisor.begin() for _ in range(3)]
        locker.execute("rollback")

        assert supervisor.begin() == 0

    assert 0 < pauses[0] < pauses[1] < pauses[2]
    assert [type(event).__name__ for event in heard] == [
        "DatabaseLost",
        "ProcessStarted",
        "DatabaseBack",
    ]


def test_a_database_that_refuses_for_long_is_given_up(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database)
    heard.clear()
    ask("alter table queuekit_processes rename to elsewhere")
    clock.now = first = supervisor.next_due
    while supervisor.given_up is None:
        supervisor.attend()
        clock.now = supervisor.next_due
        assert clock.now < first + 310

    assert clock.now >= first + 300
    assert isinstance(supervisor.given_up, NotPreparedError)
    assert [type(event).__name__ for event in heard] == ["DatabaseLost", "DatabaseGivenUp"]


def test_a_database_that_refuses_for_a_moment_is_not_given_up(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database)
    clock.now = supervisor.next_due
    for seconds in (200, 200):
        ask("alter table queuekit_processes rename to elsewhere")
        supervisor.attend()
        clock.now += seconds
        supervisor.attend()
        ask("alter table elsewhere rename to queuekit_processes")
        clock.now = supervisor.next_due
        supervisor.attend()
        clock.now = supervisor.next_due

    assert supervisor.given_up is None
    assert isinstance(heard[-1], events.DatabaseBack)


def test_what_does_not_get_better_by_itself_is_not_waited_for(database: Database) -> None:
    ask("alter table queuekit_processes rename to elsewhere")

    with pytest.raises(NotPreparedError):
        maintenance(database).begin()


# The dead


def test_the_claims_of_a_dead_child_go_where_the_death_sends_them(
    database: Database, heard: list[Event]
) -> None:
    supervisor = begun(database)
    one, two = note.enqueue(1), note.enqueue(2)
    claim(child(database, supervisor, 4711))

    supervisor.note_death(death(4711, begun=[one.row_id]))
    supervisor.attend()

    assert attempts(one.job_id) == [(1, "failed")]
    assert attempts(two.job_id) == [(1, "ready")]
    assert queuekit.failed.show(one.job_id).error.message == str(DIED)
    (event,) = buried(heard)
    assert (event.kind, event.process, event.reason) == ("Worker", 4711, str(DIED))
    assert (event.failed, event.retried, event.released) == ((one.job_id,), (), (two.job_id,))


def test_what_runs_again_is_the_configurations_to_say(database: Database) -> None:
    supervisor = begun(database, on_process_death="retry", max_process_deaths=2)
    receipt = note.enqueue()

    for pid, ends in ((1, [(1, "retried"), (2, "ready")]), (2, [(1, "retried"), (2, "failed")])):
        (job,) = claim(child(database, supervisor, pid))
        supervisor.note_death(death(pid, begun=[job.row_id]))
        supervisor.attend()
        assert attempts(receipt.job_id) == ends


def test_what_may_not_be_retried_fails_whatever_the_configuration_says(database: Database) -> None:
    supervisor = begun(database, on_process_death="retry")
    receipt = note.enqueue()
    claim(child(database, supervisor, 4711))

    supervisor.note_death(death(4711, begun=[receipt.row_id], may_retry=False))
    supervisor.attend()

    assert attempts(receipt.job_id) == [(1, "failed")]


def test_the_claims_of_a_child_that_was_made_to_quit_go_back(database: Database) -> None:
    supervisor = begun(database)
    receipt = note.enqueue()
    claim(child(database, supervisor, 4711))

    supervisor.note_death(death(4711, begun=[receipt.row_id], puts_back=True))
    supervisor.attend()

    assert attempts(receipt.job_id) == [(1, "ready")]


def test_a_child_that_left_well_has_no_row_to_bury(database: Database, heard: list[Event]) -> None:
    supervisor = begun(database)

    supervisor.note_death(death(4711))
    supervisor.attend()

    assert buried(heard) == []


def test_of_two_supervisors_that_find_the_same_process_dead_one_says_so(
    database: Database, heard: list[Event]
) -> None:
    receipt = note.enqueue()
    dead = Registration(database, "Worker", {}).id
    claim(dead)

    for supervisor in (begun(database), begun(database)):
        supervisor.note_death(death(9, begun=None, row=ProcessRow(dead, "Worker", 9, "web2")))
        supervisor.attend()

    assert [event.failed for event in buried(heard)] == [(receipt.job_id,)]


def test_the_last_dead_are_buried_before_it_leaves(database: Database) -> None:
    supervisor = begun(database)
    receipt = note.enqueue()
    claim(child(database, supervisor, 4711))
    supervisor.note_death(death(4711, begun=[receipt.row_id]))

    supervisor.end()

    assert counts() == {"failed": 1}
    assert processes() == []


def test_no_death_is_forgotten_while_the_database_cannot_be_used(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database)
    receipts = [note.enqueue(), note.enqueue()]
    for pid in (1, 2):
        claim(child(database, supervisor, pid), limit=1)
    ask("alter table queuekit_processes rename to elsewhere")

    supervisor.note_death(death(1, begun=[receipts[0].row_id]))
    for _ in range(3):
        supervisor.attend()
    supervisor.note_death(death(2, begun=[receipts[1].row_id]))
    supervisor.attend()
    assert supervisor.next_due > clock.now
    ask("alter table elsewhere rename to queuekit_processes")
    supervisor.attend()

    assert [attempts(receipt.job_id) for receipt in receipts] == [[(1, "failed")]] * 2
    assert [type(event).__name__ for event in heard].count("DatabaseLost") == 1


def test_a_supervisor_that_cannot_say_goodbye_says_so(
    database: Database, heard: list[Event]
) -> None:
    supervisor = begun(database)
    ask("alter table queuekit_processes rename to elsewhere")

    supervisor.end()

    assert [type(event).__name__ for event in heard[-2:]] == ["ProcessLeftClaims", "ProcessStopped"]
    ask("alter table elsewhere rename to queuekit_processes")


# Beating and pruning


def test_it_beats_when_it_is_time(database: Database, clock: Clock) -> None:
    supervisor = begun(database, process_heartbeat_interval=60)
    silent_for(supervisor.registration.id, 1000)
    assert supervisor.next_due == clock.now + 60

    clock.now += 59
    supervisor.attend()
    assert database.query("processes.silent", silent_for=500) != []

    clock.now += 1
    supervisor.attend()
    assert database.query("processes.silent", silent_for=500) == []
    assert supervisor.next_due == clock.now + 60


def beats(supervisor: Maintenance, clock: Clock, number: int) -> None:
    """Heartbeats that come on time."""
    for _ in range(number):
        clock.now = supervisor.next_due
        supervisor.attend()


def test_who_was_silent_for_too_long_is_pruned_on_any_host(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database, process_heartbeat_interval=10, process_alive_threshold=100)
    receipt = note.enqueue()
    silent, alive = (Registration(database, "Worker", {}).id for _ in range(2))
    claim(silent)
    ask("update queuekit_processes set pid = 9, hostname = 'web2' where id = :id", id=silent)
    silent_for(silent, 101)
    silent_for(alive, 50)

    beats(supervisor, clock, 2)

    assert processes() == [supervisor.registration.id, alive]
    error = queuekit.failed.show(receipt.job_id).error
    assert error.exception_class == "queuekit.errors.ProcessPrunedError"
    assert error.message == "Worker 9 on web2 sent no heartbeat for more than 100 s"
    (event,) = buried(heard)
    assert (event.process, event.hostname, event.failed) == (9, "web2", (receipt.job_id,))


def let_no_one_bury(process_id: int) -> None:
    with closing(sqlite3.connect(application.database().url.database)) as connection:
        connection.execute(
            "create trigger refuse before delete on queuekit_processes "
            f"when old.id = {process_id} begin select raise(abort, 'not this one'); end"
        )


def test_a_silent_process_that_cannot_be_buried_keeps_no_other_from_it(
    database: Database, clock: Clock, heard: list[Event]
) -> None:
    supervisor = begun(database)
    locked, other = [Registration(database, "Worker", {}).id for _ in range(2)]
    for process_id in (locked, other):
        silent_for(process_id, 1000)
    let_no_one_bury(locked)

    beats(supervisor, clock, 2)
    assert processes() == [supervisor.registration.id, locked, other]
    beats(supervisor, clock, 4)
    assert processes() == [supervisor.registration.id, locked]

    ask("drop trigger refuse")
    beats(supervisor, clock, 4)
    assert processes() == [supervisor.registration.id]
    assert len(buried(heard)) == 2


def test_a_child_that_cannot_be_buried_keeps_no_other_from_it(
    database: Database, clock: Clock
) -> None:
    supervisor = begun(database)
    locked, other = child(database, supervisor, 1), child(database, supervisor, 2)
    supervisor.note_death(death(1))
    supervisor.note_death(death(2))
    let_no_one_bury(locked)

    supervisor.attend()
    assert processes() == [supervisor.registration.id, locked, other]
    supervisor.attend()
    assert processes() == [supervisor.registration.id, locked]

    ask("drop trigger refuse")
    supervisor.attend()
    assert processes() == [supervisor.registration.id]


def test_a_child_of_its_own_that_runs_is_not_pruned_however_silent(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    """Its claims must not end before it has. What others' children do, it cannot know."""
    supervisor = begun(
        database, running=[1, 3], process_heartbeat_interval=10, process_alive_threshold=100
    )
    other = Registration(database, "Supervisor", {}).id
    runs, gone = child(database, supervisor, 1), child(database, supervisor, 2)
    elsewhere = Registration(database, "Worker", {}, other).id
    ask("update queuekit_processes set pid = 3 where id = :id", id=elsewhere)
    for process in (runs, gone, elsewhere):
        silent_for(process, 101)

    beats(supervisor, clock, 2)

    assert processes() == [supervisor.registration.id, other, runs]
    assert [event.process for event in buried(heard)] == [2, 3]


def test_one_that_has_just_woken_calls_nobody_dead(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database, process_heartbeat_interval=10, process_alive_threshold=100)
    beats(supervisor, clock, 2)
    silent_for(Registration(database, "Worker", {}).id, 101)

    clock.now += 25  # suspended, as all the others were
    supervisor.attend()
    assert buried(heard) == []
    beats(supervisor, clock, 1)
    assert buried(heard) == []

    beats(supervisor, clock, 1)
    assert len(buried(heard)) == 1


def test_one_that_was_pruned_registers_again(
    database: Database, heard: list[Event], clock: Clock
) -> None:
    supervisor = begun(database)
    before = supervisor.registration.id
    ask("delete from queuekit_processes")

    beats(supervisor, clock, 1)

    assert processes() == [supervisor.registration.id]
    assert supervisor.registration.id != before
    assert events.ProcessWasPruned(kind="Supervisor", consequence="it registers again") in heard


def test_one_that_was_pruned_still_buries_the_children_of_before(
    database: Database, clock: Clock
) -> None:
    supervisor = begun(database)
    receipt = note.enqueue()
    claim(child(database, supervisor, 4711))
    ask("delete from queuekit_processes where kind = 'Supervisor'")
    beats(supervisor, clock, 1)

    supervisor.note_death(death(4711, begun=[receipt.row_id]))
    supervisor.attend()

    assert attempts(receipt.job_id) == [(1, "failed")]
