"""A throwaway Redis, or Valkey, with its own defaults, but that it writes nothing to the disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.running import BenchmarkError
from tests.janitor import free_port, search_path

_PATIENCE = 10.0


def program() -> str | None:
    """Where it is; None: there is none."""
    for name in (os.environ.get("BENCHMARK_REDIS", ""), "redis-server", "valkey-server"):
        if name and (found := shutil.which(name, path=search_path())):
            return found
    return None


class Redis:
    """One server, of which every database is empty when it is made."""

    def __init__(self, port: int) -> None:
        self._port = port

    def create_database(self, name: str) -> str:
        self.ask("FLUSHALL")
        return f"redis://127.0.0.1:{self._port}/0"

    def drop_database(self, name: str) -> None:
        self.ask("FLUSHALL")

    def ask(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), _PATIENCE) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100)


@contextmanager
def start() -> Iterator[Redis]:
    found = program()
    if found is None:
        raise BenchmarkError("there is neither redis-server nor valkey-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="queuekit-redis-") as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen([found, *options], stdout=subprocess.DEVNULL)
        try:
            redis = Redis(port)
            _wait_for(redis, server)
            yield redis
        finally:
            server.terminate()
            server.wait()


def _wait_for(redis: Redis, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if redis.ask("PING").startswith(b"+PONG"):
                return
        time.sleep(0.05)
    raise BenchmarkError("Redis does not answer")
