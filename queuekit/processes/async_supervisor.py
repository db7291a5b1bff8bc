"""Everything in one process: the workers, dispatchers and the supervisor's own work as threads.

For embedding in a web server, and for systems that cannot fork. The roles are the same; what needs
a process of its own cannot be had: a job that is stuck past its timeout keeps its thread, one that
kills the process takes all with it, and the interpreter's lock is shared by all jobs.

    with AsyncSupervisor(configuration):
        serve()                       # any application; leaving the block finishes the jobs

A thread cannot be killed, so a job that runs has run to its end or to the process's. As long as it
does, its worker stays registered and keeps the claim: nobody else may run it meanwhile. That holds
after `stop`, too. What still runs when the process ends goes back to ready in its last moments.
"""

from __future__ import annotations

import atexit
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
from queuekit.processes.children import Settings, kind_of
from queuekit.processes.forking import answer_timeout, make_role
from queuekit.processes.maintenance import Death, Maintenance
from queuekit.processes.notify import ServiceManager
from queuekit.processes.registration import ProcessRow
from queuekit.processes.runner import EXIT_PRUNED, Role, Runner, hook_process
from queuekit.processes.scheduler import scheduling_of
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.signals import DUMPING, GRACEFUL, RELOADING, STOPPING, SignalBox
from queuekit.processes.throttle import Throttle
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker

#: Seconds between looks at signals: where a wait is not cut short by them, as on Windows.
_ROUND = 0.5

#: Seconds between looks at threads that were told to end, and do not say when they have.
_LOOK = 0.1

#: Seconds that the roles get to say goodbye to the database when the process ends.
_GOODBYE = 5.0


@dataclass(eq=False)
class _Seat:
    """One configured role, and the thread that fills it."""

    settings: Settings
    thread: threading.Thread | None = None
    role: Role | None = None
    runner: Runner | None = None
    scoreboard: Scoreboard | None = None
    started_at: float = 0.0
    may_start_at: float = 0.0
    is_hurried: bool = False
    status: int = 0
    error: BaseException | None = None
    throttle: Throttle = field(default_factory=Throttle)

    @property
    def runs_jobs(self) -> bool:
        return isinstance(self.role, Worker) and self.role.runs_jobs


class AsyncSupervisor:
    """A supervisor whose children are threads; `processes` is ignored.

    1. `start` registers, waiting for the database, and starts the threads; `stop` ends them.
    2. Replaces a role that ended by an error or was pruned, as a forked one would be.
    3. Beats, prunes, and buries roles that ended by an error (see Maintenance), from a thread of
       its own.
    4. Keeps the claims of jobs that outlast `stop`, and puts them back when the process ends.

    `run` does all of it in the foreground until a signal comes, and tells the service manager. An
    embedded one leaves both to the process that it is in.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration = replace(configuration, mode="async")
        self._database = open_database(
            configuration.database_url,
            answer_timeout(configuration),
            sends_hints=configuration.wake_on_enqueue,
        )
        scheduling = scheduling_of(configuration)
        self._seats = [] if scheduling is None else [_Seat(scheduling)]
        self._seats += [_Seat(settings) for settings in configuration.dispatchers]
        # The memory is the whole process's, which replacing a thread does not give back.
        self._seats += [
            _Seat(replace(settings, max_memory=None)) for settings in configuration.workers
        ]
        metadata = {
            "workers": len(configuration.workers),
            "dispatchers": len(configuration.dispatchers),
            "schedulers": 0 if scheduling is None else 1,
            "mode": "async",
        }
        self._maintenance = Maintenance(configuration, self._database, metadata, self._runs)
        self._wakeup = Wakeup()
        self._foreground = Wakeup()
        self._service_manager = ServiceManager(environ={})
        self._ready = False
        self._stopping = False
        self._hurry_at = float("inf")
        self._process_ends = False
        self._parted = threading.Event()
        self._pid = 0
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
        self._pid = os.getpid()
        atexit.register(self._end_with_process)
        self._thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """End: nothing more is claimed, and jobs that run finish. Returns when they have, or after
        `shutdown_timeout`, or with `at_once` right away.

        A job that still runs then goes on in its thread, and stays claimed by its worker until it
        has ended: never is it handed to somebody else meanwhile. When the process ends first, by
        its main thread's end, it goes back to ready; after a kill or `os._exit` others prune the
        worker, and it has died with its process.

        Raises what ended the supervisor's own thread, if an error did.
        """
        self._tell_to_stop(at_once=at_once)
        while self._thread.is_alive() and not self._parted.wait(_ROUND):
            continue  # in a forked child nobody will ever say it
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
        while not self._parted.is_set():
            self._foreground.wait(_ROUND)
            for number in signals.take():
                if number in RELOADING:
                    events.emit(events.Reloaded(problems=("a reload needs the mode fork",)))
                else:
                    self._tell_to_stop(at_once=number not in GRACEFUL)
        self._end_with_process()
        self.stop()
        return self._maintenance.exit_status

    def _tell_to_stop(self, *, at_once: bool) -> None:
        """Only said here; the supervisor's thread passes it on, to a role just starting, too."""
        now = time.monotonic()
        if not self._stopping or (at_once and self._hurry_at > now):
            timeout = self._configuration.shutdown_timeout
            self._hurry_at = now if at_once else now + timeout
            self._stopping = True
            if self._thread.is_alive():
                events.emit(
                    events.SupervisorStopping(
                        children=len(self._seats), at_once=at_once, timeout=timeout
                    )
                )
        self._wakeup.set()

    def _end_with_process(self) -> None:
        """The process ends, and all its threads with it: what runs goes back to ready. Does nothing
        in a forked child, whose end is not its parent's."""
        if os.getpid() == self._pid and self._thread.is_alive():
            self._process_ends = True
            self._tell_to_stop(at_once=True)
            self._thread.join(_GOODBYE)

    # In the supervisor's thread

    def _supervise(self) -> None:
        logs.set_thread_kind("Supervisor")
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
                self._error = self._maintenance.given_up
        except BaseException as error:
            self._error = error
        finally:
            self._database.disconnect()
            atexit.unregister(self._end_with_process)
            self._part()

    def _part(self) -> None:
        """Whoever waits for the end need not wait any more."""
        self._parted.set()
        self._foreground.set()

    def _begin(self) -> bool:
        while not self._stopping and (pause := self._maintenance.begin()):
            self._wakeup.wait(pause)
        return self._maintenance.is_registered

    def _loop(self) -> None:
        while not self._stopping:
            self._note_ends()
            self._maintenance.attend()
            if self._maintenance.given_up is not None:
                self._tell_to_stop(at_once=False)
            self._fill_seats()
            self._tell_service_manager()
            self._wakeup.wait(self._seconds_to_sleep())

    def _finish(self) -> None:
        """Let the roles end. Those that run jobs after the time for that keep nobody waiting."""
        while True:
            self._note_ends()
            left = [seat for seat in self._seats if seat.thread is not None]
            if not left:
                return
            if all(seat.is_hurried and seat.runs_jobs for seat in left):
                self._part()
            self._pass_on_stop()
            self._maintenance.attend()
            self._service_manager.alive()
            self._wakeup.wait(self._seconds_to_sleep())

    @property
    def _is_hurried(self) -> bool:
        return time.monotonic() >= self._hurry_at

    def _pass_on_stop(self) -> None:
        for seat in self._seats:
            if seat.runner is not None and self._is_hurried:
                self._hurry(seat, seat.runner)
            elif seat.runner is not None:
                seat.runner.stop("finishing the jobs that run")

    def _hurry(self, seat: _Seat, runner: Runner) -> None:
        """What has not begun never does. What runs keeps its claim for as long as it does."""
        if seat.role is not None and not seat.is_hurried:
            seat.role.abandon()
            seat.is_hurried = True
        if self._process_ends or not seat.runs_jobs:
            runner.quit()
        else:
            runner.stop("finishing the jobs that run")

    def _runs(self, process: ProcessRow) -> bool:
        """Whether this is one of the roles, and its thread has not ended."""
        return any(
            seat.runner is not None and seat.runner.process_id == process.id for seat in self._seats
        )

    def _note_ends(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.thread is not None and not seat.thread.is_alive():
                self._note_end(seat, now)

    def _note_end(self, seat: _Seat, now: float) -> None:
        role = kind_of(seat.settings)
        if seat.error is not None:
            events.emit(events.ErrorOccurred(where=f"a {role}", error=seat.error))
        if seat.status not in (0, EXIT_PRUNED):
            self._note_death(seat, role)
        seat.may_start_at = now
        if seat.status != 0:
            seat.may_start_at += seat.throttle.pause_after(now - seat.started_at)
        seat.thread = seat.role = seat.runner = seat.error = None

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
        scoreboard = seat.scoreboard = Scoreboard(getattr(seat.settings, "claims", 0))
        role = seat.role = make_role(
            seat.settings, self._configuration, self._database, wakeup, scoreboard
        )
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
        assert seat.runner is not None and seat.role is not None
        logs.set_thread_kind(seat.role.name)
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
        if self._stopping:
            moments.append(max(self._hurry_at, now + _LOOK))
        else:
            moments += [seat.may_start_at for seat in self._seats if seat.thread is None]
        if not self._ready:
            moments.append(now + 0.1)  # roles say that they have registered in memory only
        return max(min(moments) - now, 0.01)
