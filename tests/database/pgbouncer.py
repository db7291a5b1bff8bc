"""A real PgBouncer in front of a PostgreSQL server: transaction-mode pooling, on a port of its own."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from pathlib import Path
from typing import Self

import psycopg

from queuekit.database.url import parse
from tests.janitor import Janitor, free_port, new_folder, unprivileged_user, which

PATIENCE = 30.0


class PgBouncer:
    """Runs from `with` to the end of its block. Few backends for many clients, so that a client
    meets another backend with each transaction."""

    def __init__(self, server_url: str, *, backends: int = 2, settings: str = "") -> None:
        self._target = parse(server_url)
        self._backends = backends
        self._settings = settings
        self.port = free_port()

    @staticmethod
    def binary() -> Path | None:
        return which("pgbouncer")

    def url(self, database: str) -> str:
        return f"postgresql://{self._target.user}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.folder = new_folder(on_disk=False)
        self._janitor = Janitor(self.folder)
        (self.folder / "ini").write_text(self._configuration())
        user = unprivileged_user()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.binary()), str(self.folder / "ini")],
                cwd=self.folder,
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user and pwd.getpwnam(user).pw_gid,
                extra_groups=user and [],
            )
        self._janitor.watch(self._process.pid)
        self._wait_until_accepting()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._janitor.watch(None)
        self._janitor.dismiss()

    def _configuration(self) -> str:
        target = self._target
        password = f" password='{target.password}'" if target.password else ""
        return (
            "[databases]\n"
            f"* = host={target.host} port={target.port or 5432} user={target.user}{password}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {self._backends}\n"
            f"{self._settings}\n"
        )

    def _wait_until_accepting(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
