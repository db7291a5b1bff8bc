"""A supervisor's dealings with the database: its own row, and the rows and claims of the dead.

What the database does not take now is kept and tried again: a death is never forgotten, and an
outage is said once. Whom it does not let us bury comes last the next time, after all the others: a
claim may be locked by a job's own transaction, whose host is gone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queuekit import events
from queuekit.config import Configuration
from queuekit.database import Database, is_current
from queuekit.errors import (
    DatabaseError,
    NotPreparedError,
    ProcessMissingError,
    ProcessPrunedError,
)
from queuekit.executions.claimed import orphaned_processes
from queuekit.processes import registration
from queuekit.processes.outage import Outage, may_pass
from queuekit.processes.registration import Burial, ProcessRow, Registration

#: Heartbeats that must have been on time, one after the other, before others are called dead: after
#: a suspended machine wakes, everybody's are late.
_BEATS_BEFORE_PRUNING = 2

#: The exit status of a supervisor that could not tell the database that it leaves: its row, and its
#: children's with what they had claimed, stay until others find them silent.
EXIT_LEFT_CLAIMS = 1


@dataclass(frozen=True, slots=True)
class Death:
    """A child that has ended, and what its claims deserve.

    `begun` has the row ids of the claims that had begun, None when nobody knows. With `puts_back`
    they all go back to ready: it was we who ended it. `row` is its own where that is known: threads
    share their pid.
    """

    pid: int
    error: Exception
    begun: Sequence[int] | None
    may_retry: bool
    puts_back: bool
    row: ProcessRow | None = None


class Maintenance:
    """1. Registers the supervisor, once the database can be used and is prepared.
    2. Beats.
    3. Buries children that died: their claims fail, are retried or released.
    4. Prunes processes, of whatever host, that have not sent heartbeats for too long. Not children
       of its own that run, which `runs` tells: their claims end when they have.
    5. Deregisters.

    `given_up` is set when the database has refused all this for so long that it is time to leave.
    """

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        metadata: Mapping[str, Any],
        runs: Callable[[ProcessRow], bool],
    ) -> None:
        self.configuration = configuration
        self._database = database
        self._metadata = metadata
        self._runs = runs
        self._registration: Registration | None = None
        self._ids: list[int] = []  # the one before, too, when it was pruned: children have it
        self._deaths: deque[Death] = deque()
        self._unburied: set[int] = set()
        self._outage = Outage("Supervisor")
        self.given_up: DatabaseError | None = None
        self.exit_status = 0
        self._next_beat = 0.0
        self._beats_on_time = 0
        self._began = time.monotonic()

    @property
    def registration(self) -> Registration:
        assert self._registration is not None, "the supervisor has not registered yet"
        return self._registration

    @property
    def is_registered(self) -> bool:
        return self._registration is not None

    @property
    def next_due(self) -> float:
        """When to attend next, by time.monotonic()."""
        return self._next_beat

    def begin(self) -> float:
        """Register. Returns 0, or the seconds to wait before trying again.

        Raises NotPreparedError, DatabaseRefusedError and what else is no use waiting for.
        """
        try:
            self._check_prepared()
            self._register()
        except DatabaseError as error:
            if not may_pass(error):
                raise
            return self._outage.pause(error)
        self._outage.over()
        return 0.0

    def note_death(self, death: Death) -> None:
        self._deaths.append(death)

    def attend(self) -> None:
        """Bury the dead, and beat and prune when it is time."""
        try:
            self._bury_children()
            if time.monotonic() >= self._next_beat:
                self._beat()
                self._outage.over()
        except DatabaseError as error:
            self._beats_on_time = 0
            self._next_beat = time.monotonic() + self._outage.pause(error)
            self._give_up_if_hopeless(error)

    def end(self) -> None:
        """Bury the last dead and deregister, if the database lets us."""
        try:
            self._bury_children()
            self.registration.leave()
        except DatabaseError as error:
            self.exit_status = EXIT_LEFT_CLAIMS
            events.emit(events.ProcessLeftClaims(kind="Supervisor", error=str(error)))
        uptime = time.monotonic() - self._began
        events.emit(events.ProcessStopped(kind="Supervisor", released=0, uptime=uptime))

    def _give_up_if_hopeless(self, error: DatabaseError) -> None:
        """A refusal that somebody may be putting right is worth as long a wait as a silent process
        is. Then it is better to end loudly than to look alive."""
        if self.given_up is None and self._outage.is_hopeless(
            self.configuration.process_alive_threshold
        ):
            self.given_up = error
            self._outage.give_up(error)

    def _check_prepared(self) -> None:
        connection = self._database.connect()
        try:
            dialect = self._database.dialect
            if not dialect.prepares_itself and not is_current(connection, dialect):
                raise NotPreparedError(
                    f"{self._database.url} lacks tables of this version of queuekit: "
                    "run bin/jobs prepare"
                )
        finally:
            connection.close()

    def _register(self) -> None:
        self._registration = Registration(self._database, "Supervisor", self._metadata)
        self._ids.append(self._registration.id)
        self._next_beat = time.monotonic() + self.configuration.process_heartbeat_interval
        events.emit(events.ProcessStarted(kind="Supervisor", metadata=self._metadata))
        for process_id in orphaned_processes(self._database):
            error = ProcessMissingError(
                f"the process {process_id} that had claimed this job is not registered any more"
            )
            burial = registration.bury(self._database, self.configuration, process_id, error)
            _tell(ProcessRow(process_id, "Process", 0, "an unknown host"), error, burial)

    def _bury_children(self) -> None:
        while self._deaths:
            death = self._deaths[0]
            try:
                for row in self._rows_of(death):
                    self._bury_child(row, death)
            except DatabaseError:
                self._deaths.rotate(-1)
                raise
            self._deaths.popleft()

    def _rows_of(self, death: Death) -> list[ProcessRow]:
        if death.row is not None:
            return [death.row]
        found = (registration.child(self._database, own_id, death.pid) for own_id in self._ids)
        return [row for row in found if row is not None]

    def _bury_child(self, row: ProcessRow, death: Death) -> None:
        burial = registration.bury(
            self._database,
            self.configuration,
            row.id,
            death.error,
            begun=[] if death.puts_back else death.begun,
            may_retry=death.may_retry,
        )
        _tell(row, death.error, burial)

    def _beat(self) -> None:
        now = time.monotonic()
        interval = self.configuration.process_heartbeat_interval
        on_time = now - self._next_beat < interval
        self._beats_on_time = self._beats_on_time + 1 if on_time else 0
        self._next_beat = now + interval
        if not self.registration.beat():
            self._register_again()
        if self._beats_on_time >= _BEATS_BEFORE_PRUNING:
            self._prune()

    def _register_again(self) -> None:
        """Pruned by another host while this one was asleep. The children find out by themselves."""
        events.emit(events.ProcessWasPruned(kind="Supervisor", consequence="it registers again"))
        self._register()

    def _prune(self) -> None:
        silent = registration.silent(self._database, self.configuration.process_alive_threshold)
        self._unburied &= {process.id for process in silent}
        for process in sorted(silent, key=lambda process: process.id in self._unburied):
            if process.supervisor_id not in self._ids or not self._runs(process):
                self._unburied.add(process.id)
                self._bury_silent(process)
                self._unburied.remove(process.id)

    def _bury_silent(self, process: ProcessRow) -> None:
        threshold = self.configuration.process_alive_threshold
        error = ProcessPrunedError(
            f"{process.kind} {process.pid} on {process.hostname} sent no heartbeat for more "
            f"than {threshold:g} s"
        )
        burial = registration.bury(
            self._database, self.configuration, process.id, error, silent_for=threshold
        )
        _tell(process, error, burial)


def _tell(process: ProcessRow, error: Exception, burial: Burial) -> None:
    """Of several supervisors that find the same process dead, one buries it and says so."""
    if burial.happened:
        events.emit(
            events.ProcessBuried(
                kind=process.kind,
                process=process.pid,
                hostname=process.hostname,
                reason=str(error),
                failed=burial.failed,
                retried=burial.retried,
                released=burial.released,
            )
        )
