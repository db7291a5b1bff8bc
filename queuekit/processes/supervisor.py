"""The supervisor: forks the configured processes, replaces those that die, and stops them all.

It has one thread, which makes forking safe, and no connection while it forks: a socket shared by
two processes serves neither. Its loop looks at signals, at children that ended, at the database's
processes, and sleeps until the next of these is due.

    TERM, INT   TERM to the children; those still there after `shutdown_timeout` get QUIT
    QUIT        QUIT to the children: running jobs go back to ready
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

from queuekit import application, logs
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database, is_current, open_database
from queuekit.errors import (
    DatabaseError,
    DatabaseUnavailableError,
    NotPreparedError,
    ProcessExitError,
)
from queuekit.executions import claimed
from queuekit.importing import import_all
from queuekit.processes import registration
from queuekit.processes.children import Children, Place, Settings
from queuekit.processes.dispatcher import Dispatcher
from queuekit.processes.outage import Outage
from queuekit.processes.registration import Registration
from queuekit.processes.runner import Role, Runner
from queuekit.processes.signals import GRACEFUL, STOPPING, SignalBox, held_back
from queuekit.processes.title import set_title
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker

#: Seconds that children told to QUIT get to say goodbye to the database before they are killed.
_QUIT_TIMEOUT = 5.0

#: Heartbeats that must have been on time, one after the other, before others are called dead: after
#: a suspended machine wakes, everybody's are late.
_BEATS_BEFORE_PRUNING = 2


def run(configuration: Configuration) -> int:
    """Run the configured processes until a signal ends them. Returns the exit status.

    Waits for a database that cannot be reached yet. Raises NotPreparedError, DatabaseRefusedError,
    and whatever the modules under `imports` raise when they are imported.
    """
    application.use(configuration)
    supervisor = Supervisor(configuration)
    supervisor.start()
    return supervisor.supervise()


class Supervisor:
    """One supervisor and its children.

    1. Boots: database, imports, registration.
    2. Keeps every place among the children filled.
    3. Buries children that died: what they had claimed fails, and says why.
    4. Beats, and prunes processes, of whatever host, that have not for too long.
    5. Stops everything when told to.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._database = application.database()
        self._children = Children(configuration)
        self._wakeup = Wakeup()
        self._signals = SignalBox(wake=self._wakeup.set)
        self._registration: Registration | None = None
        self._stop_deadline: float | None = None
        self._quitting = False
        self._killing = False
        self._graves: list[tuple[int, Exception]] = []
        self._outage = Outage("Supervisor")
        self._next_beat = 0.0
        self._beats_on_time = 0

    def start(self) -> None:
        set_title("Supervisor", {})
        import_all(self._configuration.imports)
        gc.freeze()  # what was imported stays shared between the children
        self._signals.listen((*STOPPING, signal.SIGCHLD))
        self._wait_for_database()

    def supervise(self) -> int:
        while True:
            self._handle_signals()
            self._reap()
            self._escalate()
            self._attend_database()
            if self._is_stopping and not self._children:
                break
            self._fill_places()
            self._wakeup.wait(self._seconds_to_sleep())
        self._leave()
        return 0

    # Booting

    def _wait_for_database(self) -> None:
        while not self._is_stopping:
            try:
                self._check_prepared()
                self._register()
                self._outage.over()
                return
            except DatabaseUnavailableError as error:
                self._wakeup.wait(self._outage.pause(error))
                self._handle_signals()

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
        metadata = {
            "workers": sum(worker.processes for worker in self._configuration.workers),
            "dispatchers": len(self._configuration.dispatchers),
        }
        self._registration = Registration(self._database, "Supervisor", metadata)
        self._next_beat = time.monotonic() + self._configuration.process_heartbeat_interval
        logs.process_started("Supervisor", metadata)
        orphans = claimed.fail_orphans(self._database)
        if orphans:
            logs.orphans_failed(orphans)

    # Children

    def _fill_places(self) -> None:
        if self._is_stopping or self._registration is None:
            return
        for place in self._children.vacant(time.monotonic()):
            self._fork(place, self._registration.id)

    def _fork(self, place: Place, supervisor_id: int) -> None:
        self._database.disconnect()
        sys.stdout.flush()
        sys.stderr.flush()
        with held_back(STOPPING):
            pid = os.fork()
            if pid == 0:
                _run_child(place.settings, self._configuration, supervisor_id)
            self._children.forked(place, pid, time.monotonic())

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._children.died(pid, time.monotonic()):
                self._note_death(pid, status)

    def _note_death(self, pid: int, status: int) -> None:
        how = _described_end(status)
        if not self._is_stopping:
            logs.child_died(pid, how)
        self._graves.append((pid, ProcessExitError(f"the process {pid} that ran this job {how}")))

    # Stopping

    @property
    def _is_stopping(self) -> bool:
        return self._stop_deadline is not None

    def _handle_signals(self) -> None:
        for number in self._signals.take():
            if number in GRACEFUL:
                self._stop()
            elif number in STOPPING:
                self._quit()

    def _stop(self) -> None:
        if not self._is_stopping:
            logs.supervisor_stopping(len(self._children), self._configuration.shutdown_timeout)
            self._stop_deadline = time.monotonic() + self._configuration.shutdown_timeout
            self._signal_children(signal.SIGTERM)

    def _quit(self) -> None:
        if not self._quitting:
            logs.supervisor_quitting(len(self._children))
            self._quitting = True
            self._stop_deadline = time.monotonic() + _QUIT_TIMEOUT
            self._signal_children(signal.SIGQUIT)

    def _escalate(self) -> None:
        """Children that outlast the deadline get QUIT, and after another one KILL."""
        if self._stop_deadline is None or time.monotonic() < self._stop_deadline:
            return
        if not self._quitting:
            self._quit()
        elif not self._killing:
            self._killing = True
            logs.killing(self._children.pids())
            self._signal_children(signal.SIGKILL)

    def _signal_children(self, number: signal.Signals) -> None:
        for pid in self._children.pids():
            os.kill(pid, number)  # not reaped yet, so the pid is still theirs

    # The database's processes

    def _attend_database(self) -> None:
        """Bury the dead and beat. What the database does not take now is tried again later."""
        try:
            self._bury()
            if time.monotonic() >= self._next_beat and not self._is_stopping:
                self._beat()
                self._outage.over()
        except DatabaseError as error:
            self._beats_on_time = 0
            self._next_beat = time.monotonic() + self._outage.pause(error)

    def _bury(self) -> None:
        if self._registration is None:
            return
        while self._graves:
            pid, error = self._graves[0]
            process_id = registration.child_id(self._database, self._registration.id, pid)
            if process_id is not None:
                self._end_claims(process_id, pid, error)
            self._graves.pop(0)

    def _end_claims(self, process_id: int, pid: int, error: Exception) -> None:
        """A child that died on its own has its jobs failed; one that we killed, while stopping, has
        them put back, as QUIT promises."""
        if self._killing:
            registration.release(self._database, process_id)
        else:
            failed = registration.bury(self._database, process_id, error)
            logs.child_buried(pid, failed)

    def _beat(self) -> None:
        now = time.monotonic()
        interval = self._configuration.process_heartbeat_interval
        on_time = now - self._next_beat < interval
        self._beats_on_time = self._beats_on_time + 1 if on_time else 0
        self._next_beat = now + interval
        assert self._registration is not None
        if not self._registration.beat():
            self._register_again()
        if self._beats_on_time >= _BEATS_BEFORE_PRUNING:
            threshold = self._configuration.process_alive_threshold
            for process, failed in registration.prune(self._database, threshold):
                logs.pruned(process.kind, process.pid, process.hostname, failed)

    def _register_again(self) -> None:
        """Pruned by another host while this one was asleep. The children find out by themselves."""
        logs.process_pruned("Supervisor", "it registers again")
        self._register()

    def _seconds_to_sleep(self) -> float:
        now = time.monotonic()
        moments = [self._next_beat]
        if self._stop_deadline is not None:
            moments = [self._stop_deadline if not self._killing else now + 1.0]
        elif (vacancy := self._children.next_vacancy()) is not None:
            moments.append(vacancy)
        return max(min(moments) - now, 0.01)

    def _leave(self) -> None:
        if self._registration is None:
            return
        try:
            self._bury()
            self._registration.leave()
        except DatabaseError as error:
            logs.leaving_failed("Supervisor", error)
        logs.process_stopped("Supervisor", 0)


def _run_child(settings: Settings, configuration: Configuration, supervisor_id: int) -> NoReturn:
    """The whole life of a forked child. Never returns into the supervisor's stack."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        database = open_database(configuration.database_url)
        application.use(configuration)
        wakeup = Wakeup()
        role = _role(settings, configuration, database, wakeup)
        set_title(role.name, role.metadata())
        runner = Runner(role, database, configuration, wakeup, supervisor_id)
        runner.listen()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        status = runner.run()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _role(
    settings: Settings, configuration: Configuration, database: Database, wakeup: Wakeup
) -> Role:
    if isinstance(settings, WorkerSettings):
        return Worker(settings, configuration, database, wakeup)
    return Dispatcher(settings, database, log_polling=not configuration.silence_polling)


def _described_end(status: int) -> str:
    """A wait status in words: 'exited with status 1', 'was killed by SIGKILL'."""
    code: Any = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
