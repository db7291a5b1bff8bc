"""Jobs that are run in the tests, by a Performer: continuations, progress, jobs that complete
themselves. What they do is in `did`; `scene` decides what befalls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

import queuekit
from queuekit import Step, context

did: list[Any] = []

#: What a job is to do at its places: a function by name.
scene: dict[str, Callable[[], object]] = {}


def act(place: str) -> None:
    """Say that the job is here, and let the test do what it wants."""
    did.append(place)
    if place in scene:
        scene[place]()


class Import(queuekit.Continuable, queuekit.Job):
    """Three steps; the second reads rows 0 to 4."""

    on_process_death = "retry"

    def perform(self, source: str) -> None:
        act(f"perform {source}")
        self.step("validate", self.validate)
        self.step("rows", self.read, start=0)

        @self.step("finish")
        def _() -> None:
            act("finish")

    def validate(self) -> None:
        act("validate")

    def read(self, step: Step) -> None:
        while step.cursor < 5:
            act(f"row {step.cursor}")
            step.advance()


class ImportTwice(Import):
    max_resumptions = 2


class ImportByPolicies(Import):
    resume_errors_after_advancing = False


@queuekit.job(continuable=True, retry_on=queuekit.Retry(KeyError, wait=60))
def steps(*names: str) -> None:
    for name in names:
        context.step(name, lambda name=name: act(name))


@queuekit.job(continuable=True)
def cursors(*values: Any) -> None:
    def through(step: Step) -> None:
        did.append((step.cursor, step.resumed))
        for value in values:
            step.set(value)
            act("set")

    context.step("through", through)


@queuekit.job(continuable=True)
def isolated() -> None:
    context.step("before", lambda: act("before"))
    context.step("alone", lambda: act("alone"), isolated=True)
    context.step("after", lambda: act("after"))


@queuekit.job(continuable=True)
async def fetch() -> None:
    async def first(step: Step) -> None:
        act("first")
        await step.aset("middle")
        act("first again")

    async def second() -> None:
        act("second")

    await context.step("first", first)
    await context.step("second", second)


@queuekit.job
def count(*told: Any) -> None:
    for done, total in told:
        context.progress(done, total)
        act(f"told {done}")


@queuekit.job
def pay() -> None:
    act("pay")


@queuekit.job
async def pay_async(url: str, how: str) -> None:
    connection = await psycopg.AsyncConnection.connect(url)
    async with connection:
        await connection.execute("insert into orders values (1)")
        await context.acomplete(connection)
        if how == "rollback":
            await connection.rollback()


class GiveUp(queuekit.Job):
    retry_on = queuekit.Retry(ConnectionError, wait=0)
    discard_on = KeyError

    def perform(self) -> None:
        act("give up")
