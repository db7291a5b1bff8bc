"""`bin/jobs start` for a measurement: with a configuration, until the measurement is over."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


class BenchmarkError(Exception):
    """What was to be measured did not do as it should."""


@contextmanager
def bin_jobs(
    url: str, configuration: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The supervisor's process. It is told to stop at the end, and has to end well."""
    with tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder:
        path, log = Path(folder, "queue.yml"), Path(folder, "log")
        path.write_text(configuration)
        start = [sys.executable, "bin/jobs", "start", "-c", str(path), "--database-url", url]
        with log.open("wb") as output:
            process = subprocess.Popen(
                start,
                cwd=CHECKOUT,
                env=os.environ | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        except BenchmarkError as error:
            raise BenchmarkError(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from error
        finally:
            process.terminate()
            process.wait()
        if process.returncode != 0:
            raise BenchmarkError(
                f"bin/jobs ended with status {process.returncode}\n{log.read_text()}"
            )
