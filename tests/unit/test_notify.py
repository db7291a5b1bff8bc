"""What the service manager hears, on a real socket; and that its silence harms nobody."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuekit import events
from queuekit.processes.notify import ServiceManager


class Manager:
    """A service manager, listening under `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    if request.param == "path":
        name = str(tmp_path / "notify")
    elif sys.platform == "linux":
        name = f"@queuekit-test-{secrets.token_hex(8)}"
    else:
        pytest.skip("only Linux has an abstract namespace")
    manager = Manager(name)
    yield manager
    manager.socket.close()


@pytest.fixture
def reported() -> Iterator[list[events.Event]]:
    reported: list[events.Event] = []
    handler = events.subscribe(lambda event: reported.append(event))
    yield reported
    events.unsubscribe(handler)


def test_it_hears_of_a_whole_life(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "3000000"}
    service = ServiceManager(environ)
    service.ready("2 processes")
    assert manager.heard() == ["READY=1", "STATUS=2 processes"]
    service.alive()
    assert manager.heard() == ["WATCHDOG=1"]
    service.status("waiting for the database")
    assert manager.heard() == ["STATUS=waiting for the database"]
    before = time.monotonic_ns() // 1000
    service.reloading()
    reloading, since, status = manager.heard()
    assert (reloading, status) == ("RELOADING=1", "STATUS=Replacing the processes")
    assert before <= int(since.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    service.stopping()
    assert manager.heard() == ["STOPPING=1", "STATUS=Stopping"]


def test_a_status_is_one_line(manager: Manager) -> None:
    ServiceManager({"NOTIFY_SOCKET": manager.name}).status("a\nMAINPID=1\nb \udcff")
    assert manager.heard() == ["STATUS=a MAINPID=1 b ?"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_one_nothing_is_said(environ: dict[str, str], reported: list[events.Event]) -> None:
    service = ServiceManager(environ)
    service.ready("")
    service.alive()
    service.stopping()
    assert reported == []


@pytest.mark.parametrize("name", ["none", "x" * 300, "@none", "vsock:2:1234", "/dev/null"])
def test_one_that_does_not_listen_is_reported_once(
    name: str, tmp_path: Path, reported: list[events.Event]
) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": name if name[0] in "@/v" else str(tmp_path / name)})
    service.ready("")
    service.stopping()
    (event,) = reported
    assert isinstance(event, events.ErrorOccurred)
    assert event.where == "speaking to the service manager"
    assert isinstance(event.error, OSError)


def test_one_that_does_not_read_is_not_waited_for(
    tmp_path: Path, reported: list[events.Event]
) -> None:
    manager = Manager(str(tmp_path / "notify"))
    flood = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    flood.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            flood.sendto(b"x", manager.name)
    began = time.monotonic()
    ServiceManager({"NOTIFY_SOCKET": manager.name}).ready("")
    assert time.monotonic() - began < 5
    assert len(reported) == 1
    flood.close()
    manager.socket.close()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_must_be(
    environ: dict[str, str], interval: float | None
) -> None:
    assert ServiceManager(environ).watchdog_interval == interval


def test_a_watchdog_that_is_not_wanted_is_not_fed(manager: Manager) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": manager.name})
    service.alive()
    service.status("that was all")
    assert manager.heard() == ["STATUS=that was all"]
