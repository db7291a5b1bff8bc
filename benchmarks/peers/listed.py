"""Who is measured. Workers are two processes of five threads where a library has such."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

#: What pip is asked for, by the library.
LIBRARIES = {
    "procrastinate": "procrastinate psycopg[binary]",
    "pgqueuer": "pgqueuer asyncpg",
    "huey": "huey",
    "celery": "celery[redis]",
    "dramatiq": "dramatiq[redis]",
    "rq": "rq",
}


@dataclass(frozen=True)
class Peer:
    """A library on a store: postgresql, mariadb, sqlite or redis. The command is what its Python is
    given to be a worker, and how many of them are started. So many jobs are what it is expected
    to drain in some seconds."""

    name: str
    store: str
    command: tuple[str, ...]
    workers: int
    jobs: int
    note: str = ""

    @property
    def python(self) -> Path:
        if self.name == "queuekit":
            return Path(sys.executable)
        return CHECKOUT / ".venv/peers" / self.name / "bin/python"

    @property
    def is_installed(self) -> bool:
        is_complete = self.python.parent.parent / "installed"
        return self.name == "queuekit" or is_complete.exists()

    @property
    def module(self) -> str:
        return f"benchmarks.peers.with_{self.name}"

    def command_line(self, url: str, configuration: Path) -> list[str]:
        """With what is only known now: where the jobs are, and queuekit's configuration."""
        words = [word.format(url=url, configuration=configuration) for word in self.command]
        return [str(self.python), "-P", *words]


def _queuekit(store: str, jobs: int) -> Peer:
    start = ("bin/jobs", "start", "-c", "{configuration}", "--database-url", "{url}")
    return Peer("queuekit", store, start, 1, jobs, "2 processes of 5 threads")


_PROCRASTINATE = ("-m", "procrastinate", "--app=benchmarks.peers.with_procrastinate.app")
_PGQUEUER = ("-m", "benchmarks.peers.with_pgqueuer")
_HUEY = ("-m", "huey.bin.huey_consumer", "benchmarks.peers.with_huey.huey", "-k", "thread", "-q")

PEERS = (
    _queuekit("sqlite", 40_000),
    _queuekit("postgresql", 40_000),
    _queuekit("mariadb", 10_000),
    Peer(
        "procrastinate",
        "postgresql",
        (*_PROCRASTINATE, "worker", "--concurrency=5"),
        2,
        2_000,
        "2 processes, concurrency 5",
    ),
    Peer("pgqueuer", "postgresql", (*_PGQUEUER, "10"), 2, 20_000, "2 processes, batches of 10"),
    Peer("pgqueuer", "postgresql", (*_PGQUEUER, "100"), 2, 40_000, "2 processes, batches of 100"),
    Peer("huey", "sqlite", (*_HUEY, "-w", "5"), 2, 30_000, "2 processes of 5 threads, no fsync"),
    Peer(
        "celery",
        "redis",
        ("-m", "celery", "-A", "benchmarks.peers.with_celery", "worker", "-l", "error", "-c", "2"),
        1,
        4_000,
        "2 processes (prefork)",
    ),
    Peer(
        "dramatiq",
        "redis",
        ("-m", "dramatiq", "benchmarks.peers.with_dramatiq", "-p", "2", "-t", "5"),
        1,
        10_000,
        "2 processes of 5 threads",
    ),
    Peer(
        "rq",
        "redis",
        ("-m", "rq.cli", "worker", "--url", "{url}", "--quiet"),
        2,
        500,
        "2 processes, a fork for each job",
    ),
)
