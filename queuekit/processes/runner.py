"""What every supervised process does, whatever its role: register, beat, run the role, leave.

A role has a `name`, `metadata()`, `start(process_id)`, `poll()` (does what is due, returns how long
to sleep), `stop()` (begin nothing new), `is_done`, and `close()`. Roles know nothing of signals,
registrations or heartbeats; the runner knows nothing of jobs.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Protocol

from queuekit import logs
from queuekit.config import Configuration
from queuekit.database import Database
from queuekit.errors import DatabaseError, QueuekitError
from queuekit.processes.outage import Outage
from queuekit.processes.registration import Registration
from queuekit.processes.signals import GRACEFUL, STOPPING, SignalBox
from queuekit.processes.wakeup import Wakeup

EXIT_PRUNED = 3


class PrunedError(QueuekitError):
    """Others took this process for dead: its jobs are failed, nothing it does counts any more."""


class Role(Protocol):
    name: str

    def metadata(self) -> dict[str, Any]: ...
    def start(self, process_id: int) -> None: ...
    def poll(self) -> float: ...
    def stop(self) -> None: ...
    @property
    def is_done(self) -> bool: ...
    def close(self) -> None: ...


class Runner:
    """One supervised process.

    1. Registers it, when need be as soon as the database can be reached.
    2. Sends heartbeats from a thread with a connection of its own, whatever the role is doing.
    3. Polls the role until told to stop: TERM and INT let it finish, QUIT does not.
    4. Leaves when the supervisor is gone, as if told to, and when it was pruned, at once.
    5. Deregisters: what is still claimed goes back to ready.
    """

    def __init__(
        self,
        role: Role,
        database: Database,
        configuration: Configuration,
        wakeup: Wakeup,
        supervisor_id: int,
    ) -> None:
        self._role = role
        self._database = database
        self._configuration = configuration
        self._wakeup = wakeup
        self._supervisor_id = supervisor_id
        self._supervisor_pid = os.getppid()
        self._signals = SignalBox(wake=wakeup.set)
        self._stopping = False
        self._must_quit = False
        self._pruned = False
        self._deadline = float("inf")
        self._outage = Outage(role.name)

    def listen(self) -> None:
        """Take over the signals. The supervisor holds them back until this has been called."""
        self._signals.listen(STOPPING)

    def run(self) -> int:
        """Run until it is time to leave. Returns the exit status."""
        registration = self._register()
        if registration is None:
            return 0
        logs.process_started(self._role.name, self._role.metadata())
        self._role.start(registration.id)
        heartbeat = threading.Thread(
            target=self._beat, args=(registration,), name="queuekit-heartbeat", daemon=True
        )
        heartbeat.start()
        try:
            self._loop()
            return self._leave(registration)
        except PrunedError as error:
            logs.process_pruned(self._role.name, str(error))
            return EXIT_PRUNED

    def _register(self) -> Registration | None:
        while not self._is_leaving():
            try:
                return Registration(
                    self._database, self._role.name, self._role.metadata(), self._supervisor_id
                )
            except DatabaseError as error:
                self._wakeup.wait(self._outage.pause(error))
                self._look_around()
        return None

    def _loop(self) -> None:
        while not self._is_leaving():
            self._wakeup.wait(self._poll())
            self._look_around()

    def _poll(self) -> float:
        try:
            seconds = self._role.poll()
        except DatabaseError as error:
            return self._outage.pause(error)
        self._outage.over()
        return seconds

    def _look_around(self) -> None:
        """Signals, a supervisor that is gone, a registration that is gone."""
        for number in self._signals.take():
            if number in GRACEFUL:
                self._stop()
            else:
                self._must_quit = True
        if os.getppid() != self._supervisor_pid and not self._stopping:
            logs.supervisor_gone(self._role.name)
            self._stop()
            self._deadline = time.monotonic() + self._configuration.shutdown_timeout
        if time.monotonic() > self._deadline:
            self._must_quit = True
        if self._pruned:
            raise PrunedError("its heartbeat found no registration")

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._role.stop()
            logs.process_stopping(self._role.name)

    def _is_leaving(self) -> bool:
        return self._must_quit or (self._stopping and self._role.is_done)

    def _leave(self, registration: Registration) -> int:
        """Settle, deregister. Where the database does not answer, the supervisor buries us."""
        try:
            self._role.close()
            released = registration.leave()
        except DatabaseError as error:
            logs.leaving_failed(self._role.name, error)
            return 1
        logs.process_stopped(self._role.name, released)
        return 0

    def _beat(self, registration: Registration) -> None:
        """The heartbeat's thread. While the database cannot be reached it asks more often."""
        interval = self._configuration.process_heartbeat_interval
        outage = Outage(f"{self._role.name}'s heartbeat")
        pause = interval
        while True:
            time.sleep(pause)
            try:
                if not registration.beat():
                    self._pruned = True
                    self._wakeup.set()
                    return
                outage.over()
                pause = interval
            except DatabaseError as error:
                pause = min(interval, outage.pause(error))
