"""`bin/jobs failed`."""

from __future__ import annotations

import re

import pytest

from tests.cli.shop import Shop

MISSING = "00000000-0000-7000-8000-000000000000"
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def fail(shop: Shop, number: int = 1, message: str = "no such user", **job: str) -> list[str]:
    ids = shop.enqueue(number, **job)
    try:
        raise LookupError(message)
    except LookupError as error:
        shop.work(error)
    return ids


def test_nothing_has_failed(shop: Shop) -> None:
    assert shop.jobs("failed").out == "No failed jobs.\n"
    assert shop.jobs("failed", "--json").json == []


@pytest.mark.parametrize("arguments", [["failed"], ["failed", "list"]], ids=" ".join)
def test_failed_jobs_are_listed_newest_first(shop: Shop, arguments: list[str]) -> None:
    (first,) = fail(shop, class_name="app.jobs.welcome", queue="mailers")
    (second,) = fail(shop, message="")
    out = shop.jobs(*arguments).out
    assert re.fullmatch(
        "JOB ID                                QUEUE    CLASS              ATTEMPT  "
        "FAILED AT                ERROR\n"
        f"{second}  default  app.jobs.anything        1  {TIME}  LookupError\n"
        f"{first}  mailers  app.jobs.welcome         1  {TIME}  LookupError: no such user\n",
        out,
    )


def test_a_list_as_json(shop: Shop) -> None:
    (job_id,) = fail(shop, arguments='{"args":["é"],"kwargs":{}}')
    (job,) = shop.jobs("failed", "list", "--json").json
    for time in (job.pop("enqueued_at"), job.pop("failed_at")):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert job == {
        "job_id": job_id,
        "row_id": 1,
        "class_name": "app.jobs.anything",
        "queue": "default",
        "priority": 0,
        "attempt": 1,
        "arguments": {"args": ["é"], "kwargs": {}},
        "exception_class": "LookupError",
        "message": "no such user",
    }


def test_the_list_can_be_narrowed(shop: Shop) -> None:
    fail(shop, 2, queue="mailers", class_name="app.jobs.welcome")
    fail(shop, 3)
    assert len(shop.jobs("failed", "list", "--json", "--queue", "mailers").json) == 2
    assert len(shop.jobs("failed", "list", "--json", "--class", "app.jobs.anything").json) == 3
    assert shop.jobs("failed", "list", "--queue", "none").out == "No failed jobs.\n"


def test_the_list_says_what_it_leaves_out(shop: Shop) -> None:
    fail(shop, 3)
    result = shop.jobs("failed", "list", "--limit", "2")
    assert len(result.out.splitlines()) == 1 + 2
    assert result.err == "2 of 3 failed jobs; --limit shows more.\n"
    assert shop.jobs("failed", "list", "--limit", "3").err == ""


def test_showing_one_shows_everything(shop: Shop) -> None:
    (job_id,) = fail(shop, message="no such\nuser", arguments='{"args":[42,"é"],"kwargs":{}}')
    result = shop.jobs("failed", "show", job_id)
    assert re.fullmatch(
        rf"job id       {job_id}\n"
        r"row id       1\n"
        r"class        app\.jobs\.anything\n"
        r"queue        default\n"
        r"priority     0\n"
        r"attempt      1\n"
        rf"enqueued at  {TIME}\n"
        rf"failed at    {TIME}\n"
        r"error        LookupError: no such\\nuser\n"
        r"\n"
        r"Arguments\n"
        r'\{\n  "args": \[\n    42,\n    "é"\n  \],\n  "kwargs": \{\}\n\}\n'
        r"\n"
        r"Traceback \(most recent call last\):\n"
        r'  File ".*test_failed\.py", line \d+, in fail\n'
        r"    raise LookupError\(message\)\n"
        r"LookupError: no such\nuser\n",
        result.out,
    )


def test_showing_one_as_json_has_the_traceback(shop: Shop) -> None:
    (job_id,) = fail(shop)
    job = shop.jobs("failed", "show", job_id, "--json").json
    assert job["job_id"] == job_id
    assert job["traceback"].startswith("Traceback (most recent call last):\n")


def test_a_row_with_unreadable_arguments_can_be_shown(shop: Shop) -> None:
    (job_id,) = fail(shop, arguments="not JSON")
    assert '\nArguments\n"not JSON"\n' in shop.jobs("failed", "show", job_id).out
    assert shop.jobs("failed", "show", job_id, "--json").json["arguments"] == "not JSON"


@pytest.mark.parametrize("command", ["show", "retry", "discard"])
@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x"])
def test_an_id_of_no_failed_job_is_one_line(shop: Shop, command: str, job_id: str) -> None:
    result = shop.jobs("failed", command, job_id)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"Error: no failed job has the id {job_id}\n"


@pytest.mark.parametrize(
    ("command", "says", "state"),
    [("retry", "retried", "ready"), ("discard", "discarded", "finished")],
)
class TestRetryingAndDiscarding:
    def test_by_id(self, shop: Shop, command: str, says: str, state: str) -> None:
        ids = fail(shop, 3)
        result = shop.jobs("failed", command, ids[0], ids[1], ids[0])
        assert (result.status, result.out, result.err) == (0, f"{says} 2 jobs\n", "")
        assert (shop.count("failed"), shop.count(state)) == (1, 2)

    def test_one_wrong_id_and_none(self, shop: Shop, command: str, says: str, state: str) -> None:
        ids = fail(shop, 2)
        result = shop.jobs("failed", command, *ids, MISSING)
        assert (result.status, result.out) == (1, "")
        assert (shop.count("failed"), shop.count(state)) == (2, 0)

    def test_all_of_a_queue_and_class(
        self, shop: Shop, command: str, says: str, state: str
    ) -> None:
        fail(shop, 2, queue="mailers", class_name="app.jobs.welcome")
        fail(shop, 1, queue="mailers")
        fail(shop, 1)
        narrow = ["--queue", "mailers", "--class", "app.jobs.welcome"]
        result = shop.jobs("failed", command, "--all", *narrow, *yes(command))
        assert (result.status, result.out) == (0, f"{says} 2 jobs\n")
        assert (shop.count("failed"), shop.count(state)) == (2, 2)

    def test_all_shows_how_far_it_is(self, shop: Shop, command: str, says: str, state: str) -> None:
        fail(shop, 1_100)
        result = shop.jobs("failed", command, "--all", *yes(command))
        assert result.out == f"{says} 1,100 jobs\n"
        doing = {"retry": "retrying", "discard": "discarding"}[command]
        assert result.err == f"{doing}: 500 of 1,100\n{doing}: 1,000 of 1,100\n"

    def test_as_json_nothing_but_the_result(
        self, shop: Shop, command: str, says: str, state: str
    ) -> None:
        fail(shop, 1_100)
        result = shop.jobs("failed", command, "--all", "--json", *yes(command))
        assert (result.json, result.err) == ({says: 1100}, "")
        assert shop.jobs("failed", command, "--all", "--json", *yes(command)).json == {says: 0}

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ([], "Which jobs? Give their ids, or --all."),
            ([MISSING, "--all"], "Give job ids or --all, not both."),
            ([MISSING, "--queue", "a"], "--queue and --class narrow --all; job ids stand alone."),
        ],
    )
    def test_which_jobs_must_be_clear(
        self, shop: Shop, command: str, says: str, state: str, arguments: list[str], why: str
    ) -> None:
        result = shop.jobs("failed", command, *arguments)
        assert result.status == 2
        assert result.err.endswith(f"Error: {why}\n")


def test_discarding_all_without_a_terminal_and_without_yes_is_refused(shop: Shop) -> None:
    fail(shop, 2)
    result = shop.jobs("failed", "discard", "--all", stdin="y\n")
    assert (result.status, result.out) == (2, "")
    assert result.err.endswith(
        "Error: Discard 2 failed jobs? There is no terminal to ask on: give --yes.\n"
    )
    assert shop.count("failed") == 2


def yes(command: str) -> list[str]:
    return ["--yes"] if command == "discard" else []
