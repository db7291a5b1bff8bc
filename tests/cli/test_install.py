"""`bin/jobs install`, and the bin/jobs that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.shop import CHECKOUT, Shop
from tests.cli.test_start import started, wait_until


def test_it_writes_what_an_application_needs(shop: Shop) -> None:
    result = shop.jobs("install")
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "      create  config/queue.yml\n"
        "      create  config/recurring.yml\n"
        "      create  bin/jobs\n"
    )
    assert os.access(shop.folder / "bin/jobs", os.X_OK)
    assert shop.jobs("check").out.endswith("No problems.\n")


def test_the_clean_up_that_it_writes_clears_finished_jobs(shop: Shop) -> None:
    shop.jobs("install")
    with (shop.folder / "config/queue.yml").open("a") as file:
        file.write("  clear_finished_jobs_after: 1 ms\n")
    shop.enqueue(3)
    shop.work()
    shop.enqueue(
        queue="queuekit_recurring",
        class_name="queuekit.recurring.command",
        arguments='{"args":["clear_queuekit_finished_jobs"],"kwargs":{}}',
    )
    with started(shop, "--environment", "production", "--skip-recurring"):
        wait_until(lambda: (shop.count("ready"), shop.count("finished")) == (0, 1))


def test_it_never_writes_over_a_file(shop: Shop) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/queue.yml").write_text("mine")
    (shop.folder / "config/recurring.yml").symlink_to("nowhere")
    assert shop.jobs("install").out == (
        "       exist  config/queue.yml\n"
        "       exist  config/recurring.yml\n"
        "      create  bin/jobs\n"
    )
    assert (shop.folder / "config/queue.yml").read_text() == "mine"
    assert not (shop.folder / "config/nowhere").exists()


def test_another_folder_can_be_named(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert shop.jobs("install", "../other", "--json").json == {
        "created": ["config/queue.yml", "config/recurring.yml", "bin/jobs"],
        "existing": [],
    }
    assert (tmp_path / "other/bin/jobs").exists()
    assert not (shop.folder / "bin").exists()


def test_a_folder_that_is_not_there_is_not_made(shop: Shop) -> None:
    result = shop.jobs("install", "shpo")
    assert result.status == 2
    assert "Directory 'shpo' does not exist." in result.err


def test_a_file_where_a_folder_should_be_is_one_line(shop: Shop) -> None:
    (shop.folder / "config").write_text("")
    result = shop.jobs("install")
    assert (result.status, result.out) == (1, "")
    assert result.err == "Error: config is not a folder\n"


def test_a_folder_where_nothing_can_be_written_is_one_line(shop: Shop) -> None:
    result = shop.jobs("install", "/proc/self")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("Error: /proc/self/config/queue.yml cannot be written: ")
    assert result.err.count("\n") == 1


def test_the_written_bin_jobs_serves_its_application_from_anywhere(shop: Shop) -> None:
    shop.jobs("install")
    environment = shop.environment(PYTHONPATH=str(CHECKOUT), QUEUEKIT_DATABASE_URL="")
    ended = subprocess.run(
        [sys.executable, str(shop.folder / "bin/jobs"), "enqueue", "app.jobs.welcome", "1"],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shop.count("ready") == 1


def test_the_written_bin_jobs_says_when_queuekit_is_missing(shop: Shop) -> None:
    shop.jobs("install")
    ended = subprocess.run(
        [sys.executable, "-S", str(shop.folder / "bin/jobs"), "status"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"bin/jobs: {sys.executable} has no module queuekit: activate ")
    assert ended.stderr.count("\n") == 1
