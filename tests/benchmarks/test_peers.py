"""`bin/bench --peers`: queuekit is one of them, and who is not installed is named and left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers import comparison, redis
from benchmarks.peers.listed import CHECKOUT, LIBRARIES, PEERS, Peer
from benchmarks.report import MILLISECONDS, PER_SECOND
from benchmarks.rounds import Plan

pytestmark = pytest.mark.databases("sqlite")

QUEUEKIT = next(peer for peer in PEERS if (peer.name, peer.store) == ("queuekit", "sqlite"))
NOBODY = Peer("nobody", "sqlite", ("-m", "nobody"), 1, 10)


def plan(product: str) -> Plan:
    return Plan([product], [], [], [], rounds=1, is_quick=True, rows=None)


def test_every_library_has_a_module_and_packages() -> None:
    assert {peer.name for peer in PEERS} == {*LIBRARIES, "queuekit"}
    for peer in PEERS:
        assert (CHECKOUT / f"{peer.module.replace('.', '/')}.py").exists()


def test_a_worker_is_told_where_the_jobs_are() -> None:
    command = QUEUEKIT.command_line("sqlite:////x", Path("/queue.yml"))

    assert command[2:] == [
        *("bin/jobs", "start", "-c", "/queue.yml", "--database-url", "sqlite:////x"),
    ]


def test_queuekit_is_measured_as_the_others_are(
    product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "PEERS", (QUEUEKIT, NOBODY))
    kept = []

    report, is_complete = comparison.measure(plan(product), kept.append)

    assert is_complete, report.notes
    assert [(figure.name, figure.unit) for figure in report.figures] == [
        ("enqueue, one by one", PER_SECOND),
        ("enqueue, 1,000 at once", PER_SECOND),
        ("drained", PER_SECOND),
        ("latency, worker idle, p50", MILLISECONDS),
        ("latency, worker idle, p99", MILLISECONDS),
    ]
    assert all(figure.value > 0 for figure in report.figures)
    assert report.notes == ["left out: nobody, which is not installed"]
    assert kept[0].json() == report.json()


def test_without_a_redis_those_who_need_one_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "program", lambda: None)
    needy = Peer("queuekit", "redis", (), 1, 10)

    assert comparison._found([needy], []) == ([], ["queuekit, since there is no Redis"])
