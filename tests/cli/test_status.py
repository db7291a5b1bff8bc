"""`bin/jobs status`."""

from __future__ import annotations

import re

from tests.cli.shop import Shop


def test_nothing_runs_and_nothing_waits(shop: Shop) -> None:
    result = shop.jobs("status")
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "Processes\n"
        "None: no jobs are being run. Start them with bin/jobs.\n"
        "\n"
        "Jobs\n"
        "SCHEDULED  READY  BLOCKED  CLAIMED  FAILED  FINISHED\n"
        "        0      0        0        0       0         0\n"
        "\n"
        "Queues\n"
        "None has ready jobs or is paused.\n"
    )


def test_processes_jobs_and_queues(shop: Shop) -> None:
    fill(shop)
    assert re.fullmatch(
        r"Processes\n"
        r"KIND     PID  HOST    HEARTBEAT  CLAIMS  DETAILS\n"
        r"Worker  4711  shop-1  \d\.\d s ago       2  "
        r"queues real_time, mail\*; thread pool size 3; polling interval 0\.1\n"
        r"\n"
        r"Jobs\n"
        r"SCHEDULED  READY  BLOCKED  CLAIMED  FAILED  FINISHED\n"
        r"        0  1,203        0        2       1         1\n"
        r"\n"
        r"Running\n"
        r"JOB ID +CLASS +QUEUE +ATTEMPT  FOR +PROGRESS\n"
        r"(?:[\da-f-]{36}  .*\n){2}"
        r"\n"
        r"Queues\n"
        r"NAME      SIZE  LATENCY  PAUSED SINCE\n"
        r"default      3    \d\.\d s\n"
        r"mailers  1,200    \d\.\d s\n",
        shop.jobs("status").out,
    )


def test_as_json(shop: Shop) -> None:
    fill(shop)
    document = shop.jobs("status", "--json").json
    assert document.keys() == {"processes", "jobs", "queues", "running"}
    (process,) = document["processes"]
    assert process.pop("seconds_since_heartbeat") >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", process.pop("started_at"))
    assert process.pop("id") > 0
    assert process == {
        "kind": "Worker",
        "pid": 4711,
        "hostname": "shop-1",
        "supervisor_id": None,
        "claims": 2,
        "metadata": {
            "queues": ["real_time", "mail*"],
            "thread_pool_size": 3,
            "polling_interval": 0.1,
        },
    }
    assert document["jobs"] == {
        "scheduled": 0,
        "ready": 1203,
        "blocked": 0,
        "claimed": 2,
        "failed": 1,
        "finished": 1,
    }
    assert [(queue["name"], queue["size"]) for queue in document["queues"]] == [
        ("default", 3),
        ("mailers", 1200),
    ]


def test_a_silent_process_is_marked(shop: Shop) -> None:
    shop.register("Worker")
    connection = shop.database.connect()
    connection.execute(
        "update queuekit_processes set last_heartbeat_at = last_heartbeat_at - 7500", {}
    )
    connection.close()
    assert "  2 h 5 min ago, dead?  " in shop.jobs("status").out


def test_the_same_on_each_database(shop_on_each: Shop) -> None:
    shop = shop_on_each
    fill(shop)
    document = shop.jobs("status", "--json").json
    assert document["jobs"] == {
        "scheduled": 0,
        "ready": 1203,
        "blocked": 0,
        "claimed": 2,
        "failed": 1,
        "finished": 1,
    }
    assert document["processes"][0]["claims"] == 2
    assert document["processes"][0]["seconds_since_heartbeat"] < 60
    assert "Worker" in shop.jobs("status").out


def fill(shop: Shop) -> None:
    """One job finished, one failed, two claimed by a worker, the others ready in two queues."""
    shop.enqueue(1)
    shop.work()
    shop.enqueue(1)
    shop.work(ValueError("no"))
    shop.enqueue(5)
    shop.enqueue(1_200, queue="mailers")
    metadata = {"queues": ["real_time", "mail*"], "thread_pool_size": 3, "polling_interval": 0.1}
    shop.claim(shop.register("Worker", metadata), limit=2)
