"""Speaking with systemd (sd_notify(3)): ready, reloading, stopping, and the watchdog's signs.

Nothing but a datagram to the socket named in NOTIFY_SOCKET; without that, nothing at all. A service
manager that does not listen is reported once, and never a reason to run no jobs.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from queuekit import events

#: Seconds to wait for a service manager whose buffer is full. READY must not be lost lightly, and
#: the supervisor must not hang on it.
_PATIENCE = 0.5


class ServiceManager:
    """The service manager that started this process, if there is one. No method raises."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._is_deaf = False
        self.watchdog_interval = _watchdog_interval(environ)

    def ready(self, status: str) -> None:
        """Everything is up, for the first time or after `reloading`."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """`ready` has to follow, or the unit reloads for ever."""
        since = time.monotonic_ns() // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={since}", _status("Replacing the processes"))

    def stopping(self) -> None:
        self._send("STOPPING=1", _status("Stopping"))

    def status(self, status: str) -> None:
        """What `systemctl status` shows of it."""
        self._send(_status(status))

    def alive(self) -> None:
        """Feed the watchdog. Due at least every `watchdog_interval` seconds, when there is one."""
        if self.watchdog_interval is not None:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(_PATIENCE)
                channel.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError as error:
            if not self._is_deaf:
                self._is_deaf = True
                events.emit(
                    events.ErrorOccurred(where="speaking to the service manager", error=error)
                )


def _address(name: str) -> str | None:
    """A path, or a name in the abstract namespace, which is written with a leading @."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    return "\0" + name[1:] if name.startswith("@") else name or None


def _status(text: str) -> str:
    """One line: what followed a line break would be an assignment of its own."""
    return f"STATUS={' '.join(text.split())}"


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Half of what the unit's WatchdogSec allows, if it is meant for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or len(microseconds) > 20:
        return None
    return int(microseconds) / 2e6 or None
