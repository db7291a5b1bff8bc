"""`bin/jobs recurring`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import queuekit
from tests.cli.shop import Shop
from tests.cli.test_start import started, wait_until
from tests.dialects.sample_jobs import note
from tests.dialects.support import in_use

TASKS = """
development:
  nightly_backup:
    class: app.tasks.backup
    args: [3, {full: true}]
    schedule: every day at 2:30 Europe/Berlin
    description: The backup
  cleanup:
    command: "app.models.cleanup(limit=500)"
    schedule: "12 * * * * UTC"
  elsewhere:
    class: app.models.celery
    schedule: every monday at noon in UTC
"""

JOBS = """
import queuekit

@queuekit.job(queue="backups", recurring={"key": "declared", "schedule": "every hour in UTC"})
def backup(number=0, full=False): ...
"""

MODELS = """
def cleanup(limit): ...

class Task:
    def delay(self): ...

celery = Task()
"""

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
NOBODY = "Warning: no scheduler is running: nothing is enqueued until one is\n"


@pytest.fixture
def shop(shop: Shop) -> Iterator[Shop]:
    yield with_tasks(shop)


@pytest.fixture
def shop_on_each(shop_on_each: Shop) -> Iterator[Shop]:
    yield with_tasks(shop_on_each)


def with_tasks(shop: Shop, tasks: str = TASKS) -> Shop:
    write(shop.folder / "config/recurring.yml", tasks)
    write(shop.folder / "config/queue.yml", "imports: [ app.tasks ]")
    write(shop.folder / "app/tasks.py", JOBS)
    write(shop.folder / "app/models.py", MODELS)
    return shop


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


# Listing


@pytest.mark.parametrize("arguments", [["recurring"], ["recurring", "list"]], ids=" ".join)
def test_the_tasks_of_file_and_code_are_listed(shop_on_each: Shop, arguments: list[str]) -> None:
    result = shop_on_each.jobs(*arguments)
    assert (result.status, result.err) == (0, NOBODY)
    heading, *lines = result.out.splitlines()
    assert re.split(r"  +", heading) == [
        "KEY",
        "SCHEDULE",
        "CLASS OR COMMAND",
        "QUEUE",
        "LAST RUN",
        "OUTCOME",
        "NEXT RUN",
        "IN UTC",
    ]
    cleanup, declared, elsewhere, nightly = lines
    assert re.fullmatch(
        r"cleanup +At minute 12 of every hour, UTC +app\.models\.cleanup\(limit=500\)"
        rf" +queuekit_recurring +never +\S+ \d\d:12:00 \+00:00  {TIME}",
        cleanup,
    )
    assert re.fullmatch(
        r"declared +Every hour, UTC +app\.tasks\.backup +backups +never"
        rf" +\S+ \d\d:00:00 \+00:00  {TIME}",
        declared,
    )
    assert re.match(r"elsewhere +At 12:00, on Monday, UTC +app\.models\.celery +never ", elsewhere)
    assert re.match(r"nightly_backup +At 02:30, every day, Europe/Berlin +app\.tasks", nightly)
    assert re.search(r" 02:30:00 \+0[12]:00  \S+ 0[01]:30:00 UTC$", nightly)


def test_a_run_and_what_became_of_it(shop_on_each: Shop) -> None:
    shop = with_tasks(shop_on_each, "note: {class: app.jobs.anything, schedule: every second}")
    with started(shop):
        wait_until(lambda: outcome_of(shop, "note") == "finished")
    last = task(shop, "note")["last_run"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", last["at"])
    assert shop.jobs("show", last["job_id"], "--json").json["class_name"] == "app.jobs.anything"


def task(shop: Shop, key: str) -> dict[str, Any]:
    (found,) = [task for task in shop.jobs("recurring", "--json").json if task["key"] == key]
    return dict(found)


def outcome_of(shop: Shop, key: str) -> str | None:
    return (task(shop, key)["last_run"] or {}).get("outcome")


def test_the_tasks_as_json(shop: Shop) -> None:
    assert task(shop, "nightly_backup").keys() == {
        "key",
        "kind",
        "is_stored",
        "class",
        "command",
        "queue",
        "priority",
        "description",
        "schedule",
        "words",
        "cron",
        "timezone",
        "missed",
        "missed_within",
        "last_run",
        "next_run",
        "next_run_utc",
        "problem",
    }
    found = task(shop, "nightly_backup")
    assert (found["kind"], found["is_stored"]) == ("static", False)
    at = datetime.fromisoformat(found["next_run"])
    assert f"{at:%H:%M}" == "02:30"
    assert at == datetime.fromisoformat(found["next_run_utc"])


def test_no_tasks(shop: Shop) -> None:
    (shop.folder / "config/recurring.yml").unlink()
    (shop.folder / "config/queue.yml").unlink()
    result = shop.jobs("recurring")
    assert (result.status, result.out, result.err) == (0, "There are no recurring tasks.\n", "")


def test_what_is_wrong_with_some_is_said_below_the_others(shop: Shop) -> None:
    with_tasks(shop, "bad: {class: app.tasks.backup, schedule: when it rains}")
    write(shop.folder / "app/tasks.py", "import queuekit\n1 / 0")
    shop.jobs("prepare")
    with dynamic_task(shop, "digest"):
        result = shop.jobs("recurring", "--json")
    assert [task["key"] for task in result.json] == ["digest"]
    assert result.status == 0
    imports, bad, nobody, dynamic = result.err.splitlines()
    assert imports.startswith("Warning: imports: app.tasks cannot be imported: ZeroDivisionError")
    assert bad.startswith("Warning: config/recurring.yml: bad.schedule: ")
    assert f"{nobody}\n" == NOBODY
    assert dynamic == (
        "Warning: dynamic tasks run where a scheduler has dynamic_tasks_enabled, "
        "which this configuration has not"
    )


@contextmanager
def dynamic_task(shop: Shop, key: str) -> Iterator[None]:
    with in_use(shop.url):
        queuekit.schedule_recurring_task(key, job=note, schedule="every hour")
        yield


def test_new_tasks_that_no_scheduler_has_begun_with_are_named(shop: Shop) -> None:
    shop.jobs("prepare")
    shop.register("Scheduler")
    result = shop.jobs("recurring")
    assert result.err == (
        "Warning: no scheduler has begun with cleanup, declared, elsewhere and 1 more yet\n"
    )


def test_on_a_narrow_terminal_a_task_takes_two_lines(shop: Shop) -> None:
    _, out = shop.jobs_on_terminal("recurring", columns=100, NO_COLOR="1")
    assert max(map(len, out.splitlines())) <= 100
    assert re.search(
        r"^\S*KEY .*QUEUE\S*\n\S*  LAST RUN +OUTCOME +NEXT RUN +IN UTC", out, re.MULTILINE
    )


# Running one


def test_a_job_is_enqueued_now(shop: Shop) -> None:
    result = shop.jobs("recurring", "run", "nightly_backup")
    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(
        r"job id  \S{36}\nrow id  1\nclass   app\.tasks\.backup\nqueue   backups\n", result.out
    )
    (job,) = shop.claim(shop.register("Worker"))
    assert json.loads(job.arguments) == {"args": [3], "kwargs": {"full": True}}
    assert outcome_of(shop, "nightly_backup") is None


def test_a_command_is_enqueued_now(shop: Shop) -> None:
    document = shop.jobs("recurring", "run", "cleanup", "--json").json
    assert document | {"job_id": "", "row_id": 1} == {
        "job_id": "",
        "row_id": 1,
        "command": "app.models.cleanup(limit=500)",
        "queue": "queuekit_recurring",
        "status": "enqueued",
        "scheduled_at": None,
    }


def test_another_librarys_task_is_handed_on(shop: Shop) -> None:
    assert shop.jobs("recurring", "run", "elsewhere").out == (
        "app.models.celery: handed on to its own library, so it has no job id\n"
    )
    assert shop.jobs("recurring", "run", "elsewhere", "--json").json == {
        "job_id": None,
        "class_name": "app.models.celery",
        "status": "handed on",
    }


def test_a_key_that_no_task_has(shop: Shop) -> None:
    result = shop.jobs("recurring", "run", "nightly_backups")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "Error: there is no recurring task 'nightly_backups'; did you mean nightly_backup?\n"
    )


# Previewing


def test_the_next_runs_of_a_schedule(tmp_path: Path) -> None:
    shop = Shop(tmp_path, url="nonsense://")
    result = shop.jobs(
        "recurring",
        "preview",
        "every day at 2:30 Europe/Berlin",
        *("--from", "2026-03-28", "--count", "3"),
    )
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "schedule  every day at 2:30 Europe/Berlin\n"
        "cron      30 2 * * * Europe/Berlin\n"
        "in words  At 02:30, every day, Europe/Berlin\n"
        "\n"
        "IN Europe/Berlin                IN UTC                   NOTE\n"
        "Sat 2026-03-28 02:30:00 +01:00  2026-03-28 01:30:00 UTC\n"
        "Sun 2026-03-29 03:00:00 +02:00  2026-03-29 01:00:00 UTC  "
        "the clock goes forward: 02:30 does not exist, runs at 03:00\n"
        "Mon 2026-03-30 02:30:00 +02:00  2026-03-30 00:30:00 UTC\n"
    )


def test_a_schedule_as_json(shop: Shop) -> None:
    document = shop.jobs(
        *("recurring", "preview", "30 1 * * *", "--timezone", "America/New_York"),
        *("--from", "2026-11-01T04:00:00Z", "--count", "1", "--json"),
    ).json
    assert document == {
        "schedule": "30 1 * * *",
        "cron": "30 1 * * *",
        "words": "At 01:30, every day, America/New_York",
        "timezone": "America/New_York",
        "runs": [
            {
                "at": "2026-11-01T01:30:00-04:00",
                "at_utc": "2026-11-01T05:30:00.000Z",
                "note": "the clock goes back: 01:30 is there twice, runs the first time",
            }
        ],
    }


def test_five_runs_from_now_on(shop: Shop) -> None:
    runs = shop.jobs("recurring", "preview", "every minute UTC", "--json").json["runs"]
    assert len(runs) == 5
    assert abs(datetime.fromisoformat(runs[0]["at"]) - datetime.now(UTC)) <= timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["when it rains"], 1, "when it rains"),
        (["every hour in Europe/Berlim"], 1, "nearest name is Europe/Berlin"),
        (["every hour", "--timezone", "Mars"], 1, "Mars"),
        (["every hour", "--from", "soon"], 2, "is no time in ISO 8601"),
        (["every hour", "--count", "0"], 2, "--count"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_be_previewed(
    shop: Shop, arguments: list[str], status: int, problem: str
) -> None:
    result = shop.jobs("recurring", "preview", *arguments)
    assert (result.status, result.out) == (status, "")
    assert problem in result.err


# Checking


def test_all_is_well(shop: Shop) -> None:
    result = shop.jobs("recurring", "check", QUEUEKIT_DATABASE_URL="")
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "recurring task:      nightly_backup: app.tasks.backup; "
        "At 02:30, every day, Europe/Berlin\n"
        "recurring task:      cleanup: app.models.cleanup(limit=500); "
        "At minute 12 of every hour, UTC\n"
        "recurring task:      elsewhere: app.models.celery; At 12:00, on Monday, UTC\n"
        "recurring task:      declared: app.tasks.backup; Every hour, UTC\n"
        "No problems.\n"
    )
    assert not (shop.folder / "storage").exists()


def test_every_bad_task_is_reported_with_its_place(shop: Shop) -> None:
    with_tasks(
        shop,
        """
        development:
          rain: {class: app.tasks.backup, schedule: when it rains}
          nobody: {class: app.tasks.backups, schedule: every hour}
          ruby: {command: "MagicLink::cleanup", schedule: every hour}
          wrong: {class: app.tasks.backup, args: {size: 1}, schedule: every 90 minutes}
          good: {class: app.tasks.backup, schedule: every hour in UTC, queue: nowhere}
        """,
    )
    write(shop.folder / "config/queue.yml", "workers: [{queues: backups}]")
    result = shop.jobs("recurring", "check")
    assert result.status == 1
    assert {line.split(": ")[2] for line in result.err.splitlines()} == {
        "development.rain.schedule",
        "development.nobody.class",
        "development.ruby.command",
        "development.wrong.schedule",
    }
    assert "good: app.tasks.backup; Every hour, UTC; queue nowhere" in result.out
    assert "no worker here serves the queue nowhere, which is used by good" in result.out
    document = shop.jobs("recurring", "check", "--json").json
    assert len(document["problems"]) == 4
    assert len(document["warnings"]) == 1
    assert [task["key"] for task in document["recurring_tasks"]] == ["nobody", "good"]


def test_an_environment_without_a_section_is_said_to_have_none(shop: Shop) -> None:
    write(shop.folder / "config/queue.yml", "workers: [{queues: backups}]")
    result = shop.jobs("recurring", "check", "--environment", "staging")
    assert (result.status, result.err) == (0, "")
    assert result.out == ("recurring tasks:     none in the environment staging\nNo problems.\n")
    result = shop.jobs("recurring", "check", QUEUEKIT_SKIP_RECURRING="yes")
    assert result.out == "recurring tasks:     left alone\nNo problems.\n"
    assert not shop.jobs("recurring", "check", "-e", "staging", "--json").json["recurring_tasks"]


def test_options_in_front_of_the_command_are_not_ignored(shop: Shop) -> None:
    result = shop.jobs("recurring", "--json", "check")
    assert result.status == 2
    assert "--json stands behind the command" in result.err
