"""Speaking with systemd (sd_notify(3)): ready, stopping, and the watchdog's sign of life.

Nothing but a datagram to the socket named in NOTIFY_SOCKET; without that, nothing at all.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from queuekit import logs


class ServiceManager:
    """The service manager that started this process, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval = _watchdog_interval(environ)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send("STATUS=Replacing processes")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog. Due at least every `watchdog_interval` seconds, when there is one."""
        if self.watchdog_interval is not None:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(message.encode(), self._address)
        except OSError as error:
            logs.service_manager_deaf(error)


def _address(path: str) -> str | None:
    """A path, or a name in the abstract namespace, which is written with a leading @."""
    return "\0" + path[1:] if path.startswith("@") else path or None


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Half of what the unit's WatchdogSec allows, if it is meant for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdecimal() else None
