"""An application as it is deployed: installed by `queuekit install`, run by its own bin/jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

JOBS = """
import subprocess
from pathlib import Path

import queuekit

@queuekit.job
def write(path: str) -> None:
    Path(path).write_text("written")

@queuekit.job
def leave_an_orphan(path: str) -> None:
    subprocess.run(["sh", "-c", f"sleep 0.1 & echo $! > {path}"], check=True)
"""


class Deployed:
    """An application in `folder`, with a queue in SQLite."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The python3 that bin/jobs finds is the one that runs the tests, with this checkout.
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "HOME": str(folder),
        }
        for name in ("storage", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "jobs.py").write_text(JOBS)
        self.run("-m", "queuekit", "install")
        queue = "imports: jobs\nworkers: { polling_interval: 0.05 }\ndispatchers: {}\n"
        (folder / "config/queue.yml").write_text(queue)

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environ,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def enqueue(self, job: str, *arguments: str) -> None:
        self.run("bin/jobs", "enqueue", job, *arguments)

    def status(self) -> Any:
        return json.loads(self.run("bin/jobs", "status", "--json"))

    def count(self, state: str) -> int:
        number: int = self.status()["jobs"][state]
        return number

    @contextmanager
    def running(self, *command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """The command in the application's folder, until the end of the block at most."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                _, logged = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                _, logged = process.communicate()
                raise
            finally:
                print(logged)  # which is shown with a test that failed


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    return Deployed(tmp_path / "srv/app")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 90 seconds"
        time.sleep(0.05)


def skip_unless_namespaces(*options: str) -> None:
    """Skip the test where nobody may make namespaces, as in many containers."""
    if subprocess.run(["unshare", *options, "true"], capture_output=True).returncode:
        pytest.skip(f"this machine does not allow unshare {' '.join(options)}")
