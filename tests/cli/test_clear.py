"""`bin/jobs clear`."""

from __future__ import annotations

import time

from tests.cli.shop import Shop


def finish(shop: Shop, number: int) -> None:
    shop.enqueue(number)
    shop.work()


def test_what_finished_lately_is_kept(shop: Shop) -> None:
    finish(shop, 3)
    result = shop.jobs("clear")
    assert (result.status, result.out, result.err) == (0, "cleared 0 finished jobs\n", "")
    assert shop.count("finished") == 3


def test_older_than_wins_over_the_configuration(shop: Shop) -> None:
    finish(shop, 1)
    assert shop.jobs("clear", "--older-than", "1d").out == "cleared 0 finished jobs\n"
    assert shop.jobs("clear", "--older-than", "0").out == "cleared 1 finished job\n"
    assert shop.count("finished") == 0


def test_the_configuration_says_how_long(shop: Shop) -> None:
    (shop.folder / "short.yml").write_text("clear_finished_jobs_after: 1ms\n")
    finish(shop, 2)
    assert shop.jobs("clear", "-c", "short.yml").out == "cleared 2 finished jobs\n"


def test_only_finished_jobs_go(shop: Shop) -> None:
    finish(shop, 1)
    shop.enqueue(1)
    shop.work(ValueError("no"))
    shop.enqueue(1)
    assert shop.jobs("clear", "--older-than", "0").status == 0
    assert [shop.count(state) for state in ("ready", "failed", "finished")] == [1, 1, 0]


def test_batches_and_what_lies_between_them(shop: Shop) -> None:
    finish(shop, 5)
    began = time.monotonic()
    result = shop.jobs(
        *("clear", "--older-than", "0", "--batch-size", "2", "--sleep-between-batches", "0.3")
    )
    assert time.monotonic() - began >= 0.6
    assert result.out == "cleared 5 finished jobs\n"
    assert result.err == "clearing: 2 of 5\nclearing: 4 of 5\n"


def test_as_json_nothing_but_the_result(shop: Shop) -> None:
    finish(shop, 30)
    result = shop.jobs("clear", "--older-than", "0", "--batch-size", "1", "--json")
    assert (result.json, result.err) == ({"cleared": 30}, "")


def test_at_most_ten_lines_however_many_batches(shop: Shop) -> None:
    finish(shop, 100)
    result = shop.jobs("clear", "--older-than", "0", "--batch-size", "1")
    assert result.err.splitlines() == [f"clearing: {done} of 100" for done in range(10, 100, 10)]
