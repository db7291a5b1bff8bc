"""A supervisor in surroundings that lack something: streams, a reader, the system's leave to fork.

Nothing of this reaches the database, so one will do.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import Application

pytestmark = pytest.mark.databases("sqlite")

CLOSED = 'exec "$@" <&- >&- 2>&-'
NOBODY_READS = 'exec "$@" > >(head -n 1 > first) 2>&1'
FEW_DESCRIPTORS = 'ulimit -n 24; exec "$@"'


@pytest.mark.parametrize("surroundings", [CLOSED, NOBODY_READS, FEW_DESCRIPTORS])
def test_jobs_run_and_children_are_replaced(application: Application, surroundings: str) -> None:
    application.configure(workers={"processes": 2})
    application.prefix = ["bash", "-c", surroundings, "bash"]
    application.start()
    application.send(signal.SIGUSR1)  # it has nowhere to write to, or nobody reads it
    receipts = [application.enqueue("jobs.note", f"{number}") for number in range(20)]
    application.wait_until_ran("19")

    application.wait_until_jobs(finished=20)
    for process in application.processes("Worker"):
        os.kill(process.pid, signal.SIGKILL)
        application.wait_until_replaced(process)

    receipts.append(application.enqueue("jobs.note", "after"))
    application.wait_until_jobs(finished=21)
    assert_ended_once(receipts)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=2)
    application.stop()
    assert_clean_termination(application)


def test_a_system_that_will_not_fork_now_is_asked_again(application: Application) -> None:
    application.configure(imports=["stingy"])
    application.write(
        "stingy.py",
        "import errno, os\n"
        "fork, refusals = os.fork, [3]\n"
        "def fork_after_a_while():\n"
        "    if refusals[0]:\n"
        "        refusals[0] -= 1\n"
        "        raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')\n"
        "    return fork()\n"
        "os.fork = fork_after_a_while\n",
    )
    application.start()

    refusal = "An error in forking a Dispatcher: BlockingIOError"
    assert application.printed().count(refusal) >= 1, application.printed()
    receipt = application.enqueue("jobs.note", "forked")
    application.wait_until_jobs(finished=1)
    assert_ended_once([receipt])
    application.stop()
    assert application.wait_for_end() == 0


def test_whoever_is_told_to_stop_in_every_way_stops_once(application: Application) -> None:
    application.configure(imports=["hooked"])
    application.write(
        "hooked.py",
        "import jobs, queuekit\n"
        "@queuekit.on_stop\n"
        "def stop(process):\n"
        "    jobs.note('told to stop')\n",
    )
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    application.send(signal.SIGTERM)
    application.wait_until_ran("told to stop")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGQUIT):
        application.send(number)

    assert_clean_termination(application)
    assert application.ran().count("told to stop") == 1
    assert application.printed().count("Quitting") == 1
    assert "the configuration" not in application.printed()
    assert_ended_once([receipt], outcomes=["ready"])
