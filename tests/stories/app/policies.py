"""More jobs of the stories' application: those that do not always succeed, and what they say of it.

the web       fetch, fetch_with_jitter, fetch_in_vain
records       greet, greet_if_there
handlers      trip and what it raises, given to each kind of handler
callbacks     refused, given_up, attended
again         stumble, swear, move, count_down, try_for_ever
context       travel and arrive, with a request id and an account
stopping      work_until_told
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from urllib.error import HTTPError

from jobs import FOLDER, note

import queuekit
from queuekit import Abort, CurrentJob, DeserializationError, Discard, Rescue, Retry, context

# The web


def get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=30) as response:
        note(f"got {response.read().decode()}")


@queuekit.job(retry_on=Retry(HTTPError, wait="polynomially_longer", attempts=5, jitter=0))
def fetch(url: str) -> None:
    get(url)


@queuekit.job(retry_on=Retry(HTTPError, wait="polynomially_longer", attempts=5, jitter=1))
def fetch_with_jitter(url: str) -> None:
    get(url)


# Records


class Record:
    """A file that is a record: its name is its key."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.record"

    def save(self) -> Record:
        self.path.touch()
        return self


class Records:
    def key(self, record: Record) -> str:
        return record.name

    def locate(self, record_class: type[Record], key: str) -> Record | None:
        record = record_class(key)
        return record if record.path.exists() else None


queuekit.register_locator(Record, Records())


@queuekit.job
def greet(record: Record) -> None:
    note(f"hello {record.name}")


@queuekit.job(discard_on=DeserializationError)
def greet_if_there(record: Record) -> None:
    note(f"hello {record.name}")


# Handlers that raise


class HandlerError(Exception):
    pass


def trip(job: CurrentJob, error: BaseException) -> None:
    note(f"{job.name} trips")
    raise HandlerError(f"while handling {error}")


@queuekit.job(retry_on=Retry(ValueError, attempts=1, on_exhausted=trip))
def trip_when_exhausted() -> None:
    raise ValueError("the first error")


@queuekit.job(discard_on=Discard(ValueError, handler=trip))
def trip_when_discarded() -> None:
    raise ValueError("the first error")


@queuekit.job(rescue_from=Rescue(ValueError, handler=trip))
def trip_when_rescued() -> None:
    raise ValueError("the first error")


@queuekit.job(after_discard=trip)
def trip_after_discard() -> None:
    raise ValueError("the first error")


def wait_in_vain(count: int) -> float:
    raise HandlerError(f"after {count}")


@queuekit.job(retry_on=Retry(ValueError, wait=wait_in_vain))
def trip_over_the_wait() -> None:
    raise ValueError("the first error")


# Callbacks


@queuekit.job
def refused() -> None:
    note("refused ran")


@refused.before_enqueue
def refuse(job: queuekit.BoundJob) -> None:
    raise Abort


@queuekit.job(retry_on=Abort, discard_on=Exception)
def given_up() -> None:
    note("given_up ran")


@given_up.before_perform
def give_up(job: CurrentJob) -> None:
    note(f"{job.name} is given up")
    raise Abort("not today")


@given_up.after_perform
def say_so(job: CurrentJob) -> None:
    note("after given_up")


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=2))
def attended() -> None:
    if context.attempt == 1:
        raise ConnectionError("the first time")
    note("attended ran")


@attended.around_perform
def attend(job: CurrentJob) -> Iterator[None]:
    note(f"before {job.attempt}")
    yield
    note(f"after {job.attempt}")


# Again


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=2))
def stumble(number: int) -> None:
    if context.executions == 1:
        raise ConnectionError(f"{number} stumbles")


class Ärger(Exception):  # noqa: N818 - a name that not every column could take
    pass


@queuekit.job(retry_on=Retry(Ärger, wait=0, attempts=2))
def swear() -> None:
    raise Ärger("\N{SNOWMAN}\0\ud800 \\ ' \" %s :name \N{FOX FACE}")


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=None))
def try_for_ever() -> None:
    if context.attempt == 3:
        note("the third time")
    raise ConnectionError("never")


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, queue="slow", priority=7))
def move() -> None:
    note(f"{context.attempt} on {context.queue} with {context.priority}")
    if context.attempt == 1:
        raise ConnectionError("elsewhere, please")


@queuekit.job
def count_down(number: int) -> None:
    if number:
        count_down.enqueue(number - 1)
    else:
        note("counted down")


# Context

request_id: ContextVar[str] = ContextVar("request_id")
queuekit.propagate("request_id", request_id)


class Current:
    """The account that all code acts for, as many applications have one."""

    account: ContextVar[int | None] = ContextVar("account", default=None)

    @classmethod
    @contextmanager
    def acting_for(cls, account: int) -> Iterator[None]:
        token = cls.account.set(account)
        try:
            yield
        finally:
            cls.account.reset(token)


queuekit.propagate("account", capture=Current.account.get, restore=Current.acting_for)


def surroundings() -> str:
    return f"{request_id.get('no request')} for {Current.account.get()}"


@queuekit.job(retry_on=Retry(ConnectionError, wait=0, attempts=2))
def travel() -> None:
    note(f"travel {context.attempt}: {surroundings()}")
    if context.attempt == 1:
        raise ConnectionError("once more")
    arrive.enqueue("nested")
    with Current.acting_for(8):
        queuekit.enqueue_all([arrive.bind("for another")])


@queuekit.job
def arrive(text: str) -> None:
    note(f"arrive {text}: {surroundings()}")


# Stopping


@queuekit.job
def work_until_told(text: str) -> None:
    """A long job that ends where it likes when its process is about to leave."""
    note(f"{text} began")
    deadline = time.monotonic() + 300
    while not context.is_stopping:
        if time.monotonic() > deadline:
            raise TimeoutError("nobody told it")
        time.sleep(0.01)
    context.retry()
    note(f"{text} makes room")
