"""examples/upkeep: its own tests, and each of its tasks run by real processes."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import queuekit
from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination
from tests.stories.support import CHECKOUT, Application, wait_until

EXAMPLE = CHECKOUT / "examples" / "upkeep"
QUEUE = "storage/production-queue.sqlite3"
VERIFICATION = "periodic_litestream_backup_verfication_job"

#: What the guides to Solid Queue have, word for word.
SCHEDULES = {
    VERIFICATION: "every day at 1am EST",
    "magic_link_cleanup": "every hour",
    "heartbeat": "every 5 minutes",
    "clear_finished_jobs": "every hour at minute 12",
    "daily_cleanup": "at 3am every day",
}

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def upkeep(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """The example, copied into a folder of its own."""
    for application in make_application(tmp_path / "upkeep", database_url, monkeypatch):
        shutil.rmtree(application.folder)
        shutil.copytree(EXAMPLE, application.folder, ignore=_produced)
        application.log = tmp_path / "printed"
        application.log.touch()
        application.surroundings = {"QUEUEKIT_ENV": "production"}
        queuekit.configure(database_url=f"sqlite:///{application.folder / QUEUE}")
        yield application


def _produced(folder: str, names: list[str]) -> set[str]:
    return {"storage", "log", "__pycache__"} & set(names)


def tasks(upkeep: Application, *options: str) -> dict[str, dict[str, object]]:
    document = json.loads(upkeep.run("recurring", "check", "--json", *options))
    return {task["key"]: task for task in document["recurring_tasks"]}


def asked(upkeep: Application, *words: str) -> str:
    return upkeep.execute(sys.executable, "-m", "upkeep", *words)


def test_its_own_tests_pass(upkeep: Application) -> None:
    """The ini file is none: what they need, they bring along."""
    said = upkeep.execute(
        sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", "tests"
    )

    assert " passed" in said
    assert "skipped" not in said
    assert not (upkeep.folder / "storage").exists()


def test_its_tasks_have_the_schedules_of_the_guides(upkeep: Application) -> None:
    assert {key: task["schedule"] for key, task in tasks(upkeep).items()} == SCHEDULES
    assert not (upkeep.folder / "log").exists()


def test_the_two_minutes_of_its_readme(upkeep: Application) -> None:
    assert '"healthy": false' in upkeep.execute(sys.executable, "-m", "upkeep", succeeds=False)
    asked(upkeep, "login", "ada@example.org")
    upkeep.start()
    for key in SCHEDULES:
        upkeep.run("recurring", "run", key)
    upkeep.wait_until_jobs(finished=len(SCHEDULES))

    answer = json.loads(asked(upkeep, "health"))
    assert answer["healthy"]
    assert asked(upkeep, "heartbeats").startswith(answer["last_heartbeat"])
    assert asked(upkeep, "links") == "1\n"
    log = (upkeep.folder / "log/production.log").read_text()
    assert re.search(r'^\[HEARTBEAT\] \{"timestamp": "[^"]+Z", "environment": "prod', log, re.M)
    assert "Cleaned up 0 expired magic links" in log
    assert re.search(r"Verified storage/backups/queue-\S+\.sqlite3: [1-5] jobs", log)
    (backup,) = (upkeep.folder / "storage/backups").glob("*.sqlite3")
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    upkeep.stop()
    assert_clean_termination(upkeep)


def test_by_its_schedule_each_of_its_tasks_runs_again_and_again(upkeep: Application) -> None:
    """Every second, which nobody has to wait for."""
    path = upkeep.folder / "config/recurring.yml"
    path.write_text(re.sub(r"schedule: .*", "schedule: every second", path.read_text()))
    upkeep.start()
    wait_until(lambda: len(asked(upkeep, "heartbeats").splitlines()) >= 3, upkeep, "it beats")
    upkeep.stop()

    listed = json.loads(upkeep.run("recurring", "--json").partition("Warning")[0])
    outcomes = {task["key"]: task["last_run"]["outcome"] for task in listed}
    assert outcomes.keys() == SCHEDULES.keys()
    assert set(outcomes.values()) <= {
        "finished",
        "waiting",
    }  # the last of them, when it was stopped
    assert "failed" not in upkeep.jobs()
    assert_clean_termination(upkeep)


def test_a_backup_that_is_not_what_it_should_be_fails_the_job(upkeep: Application) -> None:
    """Somebody takes a row out of each backup before it is verified."""
    upkeep.write(
        "sabotage.py",
        "import sqlite3\n"
        "from upkeep import backups\n"
        "take = backups.take\n"
        "def take_badly():\n"
        "    path = take()\n"
        "    with sqlite3.connect(path) as connection:\n"
        "        connection.execute('delete from queuekit_schema_migrations where version = 1')\n"
        "    return path\n"
        "backups.take = take_badly\n",
    )
    upkeep.start("--import", "sabotage")
    upkeep.run("recurring", "run", VERIFICATION)
    upkeep.wait_until_jobs(failed=1)

    assert re.search(r"VerificationError: \S+ holds .* instead of", upkeep.run("failed"))
    upkeep.stop()


def test_a_file_of_solid_queues_first_days_is_accepted_with_a_hint(upkeep: Application) -> None:
    (upkeep.folder / "config/recurring.yml").unlink()
    options = ("-c", "config/solid_queue.yml")

    assert tasks(upkeep, *options).keys() == {VERIFICATION}
    assert (
        "config/solid_queue.yml: production.dispatchers[0].recurring_tasks: is read, but recurring "
        "tasks belong in a file of their own, config/recurring.yml"
    ) in upkeep.run("check", *options)

    upkeep.start(*options)
    upkeep.run("recurring", "run", VERIFICATION, *options)
    upkeep.wait_until_jobs(finished=1)
    upkeep.stop()
    assert_clean_termination(upkeep)
