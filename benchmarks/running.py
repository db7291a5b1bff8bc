"""`bin/jobs start` for a measurement: with a configuration, until the measurement is over."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import queuekit
from queuekit.config.settings import WorkerSettings
from queuekit.database import open_database

CHECKOUT = Path(__file__).resolve().parent.parent


#: Seconds that processes get to register, and to end.
_PATIENCE = 60.0

#: Whether workers claim more jobs than they have free threads.
CLAIMS_AHEAD = "prefetch_limit" in WorkerSettings.__dataclass_fields__


def configuration(
    processes: int = 2, threads: int = 5, queues: str = "*", *, ahead: bool = True
) -> str:
    """As `bin/jobs install` writes it, but for the numbers."""
    lines = [
        "dispatchers:",
        "  - polling_interval: 1",
        "    batch_size: 500",
        "workers:",
        f'  - queues: "{queues}"',
        f"    threads: {threads}",
        f"    processes: {processes}",
        "    polling_interval: 0.1",
    ]
    if CLAIMS_AHEAD and not ahead:
        lines.append("    prefetch_limit: 0")
    return "\n".join([*lines, ""])


class BenchmarkError(Exception):
    """What was to be measured did not do as it should."""


@contextmanager
def bin_jobs(
    url: str, configuration: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of `bin/jobs start`. It is told to stop at the end, and has to end well."""
    with tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder:
        path, log = Path(folder, "queue.yml"), Path(folder, "log")
        path.write_text(configuration)
        start = [sys.executable, "-P", "-m", "queuekit", "start"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*start, "-c", str(path), "--database-url", url],
                cwd=CHECKOUT,
                env=os.environ | {"PYTHONPATH": _path()} | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        except BenchmarkError as error:
            raise BenchmarkError(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from error
        finally:
            _end(process)
        if process.returncode != 0:
            raise BenchmarkError(
                f"bin/jobs ended with status {process.returncode}\n{log.read_text()}"
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asked to stop; one that does not is killed, which its status then says."""
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _path() -> str:
    """The same queuekit as here, which may be another checkout's, and the jobs of this one."""
    assert queuekit.__file__
    return os.pathsep.join([str(Path(queuekit.__file__).parent.parent), str(CHECKOUT)])


def wait_until_registered(url: str, count: int, supervisor: subprocess.Popen[bytes]) -> None:
    """Until so many processes have said that they are there."""
    database = open_database(url)
    deadline = time.monotonic() + _PATIENCE
    try:
        while len(database.query("processes.list")) < count:
            if supervisor.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{count} processes were to register, and did not")
            time.sleep(0.1)
    finally:
        database.disconnect()
