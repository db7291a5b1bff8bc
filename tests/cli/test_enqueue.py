"""`bin/jobs enqueue`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cli.shop import Result, Shop


def enqueued(shop: Shop, result: Result) -> dict[str, Any]:
    """The arguments that were written for a job enqueued with --json."""
    assert (result.status, result.err) == (0, "")
    worker = shop.register("Worker")
    (job,) = [job for job in shop.claim(worker) if job.job_id == result.json["job_id"]]
    arguments: dict[str, Any] = json.loads(job.arguments)
    return arguments


def test_the_receipt_is_printed(shop: Shop) -> None:
    result = shop.jobs("enqueue", "app.jobs.welcome", "42")
    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(
        r"job id  [0-9a-f-]{36}\nrow id  1\nclass   app\.jobs\.welcome\nqueue   mailers\n",
        result.out,
    )
    assert shop.count("ready") == 1


def test_the_receipt_as_json(shop: Shop) -> None:
    result = shop.jobs("enqueue", "app.jobs.welcome", "42", "--json")
    job_id = result.json.pop("job_id")
    assert result.json == {
        "job_id": job_id,
        "row_id": 1,
        "class_name": "app.jobs.welcome",
        "queue": "mailers",
        "status": "enqueued",
        "scheduled_at": None,
    }


@pytest.mark.parametrize(
    ("typed", "args", "kwargs"),
    [
        ([], [], {}),
        (["42", "1.5", "true", "null"], [42, 1.5, True, None], {}),
        (["ada", "", "NaN", "1_000"], ["ada", "", "NaN", "1_000"], {}),
        (['"42"', '[1, "a"]', '{"a": 1}'], ["42", [1, "a"], {"a": 1}], {}),
        (["a=1", "b=", "c=x=y", "d=[1]"], [], {"a": 1, "b": "", "c": "x=y", "d": [1]}),
        (['"a=1"', "1=2", "x-y=3", "/?q=1"], ["a=1", "1=2", "x-y=3", "/?q=1"], {}),
        (["k=1", "after"], ["after"], {"k": 1}),
        (["--", "-1", "--json"], [-1, "--json"], {}),
        (["日本", "🎉=1", "naïve=2"], ["日本", "🎉=1"], {"naïve": 2}),
    ],
)  # fmt: skip
def test_arguments_are_json_or_text_or_keywords(
    shop: Shop, typed: list[str], args: list[Any], kwargs: dict[str, Any]
) -> None:
    result = shop.jobs("enqueue", "app.jobs.anything", "--json", *typed)
    assert enqueued(shop, result) == {"args": args, "kwargs": kwargs}


def test_arguments_as_one_document(shop: Shop) -> None:
    document = '{"args": [1, "x"], "kwargs": {"not an identifier": null}}'
    result = shop.jobs("enqueue", "app.jobs.anything", "--json", "--args-json", document)
    assert enqueued(shop, result) == json.loads(document)


def test_arguments_from_standard_input_may_be_large(shop: Shop) -> None:
    large = "x" * 5_000_000
    result = shop.jobs(
        *("enqueue", "app.jobs.anything", "--json", "--args-json", "-"),
        stdin=json.dumps({"args": [large]}),
    )
    assert enqueued(shop, result) == {"args": [large], "kwargs": {}}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--args-json", "{"], "'--args-json': this is not JSON: "),
        (["--args-json", "[1]"], 'expected an object such as {"args": [42], "kwargs": {}}'),
        (["--args-json", '{"arg": []}'], "expected an object such as"),
        (["--args-json", '{"args": {}}'], "args is a list, and kwargs is an object"),
        (["1", "--args-json", "{}"], "--args-json takes the place of ARGUMENTS"),
        (["a=1", "a=2"], "the argument a is given twice"),
        (["--wait", "soon"], "'--wait': 'soon' is no duration: write seconds, or "),
        (["--at", "noon"], "'--at': 'noon' is no time in ISO 8601: write one such as "),
        (["--at", "2030-01-31T09:00:00"], "has no time zone: write 2030-01-31T09:00:00Z for UTC"),
        (["--at", "2030-01-31"], "has no time zone: write one such as 2030-01-31T00:00:00Z"),
        (["--priority", "high"], "'high' is not a valid integer."),
        (["-1"], "No such option"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(shop: Shop, arguments: list[str], says: str) -> None:
    result = shop.jobs("enqueue", "app.jobs.anything", *arguments)
    assert (result.status, result.out) == (2, "")
    assert says in " ".join(result.err.split())
    assert shop.count("ready") == 0


def test_standard_input_that_is_no_text_is_wrong_usage(shop: Shop) -> None:
    result = shop.jobs("enqueue", "app.jobs.anything", "--args-json", "-", stdin=b"\xff\xfe")
    assert result.status == 2
    assert "this is not JSON: " in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["app.jobs.welcome"],
            "app.jobs.welcome(user_id: int, greeting: str = 'Hello'): "
            "missing a required argument: 'user_id'",
        ),
        (["app.jobs.nothing"], "job app.jobs.nothing is not known: app.jobs was imported and "),
        (["app.jobs.not_a_job"], "job app.jobs.not_a_job is not known: "),
        (["os.system", "true"], "job os.system is not known: "),
        (["app.mistake.welcome"], "job app.mistake.welcome is not known: "),
        (["welcome"], "job welcome is not known: "),
        (["app.jobs.anything", "--queue", "a,b"], "queue 'a,b' has a * or a comma"),
        (["app.jobs.anything", "--queue", "q" * 192], "queue qqqqqqqq"),
        (["app.jobs.anything", "--priority", "2147483648"], "priority 2147483648 is not between"),
        (["app.jobs.anything", "--wait", "-1"], "wait=-1.0 is not a time to come"),
        (["app.jobs.anything", "--wait", "4000000 days"], "wait=345600000000.0 ends after the"),
        (
            ["app.jobs.anything", "--wait", "1", "--at", "2030-01-01T00:00:00Z"],
            "wait= and at= say the same thing twice",
        ),
        (
            ["app.jobs.anything", '{"_queuekit": 1}'],
            "app.jobs.anything: argument number 1 has the key '_queuekit': ",
        ),
    ],
)
def test_what_cannot_be_enqueued_is_one_line_and_writes_nothing(
    shop: Shop, arguments: list[str], says: str
) -> None:
    result = shop.jobs("enqueue", *arguments)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"Error: {says}")
    assert result.err.count("\n") == 1
    assert shop.count("ready") == 0


def test_queue_and_priority_can_be_chosen(shop: Shop) -> None:
    result = shop.jobs("enqueue", "app.jobs.anything", "--queue", "other", "--priority", "-5")
    assert result.status == 0
    (job,) = shop.claim(shop.register("Worker"))
    assert (job.queue, job.priority) == ("other", -5)


def test_the_declaration_says_queue_and_priority_otherwise(shop: Shop) -> None:
    shop.jobs("enqueue", "app.jobs.anything")
    (job,) = shop.claim(shop.register("Worker"))
    assert (job.queue, job.priority) == ("default", 7)


def test_a_job_can_wait(shop: Shop) -> None:
    result = shop.jobs("enqueue", "app.jobs.anything", "--wait", "5m")
    assert re.search(r"^scheduled at  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", result.out, re.M)
    assert (shop.count("scheduled"), shop.count("ready")) == (1, 0)


def test_a_job_can_wait_for_a_time(shop: Shop) -> None:
    result = shop.jobs(
        "enqueue", "app.jobs.anything", "--at", "2130-01-31T09:00:00+01:00", "--json"
    )
    assert result.json["scheduled_at"] == "2130-01-31T08:00:00.000Z"
    assert shop.count("scheduled") == 1


def test_a_declared_name_needs_its_module(shop: Shop) -> None:
    result = shop.jobs("enqueue", "nightly report")
    assert result.status == 1
    assert result.err.endswith("or list the module under imports\n")
    result = shop.jobs("enqueue", "nightly report", "--import", "app.jobs")
    assert (result.status, result.err) == (0, "")
    assert "class   nightly report\n" in result.out


def test_a_module_that_cannot_be_imported_is_named(shop: Shop) -> None:
    (shop.folder / "app/broken.py").write_text("1 / 0\n")
    result = shop.jobs("enqueue", "app.jobs.anything", "--import", "app.broken")
    assert result.status == 1
    assert result.err.startswith("Traceback (most recent call last):\n")
    assert result.err.endswith(
        "\nError: imports: app.broken cannot be imported: ZeroDivisionError: division by zero\n"
    )
    result = shop.jobs("enqueue", "app.broken.job")
    assert result.status == 1
    assert result.err == (
        "Error: job app.broken.job is not known: "
        "importing app.broken raised ZeroDivisionError: division by zero\n"
    )


def test_of_a_unique_job_that_is_there_already_it_says_so(shop: Shop) -> None:
    first = shop.jobs("enqueue", "app.jobs.once", "monday", "--json").json
    result = shop.jobs("enqueue", "app.jobs.once", "monday")

    assert (result.status, result.err) == (0, "")
    assert f"job id  {first['job_id']}\n" in result.out
    assert "status  existing: it was there already, nothing was enqueued\n" in result.out
    again = shop.jobs("enqueue", "app.jobs.once", "monday", "--json").json
    assert again == first | {"status": "existing"}
    assert shop.count("ready") == 1
