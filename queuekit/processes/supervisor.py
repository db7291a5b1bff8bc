"""The supervisor: forks the configured processes, replaces those that end, and stops them all.

It has one thread, which makes forking safe, and no connection while it forks: a socket shared by
two processes serves neither. Its loop looks at signals, at children that ended or hang, at the
database's processes, and sleeps until the next of these is due.

    TERM, INT   TERM to the children; those still there after `shutdown_timeout` get QUIT
    QUIT        QUIT to the children: running jobs go back to ready; KILL to those that do not go
    HUP         the configuration is read again, the children are replaced one by one
    USR1        every thread's stack, of this process and of the children, to standard error
    CHLD        a child has ended
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import time
from collections.abc import Callable, Sequence

from queuekit import application, events, hooks, logs
from queuekit.config import Configuration
from queuekit.database import open_database
from queuekit.errors import ConfigurationError, JobTimeout, ProcessExitError
from queuekit.importing import import_all
from queuekit.processes import streams
from queuekit.processes.async_supervisor import AsyncSupervisor
from queuekit.processes.children import Children, Place
from queuekit.processes.ending import Ending
from queuekit.processes.forking import answer_timeout, described_end, fork
from queuekit.processes.maintenance import Death, Maintenance
from queuekit.processes.notify import ServiceManager
from queuekit.processes.pidfile import Pidfile
from queuekit.processes.runner import EXIT_TIMED_OUT, hook_process
from queuekit.processes.scheduler import Scheduling, scheduling_of
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.signals import (
    CHILD_ENDED,
    DUMPING,
    GRACEFUL,
    RELOADING,
    STOPPING,
    SignalBox,
    prepare_for_boot,
)
from queuekit.processes.stacks import Stacks
from queuekit.processes.title import set_title
from queuekit.processes.wakeup import Wakeup

#: What a reload cannot change: this process itself lives by it.
_FIXED = ("database_url", "mode", "supervisor_pidfile", "log_format")

#: A last look at everything at least this often, in seconds.
_ROUND = 5.0


def run(configuration: Configuration, reload: Callable[[], Configuration] | None = None) -> int:
    """Run the configured processes until a signal ends them. Returns the exit status.

    `reload` loads the configuration anew, for HUP. Waits for a database that cannot be reached yet.
    The status is 0, or that of Maintenance where the database could not be told of the end.

    Raises ConfigurationError for a module under `imports` that cannot be imported, for recurring
    tasks that cannot be used and for a system that cannot fork, PidfileError, NotPreparedError,
    DatabaseRefusedError.
    """
    if configuration.mode == "fork" and not hasattr(os, "fork"):
        raise ConfigurationError("this system cannot fork: run with --mode async")
    application.use(configuration)
    streams.settle()
    prepare_for_boot()
    import_all(configuration.imports)
    path = configuration.supervisor_pidfile
    pidfile = Pidfile(path) if path is not None else None
    try:
        if configuration.mode == "async":
            return AsyncSupervisor(configuration).run()
        return Supervisor(configuration, reload or (lambda: configuration)).run()
    finally:
        if pidfile is not None:
            pidfile.release()
        streams.flush()


class Supervisor:
    """One supervisor and its children.

    1. Registers, and keeps the database's processes in order (see Maintenance).
    2. Keeps every place among the children filled.
    3. Has those killed that do not come up, or hang (see Ending).
    4. Reloads, by replacing one child after the other.
    5. Tells the service manager that it is ready, and alive.
    6. Stops everything when told to.
    """

    def __init__(
        self,
        configuration: Configuration,
        reload: Callable[[], Configuration],
    ) -> None:
        self._configuration = configuration
        self._reload = reload
        self._database = open_database(
            configuration.database_url,
            answer_timeout(configuration),
            sends_hints=configuration.wake_on_enqueue,
        )
        scheduling = scheduling_of(configuration)
        self._children = Children(configuration, scheduling)
        self._ending = Ending(self._children, configuration)
        self._maintenance = Maintenance(
            configuration, self._database, _metadata(configuration, scheduling), self._ending.runs
        )
        self._stacks = Stacks()
        self._service_manager = ServiceManager()
        self._wakeup = Wakeup()
        self._signals = SignalBox(wake=self._wakeup.set)
        self._stopping = self._quitting = False
        self._ready = False

    def run(self) -> int:
        set_title("Supervisor", {})
        logs.set_process_kind("Supervisor")
        gc.freeze()  # what was imported stays shared between the children
        faulthandler.unregister(DUMPING)  # its handler of the boot gives way to ours
        self._signals.listen((*STOPPING, *RELOADING, *CHILD_ENDED, DUMPING))
        faulthandler.register(DUMPING, all_threads=True, chain=True)  # then record it, too
        if self._begin():
            process = hook_process(self._maintenance.registration)
            hooks.call("start", process)
            self._supervise()
            self._maintenance.end()
            hooks.call("exit", process)
            if self._maintenance.given_up is not None:
                raise self._maintenance.given_up
        return self._maintenance.exit_status

    def _begin(self) -> bool:
        """Register, as soon as the database can be reached. False when told to stop before that."""
        while not self._stopping and (pause := self._maintenance.begin()):
            self._service_manager.status("Waiting for the database")
            self._wakeup.wait(pause)
            self._handle_signals()
        return not self._stopping

    def _supervise(self) -> None:
        while True:
            self._handle_signals()
            self._reap()
            self._ending.attend()
            self._stacks.attend(time.monotonic())
            self._attend_maintenance()
            if self._maintenance.given_up is not None:
                self._stop()
            if self._stopping and not self._children.occupied():
                return
            self._fill_places()
            self._retire_next()
            self._tell_service_manager()
            self._sleep()

    def _attend_maintenance(self) -> None:
        """A database that keeps the supervisor waiting keeps its children waiting, too: what they
        have not shown meanwhile counts for as little as after a sleep."""
        began = time.monotonic()
        self._maintenance.attend()
        self._ending.has_slept(until=began)

    # Signals

    def _handle_signals(self) -> None:
        for number in self._signals.take():
            if number in GRACEFUL:
                self._stop()
            elif number in STOPPING:
                self._quit()
            elif number in RELOADING:
                self._reconfigure()
            elif number == DUMPING:
                self._stacks.ask(self._children.occupied())

    def _stop(self) -> None:
        if self._stopping:
            return
        self._begin_stopping(at_once=False)
        for place in self._children.occupied():
            self._ending.finish(place)

    def _quit(self) -> None:
        if self._quitting:
            return
        self._begin_stopping(at_once=True)
        for place in self._children.occupied():
            self._ending.quit(place)

    def _begin_stopping(self, *, at_once: bool) -> None:
        events.emit(
            events.SupervisorStopping(
                children=len(self._children.occupied()),
                at_once=at_once,
                timeout=self._configuration.shutdown_timeout,
            )
        )
        was_stopping, self._stopping, self._quitting = self._stopping, True, at_once
        if not was_stopping:
            self._service_manager.stopping()
        if not was_stopping and self._maintenance.is_registered:
            hooks.call("stop", hook_process(self._maintenance.registration))

    def _reconfigure(self) -> None:
        if self._stopping:
            return
        try:
            configuration = self._reload()
            _refuse_fixed(self._configuration, configuration)
            scheduling = scheduling_of(configuration)
        except ConfigurationError as error:
            self._keep_configuration(error.problems)
            return
        except Exception as error:  # whatever it is, what runs goes on
            self._keep_configuration((f"{type(error).__name__}: {error}",))
            return
        self._configuration = configuration
        self._maintenance.configuration = self._ending.configuration = configuration
        self._children.reconfigure(configuration, scheduling)
        self._service_manager.reloading()
        self._ready = False
        events.emit(events.Reloaded(problems=()))

    def _keep_configuration(self, problems: Sequence[str]) -> None:
        events.emit(events.Reloaded(problems=tuple(problems)))
        self._service_manager.status(f"Not reloaded: {'; '.join(problems)}")

    # Children

    def _fill_places(self) -> None:
        if not self._stopping:
            for place in self._children.vacant(time.monotonic()):
                self._fork(place)

    def _fork(self, place: Place) -> None:
        self._database.disconnect()
        application.database().disconnect()  # an imported module may have used it
        supervisor_id = self._maintenance.registration.id
        try:
            scoreboard = Scoreboard(place.claims)
            pid = fork(place.settings, self._configuration, supervisor_id, scoreboard)
        except OSError as error:  # out of memory or of processes: there may be some again
            self._children.not_forked(place, time.monotonic())
            events.emit(events.ErrorOccurred(where=f"forking a {place.kind}", error=error))
        else:
            self._children.forked(place, pid, scoreboard, time.monotonic())
            events.emit(events.ChildForked(child=pid, kind=place.kind))

    def _reap(self) -> None:
        """Take note of every child that has ended; of strangers, too, when this is pid 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            place = self._children.ended(pid, time.monotonic(), well=code == 0)
            if place is not None:
                self._note_end(place, pid, code, described_end(status))

    def _note_end(self, place: Place, pid: int, code: int, how: str) -> None:
        events.emit(
            events.ChildExited(
                child=pid,
                how=how,
                lived=time.monotonic() - place.forked_at,
                expected=code == 0 or place.told is not None,
            )
        )
        timed_out = code == EXIT_TIMED_OUT
        error: Exception = ProcessExitError(f"the process {pid} that ran this job {how}")
        if timed_out:
            error = JobTimeout("the job ran longer than its timeout, and did not end when told to")
        assert place.scoreboard is not None
        self._maintenance.note_death(
            Death(
                pid=pid,
                error=error,
                begun=place.scoreboard.begun() if place.scoreboard.knows_all else None,
                may_retry=not timed_out,
                puts_back=place.told in (signal.SIGQUIT, signal.SIGKILL),
            )
        )

    def _retire_next(self) -> None:
        if not self._stopping and (place := self._children.next_to_retire()) is not None:
            self._ending.finish(place)

    # Sleeping, and the service manager

    def _tell_service_manager(self) -> None:
        is_complete = self._children.all_registered() and not self._children.is_retiring
        if not self._ready and is_complete:
            self._ready = True
            self._service_manager.ready(f"{len(self._children.occupied())} processes")
        self._service_manager.alive()

    def _sleep(self) -> None:
        until = time.monotonic() + self._seconds_to_sleep()
        self._wakeup.wait(until - time.monotonic())
        self._ending.has_slept(until)

    def _seconds_to_sleep(self) -> float:
        now = time.monotonic()
        moments = [now + _ROUND, self._maintenance.next_due, self._ending.next_due()]
        if (interval := self._service_manager.watchdog_interval) is not None:
            moments.append(now + interval)
        if not self._stopping and (vacancy := self._children.next_vacancy()) is not None:
            moments.append(vacancy)
        moments.append(self._stacks.next_due(now))
        if not self._ready:
            moments.append(now + 0.1)  # children say that they have registered in memory only
        return max(min(moments) - now, 0.01)


def _metadata(configuration: Configuration, scheduling: Scheduling | None) -> dict[str, int]:
    return {
        "workers": sum(worker.processes for worker in configuration.workers),
        "dispatchers": len(configuration.dispatchers),
        "schedulers": 0 if scheduling is None else 1,
    }


def _refuse_fixed(old: Configuration, new: Configuration) -> None:
    """Raise ConfigurationError for settings that this process cannot change while it runs, and for
    a file that is gone: a deploy may be about to bring another."""
    if old.path is not None and new.path is None:
        raise ConfigurationError(f"{old.path} is gone")
    changed = [name for name in _FIXED if getattr(old, name) != getattr(new, name)]
    if changed:
        raise ConfigurationError(
            *(f"{name} is settled when the supervisor starts: restart it" for name in changed)
        )
