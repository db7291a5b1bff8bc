"""The files that an application gets installed."""

import re
from pathlib import Path

import pytest

import queuekit.config
from queuekit.config import Configuration, SchedulerSettings, WorkerSettings, load, recurring_tasks

TEMPLATES = Path(queuekit.config.__file__).parents[1] / "templates"


@pytest.mark.parametrize("environment", ["development", "test", "production"])
def test_the_installed_files_load_and_mean_the_defaults(
    application: Path, environment: str
) -> None:
    for name in ("queue.yml", "recurring.yml"):
        (application / "config" / name).write_bytes((TEMPLATES / name).read_bytes())
    configuration = load(environ={"QUEUEKIT_ENV": environment})
    assert (configuration.workers, configuration.dispatchers) == (
        Configuration().workers,
        Configuration().dispatchers,
    )
    tasks = {"clear_queuekit_finished_jobs"} if environment == "production" else set()
    assert set(recurring_tasks(configuration)) == tasks
    assert load(environ={"JOB_CONCURRENCY": "4"}).workers[0].processes == 4


@pytest.mark.parametrize("environment", ["development", "test", "production"])
def test_what_is_commented_out_in_the_installed_files_is_valid_too(
    application: Path, environment: str
) -> None:
    for name in ("queue.yml", "recurring.yml"):
        text = (TEMPLATES / name).read_text()
        uncommented = re.sub(r"^( *)# ( *(?:[a-z_]+|- [a-z_]+):(?: |$))", r"\1\2", text, flags=re.M)
        assert uncommented != text
        (application / "config" / name).write_text(uncommented)
    configuration = load(environ={}, environment=environment)
    defaults = Configuration(
        environment=environment,
        path=configuration.path,
        recurring_schedule_file=configuration.recurring_schedule_file,
        database_url="postgresql://app@localhost/app",
        database_url_source="config/queue.yml",
        imports=("app.jobs",),
        supervisor_pidfile=Path("tmp/jobs.pid"),
        scheduler=SchedulerSettings(dynamic_tasks_enabled=True),
        workers=(WorkerSettings(max_jobs=100_000, max_age=43200.0, max_memory=1_000_000_000),),
    )
    assert configuration == defaults
    tasks = {"clear_queuekit_finished_jobs", "nightly_report", "sync_accounts"}
    assert set(recurring_tasks(configuration)) == (tasks if environment == "production" else set())
