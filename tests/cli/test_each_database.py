"""A day of an operator, on each database."""

from __future__ import annotations

from tests.cli.shop import Shop


def test_from_enqueueing_to_clearing(shop_on_each: Shop) -> None:
    shop = shop_on_each
    for number in range(3):
        result = shop.jobs("enqueue", "app.jobs.welcome", str(number), "greeting=Grüß 🎉", "--json")
        assert (result.status, result.err) == (0, "")
    assert shop.jobs("queues", "pause", "mailers").out == "mailers: paused\n"
    (queue,) = shop.jobs("queues", "--json").json
    assert (queue["name"], queue["size"]) == ("mailers", 3)
    assert queue["paused_at"] is not None
    assert shop.jobs("queues", "resume", "mailers").out == "mailers: resumed\n"

    shop.work(ValueError("no 🎉\0"))
    failed = shop.jobs("failed", "--json").json
    assert failed[0]["arguments"] == {"args": [2], "kwargs": {"greeting": "Grüß 🎉"}}
    shown = shop.jobs("failed", "show", failed[0]["job_id"])
    assert "error        ValueError: no 🎉\\x00\n" in shown.out
    assert shop.jobs("failed", "retry", failed[0]["job_id"]).out == "retried 1 job\n"
    assert shop.jobs("failed", "discard", "--all", "--yes").out == "discarded 2 jobs\n"
    assert shop.jobs("queues", "clear", "mailers", "--yes").out == "mailers: discarded 1 job\n"

    assert shop.jobs("clear", "--older-than", "0").out == "cleared 4 finished jobs\n"
    result = shop.jobs("check", "--database")
    assert (result.status, result.err) == (0, "")
    assert result.out.endswith("one state per job:   yes\nNo problems.\n")
    assert set(shop.jobs("status", "--json").json["jobs"].values()) == {0}
