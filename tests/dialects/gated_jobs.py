"""Jobs that run in the tests' own process, and wait until they may end."""

from __future__ import annotations

import threading
import time

import queuekit
from queuekit import Limit, Throttle

PATIENCE = 60.0

gate = threading.Event()
begun: list[object] = []


@queuekit.job
def wait(name: str) -> None:
    begun.append(name)
    assert gate.wait(PATIENCE)


@queuekit.job
def say(name: str) -> None:
    begun.append(name)


@queuekit.job(limits_concurrency=Limit(key=lambda name: "gated", to=1))
def alone(name: str) -> None:
    begun.append(name)


@queuekit.job(throttle=Throttle(to=1000, per=60))
def gently(name: str) -> None:
    begun.append(name)


@queuekit.job(
    limits_concurrency=Limit(key=lambda name: "brief", to=1, duration=0.2, on_conflict="discard")
)
def briefly(name: str) -> None:
    begun.append(name)


def _say_for(number: int, seconds: float) -> None:
    begun.append(number)
    time.sleep(seconds)


@queuekit.job
def say_for(number: int, seconds: float) -> None:
    _say_for(number, seconds)


@queuekit.job(limits_concurrency=Limit(key=lambda number, seconds: str(number % 5), to=2))
def alone_for(number: int, seconds: float) -> None:
    _say_for(number, seconds)


@queuekit.job(throttle=Throttle(to=100_000, per=60, key=lambda number, seconds: str(number % 5)))
def gently_for(number: int, seconds: float) -> None:
    _say_for(number, seconds)
