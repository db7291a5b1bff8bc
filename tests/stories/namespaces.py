"""Several hosts on one machine: network namespaces on a bridge, each with a host name of its own.

    with Network() as network:
        host = network.add_host("left")
        subprocess.run([*host.prefix, "hostname"])
        host.cut_off()
        host.reconnect()

What is cut off notices nothing: its packets are dropped, as behind a broken switch. The addresses
are of 198.18.0.0/15, which is for tests of networks and leads nowhere. Needs root.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from typing import Self

from tests.janitor import search_path


class NetworkError(Exception):
    """The machine does not let us make namespaces, bridges or links."""


class Network:
    """A bridge, whose `address` is this machine's own, and hosts on it."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise NetworkError("only root can make network namespaces")
        if not shutil.which("ip", path=search_path()):
            raise NetworkError("ip is not installed (Debian: iproute2)")
        self._tag = secrets.token_hex(3)
        self._prefix = f"198.18.{secrets.randbelow(256)}"
        self.address = f"{self._prefix}.1"
        self.bridge = f"qk{self._tag}"
        self.hosts: list[Host] = []
        ip("link", "add", self.bridge, "type", "bridge")
        try:
            ip("address", "add", f"{self.address}/24", "dev", self.bridge)
            ip("link", "set", self.bridge, "up")
        except NetworkError:
            self.close()
            raise

    def add_host(self, name: str) -> Host:
        host = Host(name, f"{self.bridge}-{name}", f"{self.bridge}.{len(self.hosts)}")
        ip("netns", "add", host.namespace)
        self.hosts.append(host)
        ip("link", "add", host.link, "type", "veth", "peer", "eth0", "netns", host.namespace)
        ip("link", "set", host.link, "master", self.bridge, "up")
        address = f"{self._prefix}.{len(self.hosts) + 1}/24"
        for command in (f"address add {address} dev eth0", "link set eth0 up", "link set lo up"):
            ip("-netns", host.namespace, *command.split())
        return host

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def close(self) -> None:
        for host in self.hosts:
            ip("netns", "delete", host.namespace)
        ip("link", "delete", self.bridge)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Host:
    """A namespace; a command begun with `prefix` runs there, under this host's name."""

    def __init__(self, name: str, namespace: str, link: str) -> None:
        self.name = name
        self.namespace = namespace
        self.link = link

    @property
    def prefix(self) -> list[str]:
        # Every command replaces the one before it: in the end they are the same process.
        rename = f'echo {self.name} > /proc/sys/kernel/hostname && exec "$0" "$@"'
        inside = ["unshare", "--uts", "/bin/sh", "-c", rename]
        return ["ip", "netns", "exec", self.namespace, *inside]

    def cut_off(self) -> None:
        ip("link", "set", self.link, "down")

    def reconnect(self) -> None:
        ip("link", "set", self.link, "up")


def ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments],
        env=os.environ | {"PATH": search_path()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise NetworkError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
