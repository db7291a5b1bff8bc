"""`bin/jobs queues`."""

from __future__ import annotations

import re

import pytest

from tests.cli.shop import Shop


def test_no_queue_has_jobs(shop: Shop) -> None:
    assert shop.jobs("queues").out == "None has ready jobs or is paused.\n"
    assert shop.jobs("queues", "list", "--json").json == []


@pytest.mark.parametrize("arguments", [["queues"], ["queues", "list"]], ids=" ".join)
def test_queues_are_listed_by_name(shop: Shop, arguments: list[str]) -> None:
    shop.enqueue(2, queue="mailers")
    shop.enqueue(1_000, queue="日本")
    shop.jobs("queues", "pause", "exports")
    out = shop.jobs(*arguments).out
    assert re.fullmatch(
        r"NAME      SIZE  LATENCY  PAUSED SINCE\n"
        r"exports      0           \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n"
        r"mailers      2 +\d\.\d s\n"
        r"日本     1,000 +\d\.\d s\n",
        out,
    )


def test_queues_as_json(shop: Shop) -> None:
    shop.enqueue(2, queue="mailers")
    shop.jobs("queues", "pause", "mailers")
    for arguments in (["queues", "--json"], ["queues", "list", "--json"]):
        (queue,) = shop.jobs(*arguments).json
        assert queue.keys() == {"name", "size", "latency", "paused_at"}
        assert (queue["name"], queue["size"]) == ("mailers", 2)
        assert queue["latency"] >= 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", queue["paused_at"])


def test_pausing_and_resuming_say_what_changed(shop: Shop) -> None:
    assert shop.jobs("queues", "pause", "a", "b").out == "a: paused\nb: paused\n"
    assert shop.jobs("queues", "pause", "a").out == "a: was paused already\n"
    assert shop.jobs("queues", "resume", "a").out == "a: resumed\n"
    assert shop.jobs("queues", "resume", "a", "b", "--json").json == [
        {"name": "a", "changed": False},
        {"name": "b", "changed": True},
    ]


def test_one_impossible_name_and_none_is_paused(shop: Shop) -> None:
    result = shop.jobs("queues", "pause", "mailers", "mail*")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "Error: queue 'mail*' has a * or a comma, which mean something to a worker's queues\n"
    )
    assert shop.jobs("queues", "--json").json == []


def test_clearing_discards_what_is_ready_in_this_queue_alone(shop: Shop) -> None:
    shop.enqueue(3, queue="imports")
    shop.enqueue(2, queue="mailers")
    result = shop.jobs("queues", "clear", "imports", "--yes")
    assert (result.status, result.out, result.err) == (0, "imports: discarded 3 jobs\n", "")
    assert (shop.count("ready"), shop.count("finished")) == (2, 3)


def test_clearing_without_a_terminal_and_without_yes_is_refused(shop: Shop) -> None:
    shop.enqueue(3, queue="imports")
    result = shop.jobs("queues", "clear", "imports", stdin="y\n")
    assert (result.status, result.out) == (2, "")
    assert result.err.endswith(
        "Error: Discard 3 ready jobs of imports? There is no terminal to ask on: give --yes.\n"
    )
    assert shop.count("ready") == 3


def test_clearing_shows_how_far_it_is(shop: Shop) -> None:
    shop.enqueue(1_200, queue="imports")
    result = shop.jobs("queues", "clear", "imports", "--yes")
    assert result.out == "imports: discarded 1,200 jobs\n"
    assert result.err == "clearing imports: 500 of 1,200\nclearing imports: 1,000 of 1,200\n"


def test_clearing_as_json_prints_nothing_but_the_result(shop: Shop) -> None:
    shop.enqueue(1_200, queue="imports")
    result = shop.jobs("queues", "clear", "imports", "empty", "--yes", "--json")
    assert (result.json, result.err) == ({"cleared": {"imports": 1200, "empty": 0}}, "")


def test_json_before_the_command_is_not_ignored(shop: Shop) -> None:
    result = shop.jobs("queues", "--json", "list")
    assert result.status == 2
    assert "--json stands behind the command" in result.err
