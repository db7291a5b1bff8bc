"""The jobs of the stories' application. They tell what they do in files of its folder.

`ran` gets a line for each step of each job: the process's id, a space, and the text. `open/<gate>`
is a file that a job waits for, so that a test decides when it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import queuekit

FOLDER = Path(__file__).parent


@queuekit.job
def note(text: str) -> None:
    """Say that it ran."""
    # One short write to a file opened for appending is never torn apart by another process's.
    with (FOLDER / "ran").open("a") as ran:
        ran.write(f"{os.getpid()} {text}\n")


@queuekit.job
def note_slowly(text: str) -> None:
    """Take a little while: long enough to be killed in."""
    time.sleep(0.02)
    note(text)


@queuekit.job(on_process_death="retry", max_process_deaths=1_000)
def note_times(key: str) -> None:
    """Say when it began and when it ended, by the machine's clock."""
    note(f"{key} began {time.monotonic()}")
    time.sleep(0.01)
    note(f"{key} ended {time.monotonic()}")


@queuekit.job
def wait(text: str, gate: str = "gate") -> None:
    """Say that it began, wait until the gate opens, say that it ended."""
    note(f"{text} began")
    wait_until_open(gate)
    note(f"{text} ended")


@queuekit.job
def wait_and_tell(text: str, gate: str = "gate") -> None:
    """The same, and tell how far it is."""
    queuekit.context.progress(1, 3)
    note(f"{text} began")
    wait_until_open(gate)
    queuekit.context.progress(2, 3)
    note(f"{text} ended")


def wait_until_open(gate: str) -> None:
    deadline = time.monotonic() + 300
    while not (FOLDER / "open" / gate).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody opened {gate}")
        time.sleep(0.01)


@queuekit.job
def fail_unless_open(gate: str) -> None:
    if not (FOLDER / "open" / gate).exists():
        raise ValueError(f"{gate} is closed: \N{SNOWMAN}\0")
    note(f"{gate} is open")


@queuekit.job
def exit_process(status: int) -> None:
    note("exiting")
    os._exit(status)


@queuekit.job
def be_killed() -> None:
    """As the kernel does it when memory is out."""
    note("being killed")
    os.kill(os.getpid(), signal.SIGKILL)


@queuekit.job
def crash() -> None:
    """Read where no memory is."""
    note("crashing")
    ctypes.string_at(0)


@queuekit.job
def hold_the_interpreter(seconds: int) -> None:
    """Call C without letting any other thread run meanwhile."""
    note("holding")
    ctypes.PyDLL(None).sleep(seconds)


@queuekit.job
def spin(gate: str = "gate") -> None:
    """Never sleep, never wait: other threads get the interpreter only when it is taken away."""
    note("spinning")
    while not os.path.exists(f"open/{gate}"):  # noqa: PTH110 - the shortest way round
        sum(range(1000))


@queuekit.job
def fork(text: str, *, comes_back: bool) -> None:
    """Fork. The child ends as it should, or comes back into the worker's code."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        note(f"{text} ended")
    elif not comes_back:
        os._exit(0)


@queuekit.job
def close_everything() -> None:
    """Close every descriptor: connections, logs, standard streams."""
    note("closing")
    os.closerange(0, 10_000)


@queuekit.job(on_process_death="retry", max_process_deaths=3)
def die_again_and_again() -> None:
    note("dying")
    os.kill(os.getpid(), signal.SIGKILL)


@queuekit.job(on_process_death="fail")
def die_once() -> None:
    note("dying")
    os.kill(os.getpid(), signal.SIGKILL)


@queuekit.job(on_process_death="retry")
def wait_and_survive(text: str, gate: str = "gate") -> None:
    note(f"{text} began")
    wait_until_open(gate)
    note(f"{text} ended")


@queuekit.job(timeout=0.5)
def overrun(text: str) -> None:
    note(f"{text} began")
    wait_until_open("never")


@queuekit.job(timeout=0.5)
def overrun_and_tidy_up(text: str) -> None:
    note(f"{text} began")
    try:
        wait_until_open("never")
    except queuekit.JobTimeout:
        note(f"{text} tidied up")


@queuekit.job(timeout=0.5, on_process_death="retry")
def overrun_in_c(text: str) -> None:
    """Wait where no exception of Python's can reach it."""
    note(f"{text} began")
    time.sleep(300)


@queuekit.job
def exit_politely() -> None:
    sys.exit("that was it")


class Sabotage(BaseException):
    """Not an Exception: `except Exception` lets it through."""


@queuekit.job
def sabotage() -> None:
    raise Sabotage("not an Exception")


leaked: list[bytes] = []


@queuekit.job
def leak(size: int) -> None:
    """Keep so many bytes for ever."""
    leaked.append(os.urandom(1_000_000) * (size // 1_000_000))
    note("leaked")


@queuekit.job
def exhaust_memory() -> None:
    raise MemoryError


@queuekit.job
def interrupt() -> None:
    raise KeyboardInterrupt


@queuekit.job(queue="followers")
def follow(text: str) -> None:
    note(text)


@queuekit.job
def lead(number: int) -> None:
    """Enqueue from the pool's thread, one job and several."""
    assert threading.current_thread() is not threading.main_thread()
    follow.enqueue(f"{number} alone")
    queuekit.enqueue_all(follow.bind(f"{number} with {other}") for other in range(3))


@queuekit.job
def terminate_a_program() -> None:
    """Start a program and end it again, as any job may."""
    program = subprocess.Popen(["sleep", "300"])
    program.terminate()
    try:
        note(f"ended by {signal.Signals(-program.wait(20)).name}")
    finally:
        program.kill()


@queuekit.job
def change_folder(folder: str) -> None:
    os.chdir(folder)
    note(f"in {folder}")


class Export(queuekit.Job):
    queue = "exports"

    def perform(self, account: int, *, full: bool = False) -> None:
        note(f"export of {account}, full={full}")
