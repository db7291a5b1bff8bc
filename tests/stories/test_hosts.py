"""Several hosts: one that is cut off is taken for dead; what it does meanwhile changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuekit import status
from tests.clusters import Cluster
from tests.stories.namespaces import Host, Network, NetworkError
from tests.stories.promises import assert_clean_termination, assert_failed
from tests.stories.proxy import Proxy
from tests.stories.support import Application, enqueue_all, wait_until

NAMES = ("left", "middle", "right")


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        network = Network()
    except NetworkError as error:
        pytest.skip(f"no network namespaces: {error}")
    with network:
        try:
            for name in NAMES:
                network.add_host(name)
        except NetworkError as error:
            pytest.skip(f"no network namespaces: {error}")
        yield network


@pytest.fixture
def applications(
    killable_application: Application, killable_server: Cluster, network: Network
) -> Iterator[list[Application]]:
    """The application on three hosts; the server is on the bridge, by way of a proxy."""
    with Proxy(killable_server.port, network.address) as proxy:
        url = proxy.url(killable_application.database_url, connect_timeout=2)
        here = killable_application.folder
        applications = [application_on(host, here.with_name(host.name), url) for host in network]
        yield applications
        for application in applications:
            application.close()


def application_on(host: Host, folder: Path, url: str) -> Application:
    application = Application(folder, url)
    application.prefix = host.prefix
    return application


@pytest.mark.parametrize("on_death", ["fail", "retry"])
def test_a_host_that_is_cut_off_loses_its_jobs_and_goes_on_when_it_is_back(
    applications: list[Application], network: Network, on_death: str
) -> None:
    for application, name in zip(applications, NAMES, strict=True):
        application.configure(
            process_heartbeat_interval=0.5,
            process_alive_threshold=5,
            on_process_death=on_death,
            workers={"threads": 1, "queues": ["default", name]},
        )
        application.start()
    *others, lost = applications
    receipts = enqueue_all([("jobs.wait", (f"{number}",)) for number in range(3)])
    wait_until(lambda: all(a.ran() for a in applications), lost, "each host has a job")
    (taken,) = [r for number, r in enumerate(receipts) if lost.ran() == [f"{number} began"]]
    before = {name: processes_on(name) for name in NAMES}

    # Away for longer than the threshold: its jobs are somebody else's.
    network.hosts[2].cut_off()
    wait_until(lambda: len(ends_of_jobs(others)) == 1, lost, "its job is taken away")
    wait_until(lambda: not processes_on("right"), lost, "the host is taken for dead")
    for other in others:
        other.open()
    if on_death == "fail":
        lost.wait_until_jobs(finished=2, failed=1)
        assert_failed(taken, "queuekit.errors.ProcessPrunedError", "Worker ")
    else:
        lost.wait_until_jobs(finished=4)  # the attempt that was given up, too
    settled = lost.jobs()
    lost.open()
    wait_until(lambda: len(lost.ran()) == 2, lost, "the job that was taken away ends")

    # Back: what it has to say comes too late, and it begins anew.
    network.hosts[2].reconnect()
    lost.wait_until_printed("was taken for dead and pruned", times=3)
    wait_until(lambda: len(processes_on("right")) == 3, lost, "the host registers again")
    assert lost.jobs() == settled
    enqueue_all([("jobs.note", ("afterwards",))], queue="right")
    lost.wait_until_ran("afterwards")
    assert processes_on("right").isdisjoint(before["right"])
    assert [processes_on(name) for name in NAMES[:2]] == [before[name] for name in NAMES[:2]]

    for application in applications:
        application.stop()
    for application in applications:
        assert_clean_termination(application)
    end = "failed" if on_death == "fail" else "retried"
    assert ends_of_jobs(others) == [(end, taken.job_id)]


def ends_of_jobs(others: list[Application]) -> list[tuple[str, str]]:
    """What the others have said that became of the jobs of the host that was cut off."""
    printed = "".join(other.printed() for other in others)
    return re.findall(r"Buried Worker \d+ on right: .*; (\w+) 1 job: ([-\w]+)", printed)


def processes_on(host: str) -> set[int]:
    return {process.id for process in status.gather().processes if process.hostname == host}
