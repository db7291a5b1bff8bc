"""Jobs that run in the tests' own process, and wait until they may end."""

from __future__ import annotations

import threading

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
