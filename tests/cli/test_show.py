"""`bin/jobs show`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from queuekit.executions.errors import describe_error
from queuekit.executions.turn import DISCARDED, NextAttempt, Result
from tests.cli.shop import Shop

MISSING = "00000000-0000-7000-8000-000000000000"
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def raised(message: str) -> str:
    try:
        raise LookupError(message)
    except LookupError as error:
        return describe_error(error)


def retry(shop: Shop, message: str, **next_attempt: object) -> None:
    """Let a worker run all that is ready, and retry it."""
    worker = shop.register("Worker")
    again = NextAttempt(0.0, 1, **next_attempt)  # type: ignore[arg-type]
    results = [
        Result(job.row_id, "retried", raised(message), 0.1, again) for job in shop.claim(worker)
    ]
    shop.turn(worker, results, limit=0)
    shop.database.query("processes.deregister", process_id=worker)


def test_a_job_is_shown_with_all_its_attempts(shop_on_each: Shop) -> None:
    shop = shop_on_each
    (job_id,) = shop.enqueue(class_name="app.jobs.welcome", arguments='{"args":[42],"kwargs":{}}')
    retry(shop, "no such user", queue="slow", priority=3)
    shop.work(LookupError("never was"))

    result = shop.jobs("show", job_id)

    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(
        rf"job id        {job_id}\n"
        r"class         app\.jobs\.welcome\n"
        r"queue         slow\n"
        r"priority      3\n"
        r"state         failed\n"
        rf"scheduled at  {TIME}\n"
        r"\n"
        r"Arguments\n"
        r'\{\n  "args": \[\n    42\n  \],\n  "kwargs": \{\}\n\}\n'
        r"\n"
        r"Attempts\n"
        r"ATTEMPT +ROW ID  STATE    QUEUE    ENQUEUED AT              ENDED AT +ERROR\n"
        rf"      1 +\d+  retried  default  {TIME}  {TIME}  LookupError: no such user\n"
        rf"      2 +\d+  failed   slow     {TIME}  {TIME}  LookupError: never was\n"
        r"\n"
        r"LookupError: never was\n",
        result.out,
    )


def test_as_json_it_has_everything(shop_on_each: Shop) -> None:
    shop = shop_on_each
    (job_id,) = shop.enqueue(arguments='{"args":["é"],"kwargs":{}}')
    retry(shop, "first")
    worker = shop.register("Worker")
    shop.claim(worker)

    job = shop.jobs("show", job_id, "--json").json

    first, second = job.pop("attempts")
    assert job == {
        "job_id": job_id,
        "class_name": "app.jobs.anything",
        "arguments": {"args": ["é"], "kwargs": {}},
        "state": "claimed",
        "outcome": None,
        "concurrency_key": None,
        "blocked_behind": [],
        "progress": None,
        "steps": [],
    }
    assert (first["attempt"], first["state"], first["outcome"]) == (1, "finished", "retried")
    assert (first["exception_class"], first["message"]) == ("LookupError", "first")
    assert first["traceback"].startswith("Traceback (most recent call last):\n")
    assert (second["attempt"], second["executions"], second["ended_at"]) == (2, 1, None)
    assert (second["process_id"], second["pid"]) == (worker, 4711)
    assert second["hostname"] == "shop-1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", second["claimed_at"])


def test_whoever_has_it_claimed_is_named(shop: Shop) -> None:
    (job_id,) = shop.enqueue()
    worker = shop.register("Worker")
    shop.claim(worker)
    assert (
        f"\nclaimed by    process {worker} (pid 4711 on shop-1)\n" in shop.jobs("show", job_id).out
    )

    shop.database.query("processes.bury", **buried(worker))
    assert "\nstate         failed\n" in shop.jobs("show", job_id).out


def buried(process_id: int) -> dict[str, Any]:
    return {
        "process_id": process_id,
        "silent_for": 0.0,
        "error": raised("it died"),
        "begun": None,
        "may_retry": True,
        "max_process_deaths": 1,
        "preserve_finished": True,
    }


def test_a_discarded_job_says_so_and_why(shop: Shop) -> None:
    (job_id,) = shop.enqueue()
    worker = shop.register("Worker")
    (claimed,) = shop.claim(worker)
    shop.turn(worker, [Result(claimed.row_id, DISCARDED, raised("gone"))], limit=0)

    out = shop.jobs("show", job_id).out

    assert "\nstate         discarded\n" in out
    assert "LookupError: gone" in out


def test_steps_and_progress_are_shown(shop: Shop) -> None:
    (job_id,) = shop.enqueue()
    worker = shop.register("Worker")
    (job,) = shop.claim(worker)
    fence = {"job_id": job.row_id, "process_id": worker, "uuid": job_id}
    for position, (name, cursor, finished) in enumerate(
        [("validate", None, True), ("rows", '{"args":[7],"kwargs":{}}', False)]
    ):
        shop.database.query(
            "steps.record",
            **fence,
            name=name,
            position=position,
            cursor_json=cursor,
            is_finished=finished,
        )
    shop.database.query("steps.record_progress", **fence, done=250.0, total=1000.0)

    out = shop.jobs("show", job_id).out
    as_json = shop.jobs("show", job_id, "--json").json

    assert "\nprogress      250 of 1,000 (25%)\n" in out
    assert "\nSteps\nSTEP      STATE     CURSOR\nvalidate  finished\nrows      begun     7\n" in out
    assert as_json["steps"] == [
        {"name": "validate", "is_finished": True, "cursor": None},
        {"name": "rows", "is_finished": False, "cursor": 7},
    ]
    assert (as_json["progress"]["done"], as_json["progress"]["total"]) == (250, 1000)


def test_what_is_redacted_is_not_shown(shop: Shop) -> None:
    stored = '{"redact":["password",0],"args":["s3cret"],"kwargs":{"password":"s3cret","a":1}}'
    (job_id,) = shop.enqueue(arguments=stored)
    (cut_off,) = shop.enqueue(arguments=stored[:40])
    shop.work(LookupError("no"))

    for command in (["show"], ["failed", "show"]):
        for id_ in (job_id, cut_off):
            for way in ([], ["--json"]):
                result = shop.jobs(*command, id_, *way)
                assert result.status == 0
                assert "s3cret" not in result.out
        assert shop.jobs(*command, job_id, "--json").json["arguments"] == {
            "args": ["[redacted]"],
            "kwargs": {"password": "[redacted]", "a": 1},
        }
        assert shop.jobs(*command, cut_off, "--json").json["arguments"] == "[unreadable]"
    assert "s3cret" not in shop.jobs("failed", "list", "--json").out


@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x"])
def test_an_id_of_no_job_is_one_line(shop: Shop, job_id: str) -> None:
    shop.enqueue()
    result = shop.jobs("show", job_id)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"Error: no job has the id {job_id}\n"
