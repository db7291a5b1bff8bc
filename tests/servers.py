"""Throwaway database servers: real ones, in a temporary folder, gone when their maker is.

    with PostgreSQL() as server:
        url = server.create_database("shop")

`PostgreSQL`, `MariaDB` and `MySQL` are recipes for a `Cluster`, which may be stopped, killed and
started again on the same data, port and socket: where the binaries are, how data is made, how the
server is started. `ExternalServer` is a server that somebody else runs.

`python -m tests.servers missing postgresql mysql` prints those of them that this machine lacks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.clusters import Cluster, ServerError
from tests.databases import databases_at
from tests.janitor import which


class PostgreSQL(Cluster):
    """PostgreSQL. `postgres` comes in without a password, every other role with its own."""

    product = "postgresql"
    scheme = "postgresql"
    superuser = "postgres"
    first_database = "postgres"
    stop_signal = signal.SIGINT  # "fast": clients are disconnected, not waited for

    @property
    def socket(self) -> Path:
        return self.folder

    @staticmethod
    def binaries() -> Path | None:
        """The folder that has both `initdb` and `postgres`; of Debian's, the newest."""
        packaged = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
        newest_first = sorted(packaged, key=lambda bin: int(bin.parent.name), reverse=True)
        on_path = [program.parent for program in [which("initdb")] if program]
        for folder in [*on_path, *newest_first]:
            if (folder / "initdb").exists() and (folder / "postgres").exists():
                return folder
        return None

    @staticmethod
    def installed() -> bool:
        return PostgreSQL.binaries() is not None

    def _make_data(self) -> None:
        options = "--no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C"
        self._run([self._binary("initdb"), f"--pgdata={self.data}", *options.split()])
        (self.data / "pg_hba.conf").write_text(
            "local all postgres              trust\n"
            "host  all postgres 127.0.0.1/32 trust\n"
            "local all all                   scram-sha-256\n"
            "host  all all      127.0.0.1/32 scram-sha-256\n"
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "port": str(self.port),
            "max_connections": "300",
            # Not in /dev/shm: containers make it small, and a killed server leaves its files there.
            "dynamic_shared_memory_type": "mmap",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._binary("postgres"), "-D", str(self.data), *options]

    def _binary(self, name: str) -> str:
        binaries = self.binaries()
        if binaries is None:
            raise ServerError("PostgreSQL is not installed: there is no folder with its initdb")
        return str(binaries / name)


class MySQLFamily(Cluster):
    """What MariaDB and MySQL have in common. `root` comes in without a password."""

    scheme = "mysql"
    superuser = "root"
    first_database = "mysql"
    stop_signal = signal.SIGTERM

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def _places(self) -> list[str]:
        return [
            f"--datadir={self.data}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--max-connections=300",
        ]

    def _haste(self) -> list[str]:
        if self.durable:
            return []
        return ["--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--sync-binlog=0"]


class MariaDB(MySQLFamily):
    """MariaDB, from the PATH."""

    product = "mariadb"

    @staticmethod
    def installed() -> bool:
        return bool(which("mariadbd") and which("mariadb-install-db"))

    def _make_data(self) -> None:
        options = "--auth-root-authentication-method=normal --skip-test-db --skip-name-resolve"
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}"]
        self._run([*install, *options.split()])

    def _command(self) -> list[str]:
        return ["mariadbd", "--no-defaults", "--skip-name-resolve", *self._places(), *self._haste()]


class MySQL(MySQLFamily):
    """MySQL itself: from the folder that `bin/test --with-mysql` fills, or from the PATH.

    That folder is a root file system of its own, so its own dynamic linker starts the server.
    """

    product = "mysql"

    @staticmethod
    def root() -> Path:
        """The folder that `bin/test --with-mysql` fills."""
        return Path(os.environ.get("QUEUEKIT_TEST_CACHE") or "/var/tmp/queuekit-test") / "mysql"

    @staticmethod
    def server() -> list[str]:
        """The command that runs `mysqld`, without its data; empty where there is none."""
        root = MySQL.root()
        for linker in sorted(root.glob("usr/lib*/ld-linux*.so.*")):
            libraries = sorted(root.glob("usr/lib/*-linux-gnu"))
            path = ":".join(str(p) for folder in libraries for p in (folder, folder / "systemd"))
            return [
                *(str(linker), "--library-path", path, str(root / "usr/sbin/mysqld")),
                "--no-defaults",
                f"--basedir={root}/usr",
                f"--lc-messages-dir={root}/usr/share/mysql",
                f"--character-sets-dir={root}/usr/share/mysql/charsets",
                f"--plugin-dir={root}/usr/lib/mysql/plugin",
            ]
        on_path = which("mysqld")  # where MariaDB is installed this may be a name of its server
        if on_path and b"MariaDB" not in subprocess.check_output([on_path, "--version"]):
            return [str(on_path), "--no-defaults"]
        return []

    @staticmethod
    def installed() -> bool:
        return bool(MySQL.server())

    def _make_data(self) -> None:
        self._run([*self._server(), f"--datadir={self.data}", "--initialize-insecure"])

    def _command(self) -> list[str]:
        binlog = [] if self.durable else ["--skip-log-bin"]
        return [*self._server(), *self._places(), *self._haste(), *binlog]

    def _server(self) -> list[str]:
        server = self.server()
        if not server:
            raise ServerError(f"MySQL is not installed: neither in {self.root()} nor on the PATH")
        return [*server, "--mysqlx=0", "--secure-file-priv=NULL"]


class ExternalServer:
    """A server that somebody else runs: databases come and go on it, its process stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.databases = databases_at(url)
        self.product = self.version().split()[0].lower()

    def version(self) -> str:
        return self.databases.version()

    def create_database(self, name: str) -> str:
        return self.databases.create(name)

    def drop_database(self, name: str) -> None:
        self.databases.drop(name)

    def close(self) -> None:
        """Nothing to do: it is not ours."""


Server = Cluster | ExternalServer

CLUSTERS: dict[str, type[Cluster]] = {c.product: c for c in (PostgreSQL, MariaDB, MySQL)}

EXTERNAL = {
    "postgresql": "QUEUEKIT_TEST_POSTGRESQL_URL",
    "mariadb": "QUEUEKIT_TEST_MYSQL_URL",
    "mysql": "QUEUEKIT_TEST_MYSQL_URL",
}
"""The variable that names a server to use instead of a throwaway one of that product."""


def main(arguments: list[str]) -> None:
    match arguments:
        case ["missing", *products] if set(products) <= set(CLUSTERS):
            missing = [name for name in products if not CLUSTERS[name].installed()]
            print(*missing, sep="\n", end="\n" if missing else "")
        case _:
            sys.exit("usage: python -m tests.servers missing postgresql|mariadb|mysql ...")


if __name__ == "__main__":
    main(sys.argv[1:])
