"""What every process under a supervisor does, whatever its role: register, beat, run, leave.

A role has a `name`, `metadata()`, `start(process_id)`, `poll()` (does what is due, returns how long
to sleep), `hints` (what may cut that short), `stop()` (begin nothing new), `is_done`,
`leaves_because` (why it wants to leave by itself), `exit_status`, `close()` (settle what can still
be settled) and `abandon()` (however it ends: let its threads go). Roles know nothing of signals,
registrations or heartbeats; the runner knows nothing of jobs.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from queuekit import events, hooks, logs
from queuekit.config import Configuration
from queuekit.database import Database
from queuekit.errors import DatabaseError, QueuekitError
from queuekit.processes.hints import Hints
from queuekit.processes.outage import Outage
from queuekit.processes.registration import Registration
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Ending, Wakeup

EXIT_PRUNED = 3
EXIT_TIMED_OUT = 4

#: The loop comes round at least this often, in seconds, to show that it is not hung.
_TICK = 1.0


class PrunedError(QueuekitError):
    """Others took this process for dead: its jobs are failed, nothing it does counts any more."""


class ThreadDiedError(QueuekitError):
    """A thread that this process cannot do without has ended with an error: its cause."""


class Role(Protocol):
    name: str
    leaves_because: str | None

    def metadata(self) -> dict[str, Any]: ...
    def start(self, process_id: int) -> None: ...
    @property
    def hints(self) -> Hints | None: ...
    def poll(self) -> float: ...
    def stop(self) -> None: ...
    @property
    def is_done(self) -> bool: ...
    @property
    def exit_status(self) -> int: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Runner:
    """One process, or one thread of an async supervisor, in its role.

    1. Registers it, when need be as soon as the database can be reached.
    2. Sends heartbeats from a thread with a connection of its own, whatever the role is doing;
       between them that one listens for hints, where the role wants any.
    3. Polls the role until told to `stop`, which lets it finish, or to `quit`, which does not.
    4. Shows on the scoreboard that its loop comes round.
    5. Leaves when the role wants to, and when it was pruned, at once.
    6. Deregisters: what is still claimed goes back to ready.

    `look_around` is called each time the loop comes round: signals, a supervisor that is gone.
    """

    def __init__(
        self,
        role: Role,
        database: Database,
        configuration: Configuration,
        wakeup: Wakeup,
        scoreboard: Scoreboard,
        supervisor_id: int,
        look_around: Callable[[Runner], object],
    ) -> None:
        self._role = role
        self._database = database
        self._configuration = configuration
        self._wakeup = wakeup
        self._scoreboard = scoreboard
        self._supervisor_id = supervisor_id
        self._look_around = look_around
        self._began = time.monotonic()
        self._stopping = False
        self._must_quit = False
        self._quit_at = float("inf")
        self._pruned = False
        self._heartbeat_error: BaseException | None = None
        self.process_id: int | None = None
        self._ending = Ending()
        self._outage = Outage(role.name)

    def stop(self, reason: str, quit_after: float = float("inf")) -> None:
        """Finish what runs, begin nothing, then leave; quit when that takes too many seconds."""
        if not self._stopping:
            self._stopping = True
            self._quit_at = time.monotonic() + quit_after
            self._role.stop()
            events.emit(events.ProcessStopping(kind=self._role.name, reason=reason))
        self._wakeup.set()

    def quit(self) -> None:
        """Leave now: what runs goes back to ready."""
        self._must_quit = True
        self._wakeup.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping or self._must_quit

    def run(self) -> int:
        """Run until it is time to leave. Returns the exit status.

        Raises ThreadDiedError, and whatever the role raises that is not the database's.
        """
        registration = self._register()
        if registration is None:
            return 0
        process = hook_process(registration)
        self.process_id = registration.id
        self._role.start(registration.id)
        hooks.call("start", process)
        threading.Thread(
            target=self._beat, args=(registration,), name="queuekit-heartbeat", daemon=True
        ).start()
        self._scoreboard.register()
        try:
            self._live(process)
            return self._leave(registration)
        except PrunedError as error:
            events.emit(events.ProcessWasPruned(kind=self._role.name, consequence=str(error)))
            return EXIT_PRUNED
        finally:
            self._ending.set()
            self._wakeup.close()

    def _live(self, process: hooks.Process) -> None:
        """Exit hooks may take their time, and what was cut short still runs meanwhile. So they are
        called before its claims go back: nobody else gets it until this process is as good as gone.
        """
        try:
            self._loop()
            hooks.call("stop", process)
            self._finish()
        finally:
            self._role.abandon()
            hooks.call("exit", process)

    def _register(self) -> Registration | None:
        while not self._is_leaving():
            self._come_round()
            try:
                metadata = self._role.metadata()
                sent_at = time.monotonic()
                registration = Registration(
                    self._database, self._role.name, metadata, self._supervisor_id
                )
                self._scoreboard.beat(sent_at)
            except DatabaseError as error:
                self._sleep(self._outage.pause(error))
            else:
                self._outage.over()
                events.emit(events.ProcessStarted(kind=self._role.name, metadata=metadata))
                return registration
        return None

    def _loop(self) -> None:
        self._come_round()  # a signal may have come while hooks ran
        while not self.is_stopping:
            self._sleep(self._poll())

    def _finish(self) -> None:
        while not self._is_leaving():
            self._sleep(self._poll())

    def _poll(self) -> float:
        try:
            seconds = self._role.poll()
        except DatabaseError as error:
            pause = self._outage.pause(error)
            self._leave_if_hopeless(error)
            return pause
        self._outage.over()
        return seconds

    def _leave_if_hopeless(self, error: DatabaseError) -> None:
        """Refused for long: say so by leaving. The supervisor starts another, if it may."""
        configuration = self._configuration
        if not self._stopping and self._outage.is_hopeless(configuration.process_alive_threshold):
            self._outage.give_up(error)
            self.stop("the database refuses it", quit_after=configuration.shutdown_timeout)

    def _sleep(self, seconds: float) -> None:
        """Wait until woken or the time is over, coming round on the way."""
        until = time.monotonic() + seconds
        woken = False
        while not (woken or self._is_leaving()):
            left = until - time.monotonic()
            woken = self._wait(min(left, _TICK))
            self._come_round()
            if left <= _TICK:
                return

    def _wait(self, seconds: float) -> bool:
        if self._role.hints is None:
            return self._wakeup.wait(seconds)
        return self._role.hints.wait(seconds)

    def _come_round(self) -> None:
        self._scoreboard.tick()
        self._look_around(self)
        if self._role.leaves_because is not None:
            self.stop(self._role.leaves_because)
        if time.monotonic() >= self._quit_at:
            self._must_quit = True
        if self._pruned:
            raise PrunedError("its heartbeat found no registration")
        if self._heartbeat_error is not None:
            raise ThreadDiedError("the heartbeat's thread ended") from self._heartbeat_error

    def _is_leaving(self) -> bool:
        return self._must_quit or (self._stopping and self._role.is_done)

    def _leave(self, registration: Registration) -> int:
        """Settle, deregister. Where the database does not answer, the supervisor buries us. A job
        that is stuck keeps its claim until this process is gone: that, too, is the supervisor's."""
        status = self._role.exit_status
        try:
            self._role.close()
            if status == EXIT_TIMED_OUT and not self._must_quit:
                return status
            released = registration.leave()
        except DatabaseError as error:
            events.emit(events.ProcessLeftClaims(kind=self._role.name, error=str(error)))
            return 1
        uptime = time.monotonic() - self._began
        events.emit(events.ProcessStopped(kind=self._role.name, released=released, uptime=uptime))
        return 0

    def _beat(self, registration: Registration) -> None:
        """The heartbeat's thread. While the database cannot be reached it asks more often."""
        logs.set_thread_kind(self._role.name)
        interval = self._configuration.process_heartbeat_interval
        outage = Outage(f"{self._role.name}'s heartbeat")
        pause = interval
        try:
            while not self._is_over(pause):
                try:
                    sent_at = time.monotonic()
                    self._pruned = not registration.beat()
                    if not self._pruned:  # else no job is to begin any more
                        self._scoreboard.beat(sent_at)
                    outage.over()
                    pause = interval
                except DatabaseError as error:
                    pause = min(interval, outage.pause(error))
                if self._pruned:
                    self._wakeup.set()
                    return
            self._database.disconnect()
        except BaseException as error:
            self._heartbeat_error = error
            self._wakeup.set()
        finally:
            self._ending.close()

    def _is_over(self, seconds: float) -> bool:
        """Wait for hints so long. Whether the process has ended meanwhile."""
        if self._role.hints is None:
            return self._ending.wait(seconds)
        self._role.hints.listen(seconds, self._ending)
        return self._ending.is_set


def hook_process(registration: Registration) -> hooks.Process:
    """A registered process, as its hooks are given it."""
    return hooks.Process(
        id=registration.id,
        kind=registration.kind,
        pid=os.getpid(),
        hostname=socket.gethostname(),
        metadata=registration.metadata,
    )
