"""The `async def` jobs of the stories' application. They tell what they do as those of jobs.py."""

from __future__ import annotations

import asyncio
import os
import time

from jobs import FOLDER, note

import queuekit
from queuekit import Retry

running = 0
most = 0


async def wait_until_open(gate: str) -> None:
    while not (FOLDER / "open" / gate).exists():
        await asyncio.sleep(0.02)


@queuekit.job
async def say(text: str) -> None:
    note(text)


@queuekit.job
async def wait(text: str, gate: str = "gate") -> None:
    """Say that it began, wait until the gate opens, say that it ended."""
    note(f"{text} began")
    await wait_until_open(gate)
    note(f"{text} ended")


@queuekit.job
async def count_those_at_once(gate: str = "gate") -> None:
    """Say how many were here at once, at the most."""
    global running, most
    running += 1
    most = max(most, running)
    note("here")
    await wait_until_open(gate)
    await asyncio.sleep(0.01)
    running -= 1
    if running == 0:
        note(f"at most {most}")


class Meeting(queuekit.Job):
    """All of them have come before one of them leaves."""

    barriers: dict[int, asyncio.Barrier] = {}  # noqa: RUF012

    async def perform(self, parties: int) -> None:
        barrier = self.barriers.setdefault(parties, asyncio.Barrier(parties))
        await barrier.wait()
        note("met")


@queuekit.job(timeout=0.5)
async def overrun(text: str) -> None:
    note(f"{text} began")
    await wait_until_open("never")


@queuekit.job(timeout=0.5, on_process_death="retry")
async def swallow(text: str) -> None:
    """Do not end when cancelled."""
    note(f"{text} began")
    while True:
        try:
            await wait_until_open("never")
        except asyncio.CancelledError:
            note(f"{text} goes on")


@queuekit.job(timeout=0.5)
async def block(text: str) -> None:
    """Block the loop."""
    note(f"{text} began")
    time.sleep(300)


@queuekit.job
async def block_until_open(text: str) -> None:
    note(f"{text} began")
    while not (FOLDER / "open" / "gate").exists():
        time.sleep(0.01)
    note(f"{text} ended")


@queuekit.job(on_process_death="retry")
async def wait_and_survive(text: str) -> None:
    note(f"{text} began")
    await wait_until_open("gate")
    note(f"{text} ended by {os.getpid()}")


class UnreliableError(ConnectionError):
    pass


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=3), discard_on=LookupError)
async def be_unreliable(text: str) -> None:
    await asyncio.sleep(0)
    note(f"{text} attempt {queuekit.context.attempt}")
    if text == "lost":
        raise LookupError(text)
    if text == "hopeless" or queuekit.context.attempt < 3:
        raise UnreliableError(text)


@queuekit.job
async def lead(number: int) -> None:
    """Enqueue from the event loop, one job and several."""
    await say.aenqueue(f"{number} alone")
    await queuekit.aenqueue_all(say.bind(f"{number} with {other}") for other in range(3))
