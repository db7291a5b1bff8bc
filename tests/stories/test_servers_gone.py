"""The server goes and comes back, and connections break: nobody dies of it, and no result is lost.

Everything that talks to the database says so once for each outage, and once that it is over.
"""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from tests.clusters import Cluster
from tests.servers import Server
from tests.stories.connections import connections_to, end_connection
from tests.stories.promises import assert_clean_termination, assert_registered
from tests.stories.support import Application, enqueue_all, wait_until

#: What has a connection of its own: the loops of three processes, and two heartbeats beside them.
TALKERS = ("Supervisor", "Dispatcher", "Dispatcher's heartbeat", "Worker", "Worker's heartbeat")


def said(application: Application, words: str) -> Counter[str]:
    """How often each talker has said this."""
    return Counter(re.findall(rf"\] ([\w' ]+) {words}", application.printed()))


def wait_until_all_said(application: Application, words: str, times: int = 1) -> None:
    expected = Counter(dict.fromkeys(TALKERS, times))
    wait_until(
        lambda: said(application, words) >= expected, application, f"all say: {words}, {times}."
    )


def registered(application: Application) -> list[int]:
    return [process.id for process in application.processes()]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_results_wait_for_the_server_and_each_outage_is_said_once(
    killable_application: Application, killable_server: Cluster, end: str
) -> None:
    application = killable_application
    application.configure(workers={"threads": 2}, process_heartbeat_interval=0.5)
    application.start()
    before = registered(application)

    for outage in (1, 2):
        jobs = [f"{outage} {number}" for number in range(2)]
        gate = f"gate {outage}"
        enqueue_all([("jobs.wait", (job, gate)) for job in jobs])
        enqueue_all([("jobs.note", (f"{outage} late",))], wait=0.5)
        application.wait_until_ran(*(f"{job} began" for job in jobs))

        getattr(killable_server, end)()
        application.open(gate)
        application.wait_until_ran(*(f"{job} ended" for job in jobs))
        wait_until_all_said(application, "waits for the database", outage)
        killable_server.start()

        application.wait_until_jobs(finished=3 * outage)
        wait_until_all_said(application, "can use the database again", outage)

    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert registered(application) == before
    assert said(application, "waits for the database") == Counter(dict.fromkeys(TALKERS, 2))
    assert said(application, "can use the database again") == Counter(dict.fromkeys(TALKERS, 2))
    application.stop()
    assert_clean_termination(application)


@pytest.mark.parametrize("seconds", [5, pytest.param(20, marks=pytest.mark.long)])
def test_a_server_that_is_away_for_long_is_waited_for(
    killable_application: Application, killable_server: Cluster, seconds: int
) -> None:
    application = killable_application
    application.configure(process_heartbeat_interval=0.5)
    application.start()
    receipt = application.enqueue("jobs.wait", "one")
    application.wait_until_ran("one began")

    killable_server.stop()
    application.open()
    gone_at = time.monotonic()
    wait_until(lambda: time.monotonic() > gone_at + seconds, application, f"{seconds} s pass")
    assert said(application, "waits for the database") == Counter(TALKERS)
    killable_server.start()

    application.wait_until_jobs(finished=1)
    assert application.ran() == ["one began", "one ended"]
    wait_until_all_said(application, "can use the database again")
    assert receipt.job_id not in application.printed()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    application.stop()
    assert_clean_termination(application)


@pytest.mark.databases("postgresql", "mariadb", "mysql")
def test_every_job_ends_once_while_connections_are_ended_one_by_one(
    application: Application, server: Server
) -> None:
    application.configure(workers={"threads": 5, "processes": 2}, dispatchers={"batch_size": 20})
    enqueue_all([("jobs.note", (f"{number}",)) for number in range(1500)])
    enqueue_all([("jobs.note", (f"late {n}",)) for n in range(500)], wait=0.5)
    application.start()
    before = registered(application)

    # Long enough to hit everything at every moment; for ever, MariaDB would hardly get on.
    ended = 0
    while ended < 40 or (ended < 400 and len(application.ran()) < 2000):
        for connection in connections_to(server, application.database_url):
            end_connection(server, connection)
            ended += 1
            time.sleep(0.01)

    application.wait_until_jobs(finished=2000)
    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert len(application.ran()) == 2000
    wait_until(lambda: registered(application) == before, application, "all are still there")
    application.stop()
    assert_clean_termination(application)
