"""`bin/jobs start`, as far as the command line goes: its options, its status, its errors."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cli.shop import Shop


@contextmanager
def started(shop: Shop, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """bin/jobs, running until the end of the block."""
    process = shop.begin(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 30 seconds"
        time.sleep(0.05)


@pytest.mark.parametrize("arguments", [[], ["start"]], ids=["bin/jobs", "bin/jobs start"])
def test_it_runs_jobs_until_told_to_stop(shop: Shop, arguments: list[str]) -> None:
    shop.enqueue(1, queue="mailers", class_name="app.jobs.welcome", arguments=ONE)
    with started(shop, *arguments) as process:
        wait_until(lambda: shop.count("finished") == 1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Starting Worker(pid=" in err
    assert "Traceback" not in err


def test_its_options_need_no_command(shop: Shop) -> None:
    (shop.folder / "calendar.yml").write_text("workers: { queues: calendar, threads: 2 }\n")
    shop.enqueue(1, queue="calendar", class_name="nightly report")
    shop.enqueue(1, queue="mailers", class_name="nightly report")
    options = ["-c", "calendar.yml", "--skip-recurring", "--import", "app.jobs"]
    with started(shop, *options):
        wait_until(lambda: shop.count("finished") == 1)
        document = shop.jobs("status", "--json").json
    assert [process["kind"] for process in document["processes"]] == ["Supervisor", "Worker"]
    assert shop.count("ready") == 1


def test_a_configuration_with_problems_starts_nothing(shop: Shop) -> None:
    result = shop.jobs("start", "--mode", "threads", "-c", "none.yml")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Error: none.yml: there is no such file (named by -c)",
        "Error: --mode: got the text 'threads', expected fork or async",
    ]


def test_a_second_supervisor_on_the_same_pidfile_starts_nothing(shop: Shop) -> None:
    pidfile = shop.folder / "jobs.pid"
    with started(shop, "--pidfile", "jobs.pid") as process:
        wait_until(lambda: pidfile.exists() and pidfile.read_text() == f"{process.pid}\n")
        result = shop.jobs("start", "--pidfile", "jobs.pid")
        assert (result.status, result.out) == (1, "")
        assert result.err == (
            f"Error: {pidfile} belongs to a supervisor that runs (pid {process.pid})\n"
        )
    assert not pidfile.exists()


def test_a_pidfile_that_cannot_be_written_starts_nothing(shop: Shop) -> None:
    result = shop.jobs("start", "--pidfile", "none/jobs.pid")
    file = shop.folder / "none/jobs.pid"
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        f"Error: cannot use the pidfile {file}: there is no folder {file.parent}\n"
    )


def test_log_lines_can_be_json(shop: Shop) -> None:
    process = shop.begin(
        *("start", "--log-format", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    lines = [json.loads(line) for line in (first, *err.splitlines())]
    assert lines[0]["event"] == "ProcessStarted"
    assert all(line["process"] and line["pid"] for line in lines)


ONE = '{"args":[1],"kwargs":{}}'
