"""The small parts of the processes: waking up, signals, outages, memory, how a child ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from queuekit import events
from queuekit.database import file_writes
from queuekit.errors import DatabaseUnavailableError
from queuekit.events import Event
from queuekit.processes.forking import described_end, is_stopped
from queuekit.processes.memory import resident_memory
from queuekit.processes.outage import Outage
from queuekit.processes.signals import STOPPING, held_back
from queuekit.processes.wakeup import Wakeup

# Wakeup


def test_a_wait_ends_when_it_is_set_or_its_time_is_over() -> None:
    wakeup = Wakeup()
    began = time.monotonic()
    assert not wakeup.wait(0.05)
    assert time.monotonic() - began >= 0.05

    wakeup.set()
    wakeup.set()
    began = time.monotonic()
    wakeup.wait(60)
    assert time.monotonic() - began < 30

    began = time.monotonic()
    wakeup.wait(0.05)  # what was set before is forgotten
    assert time.monotonic() - began >= 0.05
    wakeup.wait(-1)


def test_another_thread_ends_a_wait() -> None:
    wakeup = Wakeup()
    timer = threading.Timer(0.05, wakeup.set)
    timer.start()

    began = time.monotonic()
    wakeup.wait(60)

    assert time.monotonic() - began < 30
    timer.join()


class Pipe:
    def __init__(self) -> None:
        self.out, self.into = os.pipe()

    def close(self) -> None:
        os.close(self.out)
        os.close(self.into)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with closing(Pipe()) as pipe:
        yield pipe


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    with closing(Wakeup()) as wakeup:
        yield wakeup


def test_a_wait_beside_a_file_descriptor_ends_when_that_can_be_read(
    wakeup: Wakeup, pipe: Pipe
) -> None:
    began = time.monotonic()
    assert not wakeup.wait_beside(pipe.out, 0.05)
    assert time.monotonic() - began >= 0.05

    os.write(pipe.into, b".")
    began = time.monotonic()
    assert not wakeup.wait_beside(pipe.out, 60)
    assert time.monotonic() - began < 30


def test_a_wait_beside_a_file_descriptor_ends_when_it_is_set(wakeup: Wakeup, pipe: Pipe) -> None:
    wakeup.set()
    assert wakeup.wait_beside(pipe.out, 60)

    timer = threading.Timer(0.05, wakeup.set)
    timer.start()
    began = time.monotonic()
    assert wakeup.wait_beside(pipe.out, 60)
    assert time.monotonic() - began < 30
    timer.join()
    assert not wakeup.wait_beside(pipe.out, 0.0)  # what was set before is forgotten
    assert not wakeup.wait(0.0)
    wakeup.close()
    wakeup.set()
    assert wakeup.wait_beside(pipe.out, 60)


def test_no_set_is_lost_whichever_way_it_is_waited_for(wakeup: Wakeup, pipe: Pipe) -> None:
    """Sent and awaited in turn, so one that is lost would be waited for in vain."""
    here, there = wakeup, Wakeup()

    def echo() -> None:
        for _ in range(2_000):
            there.wait(60)
            here.set()

    thread = threading.Thread(target=echo)
    thread.start()
    for number in range(2_000):
        there.set()
        assert here.wait_beside(pipe.out, 60) if number % 2 else here.wait(60)
    thread.join()


# Writes to a file


def test_writes_to_a_file_are_told_and_others_are_not(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.touch()
    writes = file_writes.listen(path)
    if sys.platform != "linux":
        assert writes is None
        return
    assert writes is not None
    assert not writes.take()

    other.write_text("a")
    path.read_text()
    assert not writes.take()

    with path.open("a") as file:
        file.write("a")
        file.flush()
        assert select.select([writes.fileno()], [], [], 30)[0]
        file.write("b")
        file.flush()
    assert writes.take()
    assert not writes.take()

    writes.close()
    writes.close()


def test_nobody_listens_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert file_writes.listen(tmp_path / "nothing") is None


# Signals

SIGNALS = """
import os, signal, time
from queuekit.processes.signals import GRACEFUL, STOPPING, SignalBox
from queuekit.processes.wakeup import Wakeup

wakeup = Wakeup()
box = SignalBox(wake=wakeup.set)
box.listen(STOPPING)
for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM):
    os.kill(os.getpid(), number)
began = time.monotonic()
wakeup.wait(60)
assert time.monotonic() - began < 30
print([number.name for number in box.take()], box.take())
"""


def test_signals_are_recorded_in_the_order_they_came_and_wake() -> None:
    printed = subprocess.check_output([sys.executable, "-c", SIGNALS], text=True, timeout=90)

    assert printed == "['SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGTERM'] []\n"


def test_signals_can_be_held_back_for_a_moment() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with held_back(STOPPING):
        assert set(STOPPING) <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


# Outages


def test_an_outage_is_said_once_and_tried_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Event] = []
    monkeypatch.setattr(events, "_handlers", [heard.append])
    outage = Outage("Worker")
    error = DatabaseUnavailableError("no route")

    outage.over()
    assert heard == []

    pauses = [outage.pause(error) for _ in range(8)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert heard == [events.DatabaseLost(who="Worker", error="no route")]

    outage.over()
    outage.over()
    assert len(heard) == 2
    assert isinstance(heard[1], events.DatabaseBack)
    assert outage.pause(error) == 0.1
    assert len(heard) == 3


# Memory


def test_resident_memory_is_that_of_this_process_now() -> None:
    before = resident_memory()
    assert 5_000_000 < before < 10_000_000_000

    filled = b"x" * 50_000_000
    assert resident_memory() > before + 40_000_000
    del filled
    assert resident_memory() < before + 40_000_000


# Children


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("raise SystemExit(0)", "exited with status 0"),
        ("raise SystemExit(3)", "exited with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 5)", "was killed by signal 39"),
    ],
)
def test_the_end_of_a_child_is_said_in_words(code: str, end: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", code])
    _, status = os.waitpid(child.pid, 0)
    child.returncode = status  # it was waited for here

    assert described_end(status) == end


def test_a_stopped_process_can_be_told_from_a_hanging_one() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not is_stopped(child.pid)

        os.kill(child.pid, signal.SIGSTOP)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert is_stopped(child.pid)

        os.kill(child.pid, signal.SIGCONT)
        deadline = time.monotonic() + 60
        while is_stopped(child.pid):
            assert time.monotonic() < deadline
        child.kill()
    assert not is_stopped(child.pid)
