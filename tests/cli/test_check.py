"""`bin/jobs check`."""

from __future__ import annotations

import os
import sys
from textwrap import dedent

import pytest

from queuekit.cli import main
from queuekit.cli.database import migration_name
from queuekit.database import migrations
from tests.cli.shop import Result, Shop

DEFAULTS = """\
environment:         development
configuration:       the defaults, there is no config/queue.yml
database:            sqlite:///storage/queue.sqlite3 (from default)
mode:                fork
worker:              queues *; 3 threads; 100 async jobs; 1 process; polling every 0.1 s
dispatcher:          polling every 1 s; batches of 500; concurrency maintenance every 10 minutes
pidfile:             none
log format:          text
process deaths:      fail the job unless it says otherwise; at most 3 per job
heartbeat:           every 60 s; a process is taken for dead after 5 minutes
shutdown timeout:    5 s
boot timeout:        60 s
timeout grace:       5 s for a job past its own timeout to end
finished jobs:       kept for 1 day
concurrency limits:  hold a slot for at most 3 minutes unless they say otherwise
recurring tasks:     none, there is no config/recurring.yml
scheduler:           runs where there are recurring tasks; no dynamic tasks
"""

EVERY_MIGRATION = ", ".join(map(migration_name, migrations.all_of("sqlite")))


def test_it_shows_the_configuration_without_touching_a_database(shop: Shop) -> None:
    result = shop.jobs("check", QUEUEKIT_DATABASE_URL="")
    assert (result.status, result.err) == (0, "")
    assert result.out == f"{DEFAULTS}No problems.\n"
    assert not (shop.folder / "storage").exists()


def test_it_takes_the_options_of_start(shop: Shop) -> None:
    (shop.folder / "calendar.yml").write_text("workers: { queues: calendar }\n")
    (shop.folder / "tasks.yml").write_text("")
    result = shop.jobs(
        *("check", "-c", "calendar.yml", "-e", "production", "--mode", "fork"),
        *("--import", "app.jobs", "--import", "app.more", "--skip-recurring"),
        *("--recurring_schedule_file", "tasks.yml"),
        *("--pidfile", "tmp/jobs.pid", "--log-format", "json"),
        *("--database-url", "postgresql://shop:secret@db/shop"),
    )
    assert (result.status, result.err) == (0, "")
    assert "environment:         production\n" in result.out
    assert "configuration:       calendar.yml\n" in result.out
    assert "postgresql://shop:***@db/shop (from --database-url)\n" in result.out
    assert "imports:             app.jobs, app.more\n" in result.out
    assert "worker:              queues calendar; " in result.out
    assert "pidfile:             tmp/jobs.pid\n" in result.out
    assert "log format:          json\n" in result.out
    assert "recurring tasks:     skipped\n" in result.out


def test_all_problems_come_at_once(shop: Shop) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/queue.yml").write_text("workers:\n  - thread: 3\n")
    (shop.folder / "config/recurring.yml").write_text("nightly: { class: [}\n")
    result = shop.jobs("check", "--mode", "threads", "--import", "no module")
    assert result.status == 1
    assert result.out == ""
    problems = result.err.splitlines()
    assert problems[:3] == [
        "Error: config/queue.yml: workers[0].thread is not a setting; did you mean threads?",
        "Error: --import: 'no module' is not the name of a module; expected one such as app.jobs",
        "Error: --mode: got the text 'threads', expected fork or async",
    ]
    assert problems[3].startswith("Error: config/recurring.yml: line 1, column ")
    assert len(problems) == 4


def test_a_problem_of_the_recurring_tasks_alone(shop: Shop) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/recurring.yml").write_text("development: 3\n")
    result = shop.jobs("check")
    assert result.status == 1
    assert result.out.startswith("environment:         development\n")
    assert "No problems." not in result.out
    assert result.err == (
        "Error: config/recurring.yml: development: got the number 3, expected a mapping\n"
    )


def test_a_url_that_no_database_has_is_a_problem(shop: Shop) -> None:
    result = shop.jobs("check", "--database-url", "postgres+async://db/shop")
    assert result.status == 1
    assert result.err == (
        "Error: unknown database postgres+async://: queuekit knows postgresql://, mysql://, "
        "sqlite://; did you mean postgres://?\n"
    )


def test_a_missing_file_is_said_once(shop: Shop) -> None:
    result = shop.jobs("check", "-c", "none.yml", "--recurring_schedule_file", "nor.yml")
    assert result.status == 1
    assert result.err.splitlines() == [
        "Error: none.yml: there is no such file (named by -c)",
        "Error: nor.yml: there is no such file (named by --recurring_schedule_file)",
    ]


def test_as_json(shop: Shop) -> None:
    document = shop.jobs("check", "--database-url", "mysql://shop:secret@db/shop", "--json").json
    assert document.keys() == {"configuration", "recurring_tasks", "warnings", "problems"}
    assert document["problems"] == []
    settings = document["configuration"]
    assert settings["database_url"] == "mysql://shop:***@db/shop"
    assert settings["workers"] == [
        {
            "queues": ["*"],
            "threads": 3,
            "processes": 1,
            "polling_interval": 0.1,
            "max_jobs": None,
            "max_age": None,
            "max_memory": None,
            "async_concurrency": 100,
            "prefetch_limit": 100,
        }
    ]


def test_what_is_no_text_becomes_one_in_json(shop: Shop) -> None:
    document = shop.jobs("check", "--pidfile", "jobs.pid", "--mode", "async", "--json").json
    settings = document["configuration"]
    assert (settings["supervisor_pidfile"], settings["mode"]) == ("jobs.pid", "async")


def test_problems_as_json(shop: Shop) -> None:
    result = shop.jobs("check", "-c", "none.yml", "--json")
    assert result.status == 1
    assert result.json == {
        "configuration": None,
        "recurring_tasks": [],
        "warnings": [],
        "problems": ["none.yml: there is no such file (named by -c)"],
    }


class TestRecurringTasks:
    def test_they_are_listed_with_what_is_worth_saying(self, shop: Shop) -> None:
        result = checked(
            shop,
            """
            welcome: {class: app.jobs.welcome, args: [1], schedule: every hour}
            clean: {command: "app.jobs.not_a_job()", schedule: "*/15 * * * *", queue: cleaning}
            """,
            "workers: {queues: [mail*, default]}",
        )
        assert (result.status, result.err) == (0, "")
        tasks = [line for line in result.out.splitlines() if line.startswith("recurring task:")]
        assert tasks[0].startswith("recurring task:      welcome: app.jobs.welcome; Every hour")
        assert tasks[1].startswith(
            "recurring task:      clean: app.jobs.not_a_job(); Every 15 minutes, "
        )
        assert tasks[1].endswith("; queue cleaning")
        unserved = "no worker here serves the queue cleaning, which is used by clean"
        assert f"warning:             {unserved}\n" in result.out
        assert result.out.count("warning:") == 1
        assert result.out.endswith("No problems.\n")

    def test_commands_need_a_worker_of_their_own_queue(self, shop: Shop) -> None:
        tasks = "\n".join(
            f'clean_{n}: {{command: "app.jobs.not_a_job()", schedule: every hour}}'
            for n in range(5)
        )
        document = checked(shop, tasks, "workers: {queues: default}", "--json").json
        assert document["warnings"] == [
            "no worker here serves the queue queuekit_recurring, which is used by "
            "clean_0, clean_1, clean_2 and 2 more"
        ]
        assert document["problems"] == []
        assert document["recurring_tasks"][0] == {
            "key": "clean_0",
            "class": None,
            "command": "app.jobs.not_a_job()",
            "schedule": "every hour",
            "cron": "0 * * * *",
            "queue": None,
            "place": "config/recurring.yml: clean_0",
        }
        assert checked(shop, tasks, "dispatchers: {}", "--json").json["warnings"] == []
        assert checked(shop, tasks, "workers: {}", "--json").json["warnings"] == []

    def test_every_bad_task_comes_at_once_with_its_place(self, shop: Shop) -> None:
        result = checked(
            shop,
            """
            development:
              a: {class: app.jobs.welcome, schedule: every hour}
              b: {class: app.jobs.not_a_job, schedule: every hour}
              c: {class: app.missing.job, schedule: every hour}
              d: {command: "app.jobs.missing()", schedule: every hour}
              e: {command: "app.jobs.not_a_job(1)", schedule: every hour}
              f: {command: "app.jobs.not_a_job", schedule: every hour}
              g: {class: app.jobs.report, schedule: every blue moon, prioritty: 3}
              h: {class: app.jobs.report, schedule: every hour}
            """,
        )
        assert result.status == 1
        problems = result.err.splitlines()
        places = [line.split(": ", 3)[2] for line in problems]
        assert places == [
            "development.f.command",
            "development.g.prioritty is not a setting; did you mean priority?",
            "development.g.schedule",
            "development.a.class",
            "development.b.class",
            "development.c.class",
            "development.d.command",
            "development.e.command",
        ]
        assert "missing a required argument: 'user_id'" in problems[3]
        assert "app.jobs.not_a_job is no job" in problems[4]
        assert "app.missing.job is not known" in problems[5]
        assert "app.jobs has no missing" in problems[6]
        assert "too many positional arguments" in problems[7]

    def test_those_declared_beside_the_code_count(self, shop: Shop) -> None:
        (shop.folder / "app/cleaning.py").write_text(
            "import queuekit\n"
            "@queuekit.job(recurring='every hour', queue='cleaning')\n"
            "def clean(): ...\n"
            "@queuekit.job(recurring='every hour', queue=lambda: 1 / 0)\n"
            "def sweep(): ...\n"
        )
        result = shop.jobs("check", "--import", "app.cleaning")
        assert result.status == 1
        assert "recurring task:      app.cleaning.clean: app.cleaning.clean; " in result.out
        [problem] = result.err.splitlines()
        assert problem.startswith("Error: job app.cleaning.sweep (")
        assert problem.endswith(": recurring: division by zero")

    def test_a_module_that_cannot_be_imported_is_a_problem(self, shop: Shop) -> None:
        result = shop.jobs("check", "--import", "app.missing")
        assert result.status == 1
        assert result.err == (
            "Error: imports: app.missing cannot be imported: "
            "ModuleNotFoundError: No module named 'app.missing'\n"
        )

    def test_what_is_skipped_is_not_looked_at(self, shop: Shop) -> None:
        result = checked(shop, "a: 1", "", "--skip-recurring", "--import", "app.missing")
        assert (result.status, result.err) == (0, "")

    def test_the_installed_tasks_are_right(self, shop: Shop) -> None:
        shop.jobs("install")
        result = shop.jobs("check", "--environment", "production")
        assert (result.status, result.err) == (0, "")
        assert "recurring task:      clear_queuekit_finished_jobs: " in result.out
        assert "warning" not in result.out

    def test_those_of_a_dispatcher_are_read_with_a_hint(self, shop: Shop) -> None:
        text = """
            dispatchers:
              - recurring_tasks:
                  verification:
                    class: app.jobs.anything
                    args: []
                    schedule: every day at 1am EST
        """
        result = checked(shop, "", text)
        assert (result.status, result.err) == (0, "")
        assert "recurring task:      verification: app.jobs.anything; " in result.out
        assert "config/queue.yml: dispatchers[0].recurring_tasks: is read, but " in result.out
        document = checked(shop, "", text, "--json").json
        assert document["configuration"]["tasks_of_dispatchers"] == ["verification"]


def checked(shop: Shop, tasks: str, settings: str = "", *options: str) -> Result:
    (shop.folder / "config").mkdir(exist_ok=True)
    (shop.folder / "config/recurring.yml").write_text(dedent(tasks))
    if settings:
        (shop.folder / "config/queue.yml").write_text(dedent(settings))
    return shop.jobs("check", *options)


class TestAskingTheDatabase:
    def test_a_prepared_one(self, shop: Shop) -> None:
        shop.enqueue(2)
        result = shop.jobs("check", "--database")
        assert (result.status, result.err) == (0, "")
        assert result.out.endswith(
            "reachable:           yes\n"
            "prepared:            yes\n"
            "one state per job:   yes\n"
            "No problems.\n"
        )

    def test_sqlite_prepares_itself(self, shop: Shop) -> None:
        result = shop.jobs("check", "--database")
        assert (result.status, result.err) == (0, "")
        assert f"prepared:            not yet, on first use: {EVERY_MIGRATION}\n" in result.out

    def test_one_that_cannot_be_reached(self, shop: Shop) -> None:
        result = shop.jobs("check", "--database", "--database-url", "mysql://shop@127.0.0.1:1/shop")
        assert result.status == 1
        assert "reachable" not in result.out
        assert result.err.startswith("Error: mysql://shop@127.0.0.1:1/shop: ")
        assert result.err.count("\n") == 1

    def test_jobs_that_are_not_in_exactly_one_state(self, shop: Shop) -> None:
        damage(shop, lost=25)
        result = shop.jobs("check", "--database")
        assert result.status == 1
        assert result.out.endswith("one state per job:   no\n")
        problems = result.err.splitlines()
        assert len(problems) == 21
        assert problems[:3] == [
            "Error: the job with the row id 1 is in several states: failed, ready",
            "Error: the job with the row id 2 is in no state",
            "Error: the job with the row id 3 is in no state",
        ]
        assert problems[20] == "Error: there are more such jobs; these are the first 20"

    def test_an_execution_without_a_job(self, shop: Shop) -> None:
        shop.enqueue(1)
        shop.database.connect().execute("delete from queuekit_jobs", {})
        result = shop.jobs("check", "--database", "--json")
        assert result.status == 1
        assert result.json["problems"] == ["there is no job with the row id 1, but it is ready"]
        assert result.json["database"] == {
            "prepared": True,
            "missing": [],
            "misplaced": [{"row_id": 1, "states": ["ready"]}],
        }


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_an_unprepared_server_is_told_what_to_run(shop: Shop, empty_url: str) -> None:
    result = shop.jobs("check", "--database", "--database-url", empty_url)
    assert result.status == 1
    assert f"prepared:            no, missing: {EVERY_MIGRATION}\n" in result.out
    assert result.err == f"Error: the database lacks {EVERY_MIGRATION}: run bin/jobs prepare\n"


def damage(shop: Shop, *, lost: int) -> None:
    """Put the first job into two states and the others into none."""
    shop.enqueue(1 + lost)
    connection = shop.database.connect()
    connection.execute("insert into queuekit_failed_executions values (1, '{}', 0)", {})
    connection.execute("delete from queuekit_ready_executions where job_id > 1", {})
    connection.close()


def test_a_folder_that_may_not_be_entered_is_one_problem(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.folder / "config").mkdir()
    (shop.folder / "config/queue.yml").write_text("workers: {}\n")
    (shop.folder / "config").chmod(0o000)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(shop.folder)
    user = os.geteuid()
    try:
        if user == 0:  # whom no folder is closed to
            os.seteuid(65534)
        status = main(["check"])
    finally:
        os.seteuid(user)
        (shop.folder / "config").chmod(0o755)
    assert (status, capsys.readouterr().err) == (
        1,
        "Error: config/queue.yml: cannot be read: Permission denied\n",
    )
