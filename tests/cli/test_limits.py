"""`bin/jobs limits`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import queuekit
from queuekit import Limit
from tests.cli.shop import Shop
from tests.dialects.support import in_use

MISSING = "00000000-0000-7000-8000-000000000000"
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
TIME_JSON = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@queuekit.job(
    name="app.jobs.export",
    queue="exports",
    limits_concurrency=Limit("account", to=1, duration=3600, group="exports"),
)
def export(account: str) -> None: ...


@queuekit.job(name="app.jobs.mail", limits_concurrency=Limit("host", to=2, group="mail"))
def mail(host: str) -> None: ...


@pytest.fixture
def shop(shop: Shop) -> Iterator[Shop]:
    with in_use(shop.url):
        yield shop


@pytest.fixture
def shop_on_each(shop_on_each: Shop) -> Iterator[Shop]:
    with in_use(shop_on_each.url):
        yield shop_on_each


def enqueue(*accounts: str) -> list[str]:
    return [export.enqueue(account).job_id for account in accounts]


def expire(shop: Shop) -> None:
    connection = shop.database.connect()
    connection.execute(
        "update queuekit_semaphore_slots set expires_at = 1 where expires_at > 1", {}
    )
    connection.close()


# Listing


def test_nothing_is_held(shop: Shop) -> None:
    shop.enqueue()
    for arguments in (["limits"], ["limits", "list"]):
        result = shop.jobs(*arguments)
        assert (result.status, result.err) == (0, "")
        assert result.out == "No job holds a slot, none is blocked.\n"
        assert shop.jobs(*arguments, "--json").json == []
    assert shop.jobs("limits", "--blocked").out == "No jobs are blocked.\n"


def test_keys_are_listed_with_the_jobs_that_hold_their_slots(shop_on_each: Shop) -> None:
    shop = shop_on_each
    first, *_ = enqueue("7", "7", "7")
    worker = shop.register("Worker")
    shop.claim(worker)
    second = mail.enqueue("a.example").job_id

    result = shop.jobs("limits")

    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(
        r"KEY             SLOTS  HELD  EXPIRED  BLOCKED\n"
        r"exports/7           1     1        0        2\n"
        r"mail/a\.example      2     1        0        0\n"
        r"\n"
        r"Slots\n"
        r"KEY +JOB ID +CLASS +STATE +SINCE +EXPIRES +PROCESS\n"
        rf"exports/7 +{first}  app\.jobs\.export  claimed  {TIME}  {TIME}  "
        rf"{worker} \(pid 4711 on shop-1\)\n"
        rf"mail/a\.example  {second}  app\.jobs\.mail +ready +{TIME}\n",
        result.out,
    )
    assert "mail/" not in shop.jobs("limits", "--blocked").out


def test_as_json_it_has_everything(shop_on_each: Shop) -> None:
    shop = shop_on_each
    first, _ = enqueue("é", "é")
    mail.enqueue("a.example")
    worker = shop.register("Worker")
    shop.claim(worker, limit=1)

    for arguments in (["limits", "--json"], ["limits", "list", "--json"]):
        document = shop.jobs(*arguments).json
        assert [key["key"] for key in document] == ["exports/é", "mail/a.example"]
        assert document[1]["holders"][0]["expires_at"] is None
        (holder,) = document[0].pop("holders")
        assert document[0] == {
            "key": "exports/é",
            "slots": 1,
            "held": 1,
            "expired": 0,
            "blocked": 1,
        }
        assert re.fullmatch(TIME_JSON, holder.pop("since"))
        assert re.fullmatch(TIME_JSON, holder.pop("expires_at"))
        assert holder.pop("row_id") > 0
        assert holder == {
            "job_id": first,
            "class_name": "app.jobs.export",
            "queue": "exports",
            "state": "claimed",
            "is_expired": False,
            "process_id": worker,
            "pid": 4711,
            "hostname": "shop-1",
        }


def test_expired_slots_and_lost_processes_say_so(shop: Shop) -> None:
    enqueue("7", "7")
    worker = shop.register("Worker")
    shop.claim(worker)
    expire(shop)
    connection = shop.database.connect()
    connection.execute("delete from queuekit_processes", {})
    connection.close()

    out = shop.jobs("limits").out

    assert "\nexports/7      1     0        1        1\n" in out
    assert f"  expired  {worker}, not registered any more\n" in out


def test_more_keys_than_the_limit_are_mentioned(shop: Shop) -> None:
    enqueue("7", "8", "9")
    result = shop.jobs("limits", "list", "--limit", "2")
    assert "exports/8" in result.out
    assert "exports/9" not in result.out
    assert result.err == "There are more than these 2 keys; --limit shows more.\n"
    assert len(shop.jobs("limits", "--limit", "2", "--json").json) == 2
    assert shop.jobs("limits", "--limit", "3").err == ""


def test_control_characters_in_keys_are_escaped(shop: Shop) -> None:
    enqueue("7\n\x1b[1m")
    assert "exports/7\\n\\x1b[1m  " in shop.jobs("limits").out
    assert "\nkey      exports/7\\n" in "\n" + shop.jobs("limits", "exports/7\n\x1b[1m").out


# One key


@pytest.mark.parametrize("arguments", [["limits", "show"], ["limits"]], ids=" ".join)
def test_a_key_is_shown_with_who_is_blocked_behind_it(
    shop_on_each: Shop, arguments: list[str]
) -> None:
    shop = shop_on_each
    first, second, third, fourth = enqueue("7", "7", "7", "7")
    enqueue("8")

    out = shop.jobs(*arguments, "exports/7", "--limit", "2").out

    assert re.fullmatch(
        r"key      exports/7\n"
        r"slots    1\n"
        r"held     1\n"
        r"expired  0\n"
        r"blocked  3\n"
        r"\n"
        r"Slots\n"
        r"JOB ID +CLASS +STATE  SINCE +EXPIRES  PROCESS\n"
        rf"{first}  app\.jobs\.export  ready  {TIME}\n"
        r"\n"
        r"Blocked\n"
        r"JOB ID +CLASS +QUEUE +PRIORITY  SINCE\n"
        rf"{second}  app\.jobs\.export  exports         0  {TIME}\n"
        rf"{third}  app\.jobs\.export  exports         0  {TIME}\n"
        r"\.\.\. and 1 more\.\n",
        out,
    )
    document = shop.jobs(*arguments, "exports/7", "--json").json
    assert [job["job_id"] for job in document["holders"]] == [first]
    assert [job["job_id"] for job in document["first_blocked"]] == [second, third, fourth]


def test_a_key_that_no_job_uses_is_a_sentence(shop: Shop) -> None:
    result = shop.jobs("limits", "exports/7")
    assert (result.status, result.err) == (0, "")
    assert result.out == "No job holds a slot of exports/7, none is blocked behind it.\n"
    assert shop.jobs("limits", "show", "exports/7", "--json").json == {
        "key": "exports/7",
        "slots": None,
        "held": 0,
        "expired": 0,
        "blocked": 0,
        "holders": [],
        "first_blocked": [],
    }


def test_what_is_neither_a_key_nor_a_command_is_wrong_usage(shop: Shop) -> None:
    result = shop.jobs("limits", "relaese", MISSING)
    assert result.status == 2
    assert "No such command 'relaese'" in result.err


@pytest.mark.parametrize(
    "arguments", [["--json", "list"], ["--blocked", "list"], ["--limit", "3", "exports/7"]]
)
def test_options_before_the_command_are_not_ignored(shop: Shop, arguments: list[str]) -> None:
    result = shop.jobs("limits", *arguments)
    assert result.status == 2
    assert "stand behind the command" in result.err


# Releasing


def test_releasing_lets_the_next_in_and_warns(shop_on_each: Shop) -> None:
    shop = shop_on_each
    first, second, third = enqueue("7", "7", "7")
    shop.claim(shop.register("Worker"))

    result = shop.jobs("limits", "release", first)

    assert (result.status, result.out) == (
        0,
        f"released the slot of job {first} of exports/7; job {second} is ready now\n",
    )
    assert result.err == (
        f"Warning: job {first} is still running: until it has ended, "
        "one more job of exports/7 may run at once\n"
    )
    assert (shop.count("claimed"), shop.count("ready"), shop.count("blocked")) == (1, 1, 1)

    again = shop.jobs("limits", "release", second, "--json")
    assert (again.json, again.err) == (
        {"job_id": second, "key": "exports/7", "state": "ready", "ready": [third]},
        "",
    )


def test_a_ready_job_is_warned_of_too(shop: Shop) -> None:
    (first,) = enqueue("7")
    result = shop.jobs("limits", "release", first)
    assert result.out == f"released the slot of job {first} of exports/7\n"
    assert f"job {first} is ready, and is going to run: until it has ended" in result.err


@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x"])
def test_a_job_without_a_slot_is_one_line(shop: Shop, job_id: str) -> None:
    enqueue("7")
    result = shop.jobs("limits", "release", job_id)
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        f"Error: no job with the id {job_id} holds a slot of a concurrency limit\n"
    )


# What other commands say of blocked jobs


def test_show_names_the_key_and_who_is_in_front(shop_on_each: Shop) -> None:
    shop = shop_on_each
    first, second = enqueue("7", "7")

    out = shop.jobs("show", second).out
    document = shop.jobs("show", second, "--json").json

    assert "\nstate            blocked\n" in out
    assert f"\nconcurrency key  exports/7\nblocked behind   {first} (ready)\n" in out
    assert (document["state"], document["concurrency_key"]) == ("blocked", "exports/7")
    assert document["blocked_behind"] == [first]
    assert "blocked behind" not in shop.jobs("show", first).out


def test_status_counts_blocked_jobs(shop: Shop) -> None:
    enqueue("7", "7", "7")
    assert shop.jobs("status", "--json").json["jobs"]["blocked"] == 2


def test_clearing_a_queue_takes_its_blocked_jobs_along(shop_on_each: Shop) -> None:
    shop = shop_on_each
    enqueue("7", "7", "7")
    refused = shop.jobs("queues", "clear", "exports")
    assert "Error: Discard 1 ready job and 2 blocked jobs of exports?" in refused.err
    assert shop.jobs("queues", "clear", "exports", "--yes").out == "exports: discarded 3 jobs\n"
    assert shop.count("finished") == 3
    assert shop.jobs("limits", "--json").json == []
