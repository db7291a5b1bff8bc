"""Everything in one process: the workers, dispatchers and the supervisor's own work as threads.

For embedding in a web server, and for systems that cannot fork. The roles are the same; what needs
a process of its own cannot be had: a job that is stuck past its timeout keeps its thread, one that
kills the process takes all with it, and the interpreter's lock is shared by all jobs.

    with AsyncSupervisor(configuration):
        serve()                       # any application; leaving the block finishes the jobs
"""

from __future__ import annotations

import faulthandler
import os
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from queuekit import events, hooks, logs
from queuekit.config import Configuration
from queuekit.database import open_database
from queuekit.errors import ProcessExitError
from queuekit.processes.children import Settings
from queuekit.processes.forking import answer_timeout, make_role
from queuekit.processes.maintenance import Death, Maintenance
from queuekit.processes.notify import ServiceManager
from queuekit.processes.registration import ProcessRow
from queuekit.processes.runner import EXIT_PRUNED, Runner, hook_process
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.signals import DUMPING, GRACEFUL, RELOADING, STOPPING, SignalBox
from queuekit.processes.throttle import Throttle
from queuekit.processes.wakeup import Wakeup

#: Seconds between looks at signals: where a wait is not cut short by them, as on Windows.
_ROUND = 0.5


@dataclass(eq=False)
class _Seat:
    """One configured role, and the thread that fills it."""

    settings: Settings
    thread: threading.Thread | None = None
    runner: Runner | None = None
    scoreboard: Scoreboard | None = None
    started_at: float = 0.0
    may_start_at: float = 0.0
    status: int = 0
    error: BaseException | None = None
    throttle: Throttle = field(default_factory=Throttle)


class AsyncSupervisor:
    """A supervisor whose children are threads; `processes` is ignored.

    1. `start` registers, waiting for the database, and starts the threads; `stop` ends them.
    2. Replaces a role that ended by an error or was pruned, as a forked one would be.
    3. Beats, prunes, and buries roles that ended by an error (see Maintenance), from a thread of
       its own.

    `run` does all of it in the foreground until a signal comes, and tells the service manager. An
    embedded one leaves both to the process that it is in.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration = replace(configuration, mode="async")
        self._database = open_database(configuration.database_url, answer_timeout(configuration))
        self._seats = [_Seat(settings) for settings in configuration.dispatchers]
        # The memory is the whole process's, which replacing a thread does not give back.
        self._seats += [
            _Seat(replace(settings, max_memory=None)) for settings in configuration.workers
        ]
        metadata = {
            "workers": len(configuration.workers),
            "dispatchers": len(configuration.dispatchers),
            "mode": "async",
        }
        self._maintenance = Maintenance(configuration, self._database, metadata)
        self._wakeup = Wakeup()
        self._foreground = Wakeup()
        self._service_manager = ServiceManager(environ={})
        self._ready = False
        self._stopping = False
        self._at_once = False
        self._thread = threading.Thread(
            target=self._supervise, name="queuekit-supervisor", daemon=True
        )
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """End: jobs that run finish, for as long as `shutdown_timeout` allows; with `at_once` they
        go back to ready. Returns when everything has ended.

        Raises what ended the supervisor's own thread, if an error did.
        """
        self._tell_to_stop(at_once=at_once)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def run(self) -> int:
        """Run until a signal ends it. Returns the exit status. Only for the main thread."""
        logs.set_process_kind("Supervisor")
        signals = SignalBox(wake=self._foreground.set)
        signals.listen((*STOPPING, *RELOADING))
        if hasattr(faulthandler, "register"):  # not on Windows
            faulthandler.register(DUMPING, all_threads=True)
        self._service_manager = ServiceManager()
        self.start()
        while self._thread.is_alive():
            self._foreground.wait(_ROUND)
            for number in signals.take():
                if number in RELOADING:
                    events.emit(events.Reloaded(problems=("a reload needs the mode fork",)))
                else:
                    self._tell_to_stop(at_once=number not in GRACEFUL)
        self.stop()
        return 0

    def _tell_to_stop(self, *, at_once: bool) -> None:
        """Only said here; the supervisor's thread passes it on, to a role just starting, too."""
        if not self._stopping or (at_once and not self._at_once):
            self._at_once = at_once
            self._stopping = True
            timeout = self._configuration.shutdown_timeout
            events.emit(
                events.SupervisorStopping(
                    children=len(self._seats), at_once=at_once, timeout=timeout
                )
            )
        self._wakeup.set()

    # In the supervisor's thread

    def _supervise(self) -> None:
        try:
            if self._begin():
                process = hook_process(self._maintenance.registration)
                hooks.call("start", process)
                self._loop()
                self._service_manager.stopping()
                hooks.call("stop", process)
                self._finish()
                self._maintenance.end()
                hooks.call("exit", process)
        except BaseException as error:
            self._error = error
        finally:
            self._database.disconnect()
            self._foreground.set()

    def _begin(self) -> bool:
        while not self._stopping and (pause := self._maintenance.begin()):
            self._wakeup.wait(pause)
        return self._maintenance.is_registered

    def _loop(self) -> None:
        while not self._stopping:
            self._note_ends()
            self._maintenance.attend()
            self._fill_seats()
            self._tell_service_manager()
            self._wakeup.wait(self._seconds_to_sleep())

    def _finish(self) -> None:
        """Let the roles end; once more at least, for those that have ended just now."""
        while True:
            self._pass_on_stop()
            self._note_ends()
            self._maintenance.attend()
            self._service_manager.alive()
            if all(seat.thread is None for seat in self._seats):
                return
            self._wakeup.wait(self._seconds_to_sleep())

    def _pass_on_stop(self) -> None:
        for seat in self._seats:
            if seat.runner is not None and self._at_once:
                seat.runner.quit()
            elif seat.runner is not None:
                seat.runner.stop(
                    "finishing the jobs that run", quit_after=self._configuration.shutdown_timeout
                )

    def _note_ends(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.thread is not None and not seat.thread.is_alive():
                self._note_end(seat, now)

    def _note_end(self, seat: _Seat, now: float) -> None:
        role = type(seat.settings).__name__.removesuffix("Settings")
        if seat.error is not None:
            events.emit(events.ErrorOccurred(where=f"a {role}", error=seat.error))
        if seat.status not in (0, EXIT_PRUNED):
            self._note_death(seat, role)
        seat.may_start_at = now
        if seat.status != 0:
            seat.may_start_at += seat.throttle.pause_after(now - seat.started_at)
        seat.thread = seat.runner = seat.error = None

    def _note_death(self, seat: _Seat, role: str) -> None:
        """Have its claims buried. Its jobs may run on, but nobody waits for their results."""
        assert seat.runner is not None and seat.scoreboard is not None
        if seat.runner.process_id is not None:
            why = f"ended by an error: {seat.error}" if seat.error else "could not deregister"
            words = f"the {role} that ran this job {why}"
            self._maintenance.note_death(
                Death(
                    pid=os.getpid(),
                    error=ProcessExitError(words),
                    begun=seat.scoreboard.begun() if seat.scoreboard.knows_all else None,
                    may_retry=True,
                    puts_back=False,
                    row=ProcessRow(seat.runner.process_id, role, os.getpid(), socket.gethostname()),
                )
            )

    def _fill_seats(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.thread is None and seat.may_start_at <= now:
                self._fill(seat, now)

    def _fill(self, seat: _Seat, now: float) -> None:
        wakeup = Wakeup()
        scoreboard = seat.scoreboard = Scoreboard(2 * getattr(seat.settings, "threads", 0))
        role = make_role(seat.settings, self._configuration, self._database, wakeup, scoreboard)
        seat.runner = Runner(
            role,
            self._database,
            self._configuration,
            wakeup,
            scoreboard,
            self._maintenance.registration.id,
            look_around=lambda runner: None,
        )
        seat.started_at = now
        seat.thread = threading.Thread(
            target=self._run_seat, args=(seat,), name=f"queuekit-{role.name.lower()}", daemon=True
        )
        seat.thread.start()

    def _run_seat(self, seat: _Seat) -> None:
        assert seat.runner is not None
        try:
            seat.status = seat.runner.run()
        except BaseException as error:
            seat.status, seat.error = 1, error
        finally:
            self._database.disconnect()
            self._wakeup.set()

    def _tell_service_manager(self) -> None:
        if not self._ready and all(
            seat.scoreboard is not None and seat.scoreboard.is_registered for seat in self._seats
        ):
            self._ready = True
            self._service_manager.ready(f"{len(self._seats)} threads")
        self._service_manager.alive()

    def _seconds_to_sleep(self) -> float:
        now = time.monotonic()
        moments = [now + 5.0, self._maintenance.next_due]
        if (interval := self._service_manager.watchdog_interval) is not None:
            moments.append(now + interval)
        if not self._stopping:
            moments += [seat.may_start_at for seat in self._seats if seat.thread is None]
        if not self._ready:
            moments.append(now + 0.1)  # roles say that they have registered in memory only
        return max(min(moments) - now, 0.01)
