"""bin/jobs of a checkout: runs without installation, with whatever Python finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shop import BIN_JOBS, CHECKOUT, Shop

BARE = [sys.executable, "-S"]  # no site-packages: a Python without queuekit's dependencies


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without .venv."""
    folder = tmp_path / "checkout"
    (folder / "bin").mkdir(parents=True)
    shutil.copy(BIN_JOBS, folder / "bin/jobs")
    (folder / "queuekit").symlink_to(CHECKOUT / "queuekit")
    return folder


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_it_runs_from_any_folder_and_through_a_link(shop: Shop) -> None:
    link = shop.folder / "jobs"
    link.symlink_to(BIN_JOBS)
    ended = run(sys.executable, str(link), "enqueue", "app.jobs.welcome", "1", folder=shop.folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shop.count("ready") == 1


def test_a_bare_python_goes_on_with_the_checkouts_environment(checkout: Path, shop: Shop) -> None:
    make_environment(checkout, 'echo "$0 $*"; pwd')
    ended = run(*BARE, str(checkout / "bin/jobs"), "status", "--json", folder=shop.folder)
    assert ended.stdout == (
        f"{checkout}/.venv/bin/python {checkout}/bin/jobs status --json\n{shop.folder}\n"
    )


def test_a_bare_python_without_environment_gets_one_line(checkout: Path) -> None:
    ended = run(*BARE, str(checkout / "bin/jobs"), "status", folder=checkout)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"bin/jobs: {sys.executable} lacks apsw, click, croniter, setproctitle, yaml: "
        "bin/test or bin/demo makes .venv with what is needed, "
        f"or: pip install {checkout}\n"
    )


def test_an_environment_that_lacks_something_does_not_go_round_in_circles(
    checkout: Path,
) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(checkout / ".venv")], check=True
    )
    ended = run(*BARE, str(checkout / "bin/jobs"), "status", folder=checkout)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"bin/jobs: {checkout}/.venv/bin/python lacks apsw, ")


def make_environment(checkout: Path, script: str) -> None:
    """A .venv whose Python only says how it was called."""
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
