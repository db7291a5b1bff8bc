"""Hooks in the processes that they are for, in their order; children that do not come up; JSON."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.stories.promises import assert_clean_termination, assert_ended_once, assert_registered
from tests.stories.support import Application, enqueue_all, wait_until

WATCHING = """
import contextlib, os, jobs, queuekit

def tell(moment):
    def hook(process):
        assert process.pid == os.getpid() and process.id > 0 and process.hostname
        jobs.note(f"{process.kind} {moment}")
    return hook

for kind in ("", "worker_", "dispatcher_", "scheduler_"):
    for moment in ("start", "stop", "exit"):
        getattr(queuekit, f"on_{kind}{moment}")(tell(moment))

@queuekit.around_run
@contextlib.contextmanager
def around(run):
    jobs.note(f"before {run.class_name} {run.attempt}")
    yield
    jobs.note("after")
"""


def test_hooks_are_called_in_order_in_the_process_that_they_are_for(
    application: Application,
) -> None:
    application.configure(imports=["watching"], workers={"threads": 1})
    application.write("watching.py", WATCHING)
    application.write(
        "config/recurring.yml", "yearly: {class: jobs.note, args: x, schedule: every year}"
    )
    application.start()
    pids = {process.kind: process.pid for process in application.processes()}
    receipt = application.enqueue("jobs.note", "the job")
    application.wait_until_jobs(finished=1)

    application.stop()

    assert_clean_termination(application)
    assert_ended_once([receipt])
    said = {kind: [t for p, t in application.ran_where() if p == pid] for kind, pid in pids.items()}
    assert said == {
        "Supervisor": ["Supervisor start", "Supervisor stop", "Supervisor exit"],
        "Dispatcher": ["Dispatcher start", "Dispatcher stop", "Dispatcher exit"],
        "Scheduler": ["Scheduler start", "Scheduler stop", "Scheduler exit"],
        "Worker": [
            "Worker start",
            "before jobs.note 1",
            "the job",
            "after",
            "Worker stop",
            "Worker exit",
        ],
    }
    everything = application.ran()
    assert everything[0] == "Supervisor start"
    assert everything[-1] == "Supervisor exit"
    assert everything.index("Supervisor stop") < everything.index("Worker stop")


def test_a_hook_that_raises_is_reported_and_stops_nothing(application: Application) -> None:
    application.configure(imports=["raising"])
    application.write(
        "raising.py",
        "import jobs, queuekit\n"
        "@queuekit.on_start\n@queuekit.on_worker_start\n@queuekit.on_worker_exit\n"
        "def trip(process):\n    raise ValueError(f'no luck in {process.kind}')\n"
        "@queuekit.on_error\n"
        "def tell(error):\n    jobs.note(f'told: {error}')\n",
    )
    application.start()
    receipt = application.enqueue("jobs.note", "runs")
    application.wait_until_jobs(finished=1)

    application.stop()

    assert application.wait_for_end() == 0
    assert application.ran().count("told: no luck in Worker") == 2
    assert application.ran().count("told: no luck in Supervisor") == 1
    assert "An error in the hook trip at Worker start: ValueError: no luck" in application.printed()
    assert_ended_once([receipt])
    assert application.alive() == []
    assert application.processes() == []


@pytest.mark.databases("sqlite")
def test_a_hook_that_exits_is_reported_and_stops_nothing(application: Application) -> None:
    """Of the supervisor it would leave the children behind. Hooks know nothing of databases."""
    application.configure(imports=["exiting"])
    application.write(
        "exiting.py",
        "import sys, queuekit\n"
        "for kind in ('', 'worker_', 'dispatcher_'):\n"
        "    for moment in ('start', 'stop', 'exit'):\n"
        "        getattr(queuekit, f'on_{kind}{moment}')(lambda process: sys.exit(9))\n",
    )
    application.start()
    receipt = application.enqueue("jobs.note", "runs")
    application.wait_until_jobs(finished=1)

    application.stop()

    assert application.wait_for_end() == 0
    wait_until(lambda: not application.alive(), application, "all processes end")
    assert application.processes() == []
    assert application.printed().count("An error in the hook") == 9
    assert_ended_once([receipt])


def test_a_job_that_is_cut_short_has_no_second_holder_while_exit_hooks_are_called(
    application: Application,
) -> None:
    """It runs in its thread until its process is gone; one that ends meanwhile has ended."""
    application.configure(imports=["leaving"], workers={"threads": 2})
    application.write(
        "leaving.py",
        "import jobs, queuekit\n"
        "@queuekit.on_worker_exit\n"
        "def wait(process):\n"
        "    jobs.note(f'leaving {queuekit.status.gather().jobs[\"claimed\"]}')\n"
        "    jobs.wait_until_open('exit')\n",
    )
    application.start()
    worker = application.worker()
    receipts = [application.enqueue("jobs.wait", gate, gate) for gate in ("gate", "never")]
    application.wait_until_ran("gate began", "never began")

    os.kill(worker.pid, signal.SIGQUIT)
    application.wait_until_ran("leaving 2")
    application.open()
    application.wait_until_ran("gate ended")
    assert application.ran().count("never began") == 1
    application.open("exit")

    application.wait_until_replaced(worker)
    application.wait_until_ran("never began", "never began")
    application.open("never")
    application.wait_until_jobs(finished=2)
    assert application.ran().count("gate began") == 1
    assert_ended_once(receipts)
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("victims", [["queuekit-heartbeat"], ["queuekit-1", "queuekit-2"]])
def test_a_thread_that_dies_takes_its_process_with_it_loudly(
    application: Application, victims: list[str]
) -> None:
    """The error is logged with its traceback, error hooks hear of it, another process begins."""
    application.configure(
        imports=["reporting"], workers={"threads": 2}, process_heartbeat_interval=0.2
    )
    application.write(
        "reporting.py",
        "import ctypes, jobs, threading, time, queuekit\n"
        "@queuekit.on_error\n"
        "def report(error):\n"
        "    jobs.note(f'reported {type(error).__name__} for {type(error.__cause__).__name__}')\n"
        "@queuekit.job\n"
        "def end_thread(names):\n"
        "    for thread in threading.enumerate():\n"
        "        if thread.name in names and thread is not threading.current_thread():\n"
        "            ctypes.pythonapi.PyThreadState_SetAsyncExc(\n"
        "                ctypes.c_ulong(thread.ident), ctypes.py_object(MemoryError))\n"
        "@queuekit.job\n"
        "def nap():\n"
        "    time.sleep(0.2)\n",
    )
    application.start("--log-format", "json")
    worker = application.worker()
    application.enqueue("reporting.end_thread", victims)
    application.wait_until_jobs(finished=1)
    enqueue_all([("reporting.nap", ())] * 4)  # a thread dies when it takes its next job

    application.wait_until_ran("reported ThreadDiedError for MemoryError")
    application.wait_until_replaced(worker)
    # What has ended has ended; what ran in the other thread at that moment has died with it.
    ended = {"finished", "failed"}
    wait_until(lambda: application.jobs().keys() <= ended, application, "the jobs end")
    application.stop()

    assert application.wait_for_end() == 0
    lines = [json.loads(line) for line in application.printed().splitlines()]
    (line,) = [line for line in lines if line["event"] == "ErrorOccurred"]
    assert (line["process"], line["pid"]) == ("Worker", worker.pid)
    assert "MemoryError" in line["traceback"]
    (exited,) = [line for line in lines if line["event"] == "ChildExited" and not line["expected"]]
    assert (exited["child"], exited["level"]) == (worker.pid, "error")


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("holds_the_interpreter", [False, True])
def test_a_child_that_hangs_at_boot_is_killed_and_another_is_tried(
    application: Application, holds_the_interpreter: bool
) -> None:
    """What hangs is a start hook, in its own process, the first time it is called. That is before
    its process has anything to do with jobs, so one database will do."""
    wait = "ctypes.PyDLL(None).sleep(600)" if holds_the_interpreter else "time.sleep(600)"
    application.configure(imports=["hanging"], boot_timeout=2)
    application.write(
        "hanging.py",
        "import ctypes, time, jobs, queuekit\n"
        "@queuekit.on_worker_start\n"
        "def boot(process):\n"
        "    first = not (jobs.FOLDER / 'booted').exists()\n"
        "    (jobs.FOLDER / 'booted').touch()\n"
        "    if first:\n"
        f"        jobs.note('hangs')\n        {wait}\n",
    )
    application.launch()
    application.wait_until_ran("hangs")
    ((pid, _),) = application.ran_where()
    receipt = application.enqueue("jobs.note", "runs")

    application.wait_until_printed(f"Killing process {pid}, which has not come up within 2 s")

    application.wait_until_jobs(finished=1)
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    assert_ended_once([receipt])
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("sqlite")
def test_every_line_of_a_json_log_can_be_read(application: Application) -> None:
    """The log knows nothing of databases: one will do."""
    application.configure(workers={"threads": 2})
    application.start("--log-format", "json")
    worker = application.worker()
    receipts = [
        application.enqueue("jobs.note", "one"),
        application.enqueue("jobs.fail_unless_open", 'a\n"gate" \N{SNOWMAN}'),
        application.enqueue("jobs.sabotage"),
    ]
    application.wait_until_jobs(failed=2, finished=1)
    os.kill(worker.pid, signal.SIGKILL)
    application.wait_until_replaced(worker)
    receipts.append(application.enqueue("jobs.crash"))
    application.wait_until_jobs(failed=3, finished=1)
    application.send(signal.SIGHUP)
    application.wait_until_printed('"event": "Reloaded"')
    wait_until(lambda: len(application.processes("Worker")) == 1, application, "one worker")
    application.stop()

    assert application.wait_for_end() == 0
    assert application.alive() == []
    assert application.processes() == []
    lines = [json.loads(line) for line in application.printed().splitlines()]
    assert {"time", "level", "process", "pid", "hostname", "message"} <= set.intersection(
        *(set(line) for line in lines)
    )
    assert {line["process"] for line in lines} == {"Supervisor", "Worker", "Dispatcher"}
    failed = [line for line in lines if line["event"] == "JobEnded"]
    assert {line["job_id"] for line in failed} == {receipts[1].job_id, receipts[2].job_id}
    (crashed,) = [line for line in lines if receipts[3].job_id in line.get("failed", [])]
    assert crashed["event"] == "ProcessBuried"
    assert_ended_once(receipts, outcomes=["finished", "failed"])
