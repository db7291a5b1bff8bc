"""Forking a child, and the child's whole life: from the fork to `os._exit`."""

from __future__ import annotations

import faulthandler
import os
import signal
from pathlib import Path
from typing import NoReturn

from queuekit import application, events, logs
from queuekit.config import Configuration, WorkerSettings
from queuekit.database import Database, open_database
from queuekit.processes import streams
from queuekit.processes.children import Settings
from queuekit.processes.dispatcher import Dispatcher, dispatchers_hints
from queuekit.processes.runner import Role, Runner
from queuekit.processes.scheduler import Scheduler, Scheduling
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.signals import (
    DUMPING,
    GRACEFUL,
    IMMEDIATE,
    RELOADING,
    STOPPING,
    SignalBox,
    held_back,
)
from queuekit.processes.title import set_title
from queuekit.processes.wakeup import Wakeup
from queuekit.processes.worker import Worker

_ANSWER_TIMEOUT = 30.0


def fork(
    settings: Settings, configuration: Configuration, supervisor_id: int, scoreboard: Scoreboard
) -> int:
    """Fork a child in the role that `settings` are for, and return its pid.

    The caller has one thread and no connection open: the child gets copies of everything.
    """
    streams.flush()
    with held_back(STOPPING):
        pid = os.fork()
        if pid == 0:
            _live(settings, configuration, supervisor_id, scoreboard)
        return pid


def make_role(
    settings: Settings,
    configuration: Configuration,
    database: Database,
    wakeup: Wakeup,
    scoreboard: Scoreboard,
) -> Role:
    """The role that these settings are for."""
    if isinstance(settings, WorkerSettings):
        return Worker(settings, configuration, database, wakeup, scoreboard)
    if isinstance(settings, Scheduling):
        return Scheduler(settings, configuration, database)
    return Dispatcher(
        settings,
        database,
        log_polling=not configuration.silence_polling,
        hints=dispatchers_hints(database, wakeup, wanted=configuration.wake_on_enqueue),
    )


def _live(
    settings: Settings, configuration: Configuration, supervisor_id: int, scoreboard: Scoreboard
) -> NoReturn:
    """The child. Never returns into the supervisor's stack, whatever happens."""
    status = 1
    try:
        try:
            status = _run(settings, configuration, supervisor_id, scoreboard)
        except BaseException as error:
            where = f"a {logs.process_kind()}, which ends by it"
            events.emit(events.ErrorOccurred(where=where, error=error))
        streams.flush()
    finally:
        os._exit(status)


def _run(
    settings: Settings, configuration: Configuration, supervisor_id: int, scoreboard: Scoreboard
) -> int:
    wakeup = Wakeup()
    signals = SignalBox(wake=wakeup.set)
    supervisor_pid = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Jobs, too, write steps and progress, and enqueue: silence must not hold them up for ever.
    application.use(configuration, answer_timeout(configuration))
    database = open_database(
        configuration.database_url,
        answer_timeout(configuration),
        sends_hints=configuration.wake_on_enqueue,
    )
    role = make_role(settings, configuration, database, wakeup, scoreboard)
    logs.set_process_kind(role.name)
    set_title(role.name, role.metadata())

    def look_around(runner: Runner) -> None:
        for number in signals.take():
            if number in GRACEFUL:
                runner.stop("finishing the jobs that run")
            elif number in IMMEDIATE:
                runner.quit()
        if os.getppid() != supervisor_pid and not runner.is_stopping:
            runner.stop("its supervisor is gone", quit_after=configuration.shutdown_timeout)

    runner = Runner(role, database, configuration, wakeup, scoreboard, supervisor_id, look_around)
    signals.listen((*STOPPING, *RELOADING))  # a reload is not theirs to make, nor to die of
    _dump_stacks_on_demand(signals)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    return runner.run()


def _dump_stacks_on_demand(signals: SignalBox) -> None:
    """Until now the handler was the supervisor's. Recorded, too: the child comes round when it has
    written them."""
    faulthandler.unregister(DUMPING)
    signals.listen([DUMPING])
    faulthandler.register(DUMPING, all_threads=True, chain=True)


def answer_timeout(configuration: Configuration) -> float:
    """Seconds after which a server that does not answer counts as lost. Short enough to try another
    connection before others take this process for dead; no statement of ours takes that long."""
    return min(_ANSWER_TIMEOUT, configuration.process_alive_threshold / 3)


def described_end(status: int) -> str:
    """A wait status in words: 'exited with status 1', 'was killed by SIGKILL'."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def is_stopped(pid: int) -> bool:
    """Whether somebody has stopped a process (SIGSTOP, a debugger): that is not hanging."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(") ")[2][:1] in ("T", "t")
