"""The mode async asks nothing of the system that Windows lacks. What it lacks is taken away here,
before queuekit is imported; the database is the embedded one, the signals are those that are left.
"""

from __future__ import annotations

import signal

import pytest

from tests.stories.promises import assert_clean_termination
from tests.stories.support import Application

pytestmark = pytest.mark.databases("sqlite")

POORER = """
import faulthandler, os, signal, socket, sys

for name in ("fork", "forkpty", "register_at_fork", "getppid", "killpg", "setsid", "geteuid"):
    delattr(os, name)
for name in ("SIGQUIT", "SIGHUP", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGALRM", "pthread_sigmask",
             "pthread_kill", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK", "set_wakeup_fd"):
    delattr(signal, name)
for name in ("register", "unregister"):
    delattr(faulthandler, name)
del socket.AF_UNIX
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
"""


def test_async_mode_runs_without_fork_and_the_signals_of_unix(application: Application) -> None:
    application.write("sitecustomize.py", POORER)
    application.surroundings["PYTHONPATH"] = str(application.folder)
    application.start("--mode", "async")

    application.enqueue("jobs.note", "now")
    application.enqueue("jobs.note", "later", wait=0.2)
    application.enqueue("jobs.fail_unless_open", "door")

    application.wait_until_jobs(finished=2, failed=1)
    application.stop(signal.SIGINT)
    assert_clean_termination(application)


def test_a_pidfile_needs_locks_and_says_so(application: Application) -> None:
    application.write("sitecustomize.py", POORER)
    application.surroundings["PYTHONPATH"] = str(application.folder)

    application.launch("--mode", "async", "--pidfile", "jobs.pid")

    assert application.wait_for_end() == 1
    (line,) = application.printed().splitlines()
    assert "a pidfile needs file locks that this system lacks" in line


def test_the_mode_fork_is_what_needs_them(application: Application) -> None:
    application.write("sitecustomize.py", POORER)
    application.surroundings["PYTHONPATH"] = str(application.folder)

    application.launch()

    assert application.wait_for_end() == 1
    (line,) = application.printed().splitlines()
    assert "this system cannot fork" in line
