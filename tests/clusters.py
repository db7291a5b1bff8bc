"""One throwaway database server: its folder, its process, its end.

What all products have in common. The products themselves, which are recipes for this class, are in
`tests.servers`; the cleaning up that survives the interpreter is in `tests.janitor`.
"""

from __future__ import annotations

import abc
import atexit
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path
from typing import ClassVar, Self

from tests.databases import databases_at, with_database
from tests.janitor import (
    Janitor,
    free_port,
    kill_family,
    new_folder,
    search_path,
    unprivileged_user,
)

PATIENCE = 60.0
"""Seconds after which a server that neither answers nor exits is given up."""


class ServerError(Exception):
    """A server cannot be started, or did not stay up. The message ends with its last log lines."""


class Cluster(abc.ABC):
    """One throwaway server.

    1. Owns a folder with the data, the log and the socket, and a port that stays the same.
    2. Starts the process, and returns when it accepts connections.
    3. Stops it, or kills it; committed data is there again after the next start.
    4. Takes everything away on `close`, and at the interpreter's end, however that comes.

    `durable` keeps the server's own defaults, fsync among them. Without it nothing is forced to the
    disk: a power cut would lose data, the death of the process does not.
    """

    product: ClassVar[str]
    scheme: ClassVar[str]
    superuser: ClassVar[str]
    first_database: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.folder = new_folder(on_disk=durable)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        address = f"{self.scheme}://{self.superuser}@127.0.0.1:{self.port}/{self.first_database}"
        self.databases = databases_at(address)
        self.url = with_database(address, "queuekit")
        self._process: subprocess.Popen[bytes] | None = None
        self._janitor = Janitor(self.folder)
        atexit.register(self._close_in, os.getpid())

    # The recipe of a product

    @property
    @abc.abstractmethod
    def socket(self) -> Path:
        """What a client names to come in without TCP: PostgreSQL the folder, MySQL the socket."""

    @staticmethod
    @abc.abstractmethod
    def installed() -> bool:
        """Whether this machine has the binaries."""

    @abc.abstractmethod
    def _make_data(self) -> None: ...

    @abc.abstractmethod
    def _command(self) -> list[str]: ...

    # Its life

    def start(self) -> None:
        """Start the process and return when it accepts connections."""
        if self.running:
            return
        new = not self.data.exists()
        if new:
            self._make_data()
        self._process = self._spawn(self._command())
        self._wait_until_accepting()
        if new:
            self.create_database("queuekit")

    def stop(self) -> None:
        """Shut down cleanly, without waiting for clients to leave."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
            self._gone()

    def kill(self) -> None:
        """SIGKILL, to the server and to its own child processes."""
        if self._process is not None:
            kill_family(self._process.pid)
            self._process.wait()
            self._gone()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and remove its folder; it cannot be started again."""
        self.stop()
        self._janitor.dismiss()
        atexit.unregister(self._close_in)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_in(self, maker: int) -> None:
        # A forked child inherits the exit handlers, but not the right to stop its parent's server.
        if os.getpid() == maker:
            self.close()

    def _gone(self) -> None:
        self._process = None
        self._janitor.watch(None)

    # Its databases

    def version(self) -> str:
        return self.databases.version()

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        return self.databases.create(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending whatever still uses it."""
        self.databases.drop(name)

    # Processes

    def _run(self, command: list[str]) -> None:
        process = self._spawn(command)
        process.wait()
        self._janitor.watch(None)
        if process.returncode != 0:
            raise self._error(f"{command[0]} exited with status {process.returncode}")

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        # A session of its own keeps Control-C in a terminal from reaching the server as well.
        user = unprivileged_user()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={"PATH": search_path(), "LC_ALL": "C", "TMPDIR": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user and pwd.getpwnam(user).pw_gid,
                extra_groups=user and [],
            )
        self._janitor.watch(process.pid)
        return process

    def _wait_until_accepting(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            if self._process.poll() is not None:
                raise self._error(f"{self.product} exited with {self._process.returncode}")
            try:
                self.version()
                return
            except self.databases.refusals as refusal:
                if time.monotonic() > deadline:
                    raise self._error(f"{self.product} accepts no connections") from refusal
            time.sleep(0.02)

    def _error(self, message: str) -> ServerError:
        lines = self.log.read_text(errors="replace").splitlines()
        return ServerError("\n".join([message, *lines[-20:]]))
