"""Jobs that do not end at once, for workers that are killed all the time: each is retried, resumed
or given up, at random. Nobody else may run the same job meanwhile, and what was recorded is not
done again; what they see of it is in `ran`."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jobs import FOLDER, note

import queuekit
from queuekit import JobTimeout, Retry, Step, context

(FOLDER / "held").mkdir(exist_ok=True)

_SOON = Retry(ConnectionError, wait=0.1, attempts=None)


def stumble(odds: float = 0.3) -> None:
    if random.random() < odds:
        raise ConnectionError("it stumbles")


@contextmanager
def alone() -> Iterator[None]:
    """Hold the job's own file, and say so if anybody else does: a process that is gone does not."""
    with (FOLDER / "held" / context.job_id).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            note(f"held {file.read()}")
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}")
            file.flush()
        yield


@queuekit.job
def plain() -> None:
    with alone():
        time.sleep(0.02)


@queuekit.job(retry_on=_SOON)
def retried() -> None:
    with alone():
        time.sleep(0.02)
        stumble()


@queuekit.job(retry_on=_SOON, discard_on=LookupError)
def given_up() -> None:
    with alone():
        time.sleep(0.02)
        stumble(0.5)
        raise LookupError("not this one")


@queuekit.job(timeout=0.1, retry_on=Retry(JobTimeout, wait=0, attempts=None))
def overrun() -> None:
    with alone():
        while random.random() < 0.9:
            time.sleep(0.02)


@queuekit.job(retry_on=_SOON)
async def awaited() -> None:
    with alone():
        await asyncio.sleep(0.05)
        stumble()


@queuekit.job(timeout=0.1, retry_on=[_SOON, Retry(JobTimeout, wait=0, attempts=None)])
async def awaited_too_long() -> None:
    with alone():
        await asyncio.sleep(random.choice([0.02, 10]))
        stumble()


class InSteps(queuekit.Continuable, queuekit.Job):
    retry_on = _SOON
    resume_wait = 0.1

    def perform(self) -> None:
        with alone():
            self.do("first")
            self.step("rows", self.read, start=0)
            said("past rows")
            self.do("last")

    def do(self, name: str) -> None:
        def work() -> None:
            said(f"in {name}")
            stumble()

        self.step(name, work)
        said(f"past {name}")

    def read(self, step: Step) -> None:
        while step.cursor < 4:
            row = step.cursor
            said(f"in row {row}")
            time.sleep(0.01)
            context.progress(row, 4)
            step.advance()
            said(f"past row {row}")
            stumble(0.1)


@queuekit.job(continuable=True, retry_on=_SOON, resume_wait=0.1)
async def in_awaited_steps() -> None:
    async def rows(step: Step) -> None:
        while step.cursor < 4:
            row = step.cursor
            said(f"in row {row}")
            await asyncio.sleep(0.02)
            await step.aadvance()
            said(f"past row {row}")
            stumble(0.1)

    with alone():
        await context.step("rows", rows, start=0)


def said(text: str) -> None:
    note(f"{context.job_id} {text}")
