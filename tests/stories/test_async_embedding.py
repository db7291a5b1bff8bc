"""The mode async inside of another program: it begins and ends with a block, and leaves no trace.

Each program below is run in a process of its own, in the application's folder.
"""

from __future__ import annotations

import pytest

from tests.clusters import Cluster
from tests.stories.promises import assert_failed, assert_invariant
from tests.stories.support import Application, enqueue_all

#: What the programs have in common.
BEGIN = """
import contextlib, os, sys, threading, time
from pathlib import Path
import jobs, queuekit
from queuekit import application, config
from queuekit.processes.async_supervisor import AsyncSupervisor

queuekit.configure()
configuration = application.configuration()

def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

def ran(*texts):
    said = Path("ran").read_text() if Path("ran").exists() else ""
    return all(f" {text}\\n" in said for text in texts)

def descriptors():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                  if os.path.lexists(f"/proc/self/fd/{fd}"))
"""


def run(application: Application, program: str) -> str:
    return application.python(BEGIN + program)


def assert_nothing_is_left(application: Application) -> None:
    assert application.processes() == []
    assert "claimed" not in application.jobs()
    assert_invariant()


def test_a_program_runs_jobs_for_as_long_as_a_block_and_nothing_is_left_of_it(
    application: Application,
) -> None:
    application.configure(workers={"threads": 3, "processes": 2})
    printed = run(
        application,
        """
jobs.note.using(wait=0.2).enqueue("late")
application.database().disconnect()
before = descriptors()
with AsyncSupervisor(configuration):
    jobs.note.enqueue("inside")
    wait_until(lambda: ran("inside", "late"))
    print(len([t for t in threading.enumerate() if t.name.startswith("queuekit")]) > 5)
wait_until(lambda: threading.active_count() == 1)
application.database().disconnect()
print(descriptors() == before or (descriptors(), before))
""",
    )

    assert printed.splitlines() == ["True", "True"]
    application.wait_until_jobs(finished=2)
    assert len({pid for pid, _ in application.ran_where()}) == 1
    assert_nothing_is_left(application)


def test_leaving_the_block_lets_the_jobs_finish_also_when_an_error_leaves_it(
    application: Application,
) -> None:
    printed = run(
        application,
        """
jobs.wait.enqueue("one")
with contextlib.suppress(KeyError), AsyncSupervisor(configuration):
    wait_until(lambda: ran("one began"))
    threading.Timer(0.3, lambda: Path("open/gate").touch()).start()
    {}["missing"]
print(ran("one ended"))
""",
    )

    assert printed == "True\n"
    assert application.jobs() == {"finished": 1}
    assert_nothing_is_left(application)


def test_a_program_that_ends_puts_back_what_runs_when_it_was_stopped_at_once(
    application: Application,
) -> None:
    run(
        application,
        """
jobs.wait.enqueue("one")
supervisor = AsyncSupervisor(configuration)
supervisor.start()
wait_until(lambda: ran("one began"))
supervisor.stop(at_once=True)
supervisor.stop()
""",
    )

    assert application.jobs() == {"ready": 1}
    assert_nothing_is_left(application)


def test_a_program_that_ends_without_stopping_leaves_nothing_behind(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    printed = run(
        application,
        """
queuekit.on_exit(lambda process: print("the end"))
jobs.wait.enqueue("one")
jobs.note.enqueue("two")
AsyncSupervisor(configuration).start()
wait_until(lambda: ran("one began"))
""",
    )

    assert printed == "the end\n"
    assert application.jobs() == {"ready": 2}
    assert_nothing_is_left(application)


@pytest.mark.parametrize(
    ("timeout", "end"),
    [(60, "supervisor.stop(at_once=True)"), (0.1, "supervisor.stop()")],
    ids=["at once", "after the shutdown timeout"],
)
def test_nobody_else_gets_a_job_that_still_runs_after_the_stop(
    application: Application, timeout: float, end: str
) -> None:
    """It cannot be ended, and the program goes on: it stays claimed until it has ended."""
    application.configure(workers={"threads": 2}, shutdown_timeout=timeout)
    printed = run(
        application,
        f"""
jobs.wait.enqueue("one")
supervisor = AsyncSupervisor(configuration)
supervisor.start()
wait_until(lambda: ran("one began"))
{end}
print({{p.kind: p.claims for p in queuekit.status.gather().processes}})
with AsyncSupervisor(configuration):
    jobs.note.enqueue("two")
    wait_until(lambda: ran("two"))
    assert queuekit.status.gather().jobs["claimed"] >= 1
    Path("open/gate").touch()
    wait_until(lambda: queuekit.status.gather().jobs["finished"] == 2)
wait_until(lambda: threading.active_count() == 1)
print(queuekit.status.gather().processes)
""",
    )

    assert printed.splitlines() == ["{'Supervisor': 0, 'Worker': 1}", "()"]
    assert application.ran() == ["one began", "two", "one ended"]
    assert_nothing_is_left(application)


def test_what_was_claimed_and_had_not_begun_goes_back_when_it_is_stopped_at_once(
    application: Application,
) -> None:
    """A worker may hold more than its threads can begin, after an answer that was lost."""
    application.configure(workers={"threads": 1})
    run(
        application,
        """
from queuekit.processes.worker import Worker
Worker._room = property(lambda worker: 0 if worker.is_stopping else 5)
jobs.wait.enqueue("one")
jobs.note.enqueue("two")
with AsyncSupervisor(configuration) as supervisor:
    wait_until(lambda: ran("one began"))
    wait_until(lambda: queuekit.status.gather().jobs["claimed"] == 2)
    supervisor.stop(at_once=True)
    Path("open/gate").touch()
    wait_until(lambda: threading.active_count() == 1)
""",
    )

    assert application.ran() == ["one began", "one ended"]
    assert application.jobs() == {"finished": 1, "ready": 1}
    assert_nothing_is_left(application)


def test_the_end_of_a_forked_program_is_not_the_end_of_its_parent(
    application: Application,
) -> None:
    run(
        application,
        """
jobs.wait.enqueue("one")
with AsyncSupervisor(configuration) as supervisor:
    wait_until(lambda: ran("one began"))
    child = os.fork()
    if child == 0:
        supervisor.stop()
        sys.exit()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert queuekit.status.gather().jobs["claimed"] == 1
    Path("open/gate").touch()
""",
    )

    assert application.jobs() == {"finished": 1}
    assert_nothing_is_left(application)


def test_a_supervisor_that_was_not_started_has_nothing_to_stop(application: Application) -> None:
    run(application, "AsyncSupervisor(configuration).stop()")

    assert_nothing_is_left(application)


def test_it_can_be_stopped_at_any_moment_of_its_start(application: Application) -> None:
    application.configure(workers=[{}, {}], shutdown_timeout=60)
    run(
        application,
        """
for number in range(30):
    supervisor = AsyncSupervisor(configuration)
    supervisor.start()
    time.sleep(number * 0.002)
    supervisor.stop(at_once=number % 3 == 0)
wait_until(lambda: threading.active_count() == 1)
""",
    )

    assert_nothing_is_left(application)


def test_a_server_that_is_not_there_keeps_nobody_from_leaving(
    killable_application: Application, killable_server: Cluster
) -> None:
    killable_server.stop()

    printed = run(
        killable_application,
        """
lost = threading.Event()
@queuekit.events.subscribe
def listen(event):
    if isinstance(event, queuekit.events.DatabaseLost):
        lost.set()
with AsyncSupervisor(configuration):
    assert lost.wait(60)
print(threading.active_count())
""",
    )

    assert printed.splitlines()[-1] == "1", printed
    killable_server.start()
    assert_nothing_is_left(killable_application)


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_what_cannot_be_waited_for_reaches_the_program(application: Application) -> None:
    application.configure(database_url=application.database_url + "_missing")

    printed = run(
        application,
        """
try:
    with AsyncSupervisor(configuration):
        wait_until(lambda: threading.active_count() == 1)
except queuekit.DatabaseRefusedError as error:
    print("refused")
""",
    )

    assert printed == "refused\n"


@pytest.mark.parametrize("victims", [["queuekit-heartbeat"], ["queuekit-1", "queuekit-2"]])
def test_a_worker_one_of_whose_threads_dies_is_replaced_and_its_jobs_do_not_stay_claimed(
    application: Application, victims: list[str]
) -> None:
    """The thread that runs a job is left alone: what is raised there is that job's error."""
    application.configure(workers={"threads": 2}, process_heartbeat_interval=0.5)
    receipt, _ = enqueue_all([("jobs.wait", ("one",)), ("jobs.note", ("two",))])
    run(
        application,
        f"""
import ctypes, traceback
with AsyncSupervisor(configuration):
    wait_until(lambda: ran("one began", "two"))
    for thread in threading.enumerate():
        stack = traceback.format_stack(sys._current_frames()[thread.ident])
        if thread.name in {victims} and not any("wait_until_open" in line for line in stack):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError))
    jobs.note.enqueue("three")
    jobs.note.enqueue("four")
    wait_until(lambda: ran("three", "four"))
    wait_until(lambda: queuekit.status.gather().jobs["failed"] == 1)
    Path("open/gate").touch()
    wait_until(lambda: ran("one ended"))
wait_until(lambda: threading.active_count() == 1)
""",
    )

    assert_failed(receipt, "queuekit.errors.ProcessExitError", "the Worker that ran this job ended")
    assert_nothing_is_left(application)


def test_a_job_that_is_stuck_past_its_timeout_keeps_its_thread_and_its_claim(
    application: Application,
) -> None:
    application.configure(workers={"threads": 2}, timeout_grace_period=0.2)
    application.write(
        "stubborn.py",
        """
import queuekit, jobs

@queuekit.job(timeout=0.2)
def stuck():
    jobs.note("stuck began")
    while True:
        try:
            return jobs.wait_until_open("gate")
        except queuekit.JobTimeout:
            jobs.note("told to end")
""",
    )
    run(
        application,
        """
import stubborn
stuck = threading.Event()
@queuekit.events.subscribe
def listen(event):
    if isinstance(event, queuekit.events.JobTimedOut) and event.stuck and event.keeps_thread:
        stuck.set()
stubborn.stuck.enqueue()
with AsyncSupervisor(configuration):
    assert stuck.wait(60)
    assert ran("told to end")
    worker = [p for p in queuekit.status.gather().processes if p.kind == "Worker"]
    assert [p.claims for p in worker] == [1], worker
    jobs.note.enqueue("beside it")
    wait_until(lambda: ran("beside it"))
    Path("open/gate").touch()
""",
    )

    assert application.jobs() == {"finished": 2}
    assert application.ran() == ["stuck began", "told to end", "beside it"]
    assert_nothing_is_left(application)


def test_hooks_are_called_as_in_processes_of_their_own(application: Application) -> None:
    printed = run(
        application,
        """
from contextlib import contextmanager

for name in ("start", "stop", "exit", "worker_start", "worker_stop", "worker_exit",
             "dispatcher_start", "dispatcher_stop", "dispatcher_exit"):
    getattr(queuekit, f"on_{name}")(lambda process, name=name: print(name, process.kind))

@queuekit.around_run
@contextmanager
def around(run):
    print("before", run.class_name)
    yield
    print("after", run.class_name)

with AsyncSupervisor(configuration):
    jobs.note.enqueue("one")
    wait_until(lambda: ran("one") and queuekit.status.gather().jobs["finished"] == 1)
""",
    )

    said = printed.splitlines()
    assert said[0] == "start Supervisor"
    assert said[-1] == "exit Supervisor"
    order = [line for line in said if "ispatcher" not in line]
    assert order == [
        "start Supervisor",
        "worker_start Worker",
        "before jobs.note",
        "after jobs.note",
        "stop Supervisor",
        "worker_stop Worker",
        "worker_exit Worker",
        "exit Supervisor",
    ]
    assert [line for line in said if "ispatcher" in line] == [
        "dispatcher_start Dispatcher",
        "dispatcher_stop Dispatcher",
        "dispatcher_exit Dispatcher",
    ]
