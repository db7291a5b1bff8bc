"""The network falls silent without a word: connections that look alive and answer nothing.

Nobody waits for an answer longer than a third of the alive threshold, so that there is time to try
another connection before others take the process for dead.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.clusters import Cluster
from tests.dialects.support import ask
from tests.stories.promises import assert_clean_termination, assert_failed
from tests.stories.proxy import Proxy
from tests.stories.support import Application, enqueue_all, wait_until
from tests.stories.test_servers_gone import TALKERS, registered, said, wait_until_all_said


@pytest.fixture
def proxy(killable_server: Cluster) -> Iterator[Proxy]:
    with Proxy(killable_server.port) as proxy:
        yield proxy


def configure(application: Application, proxy: Proxy, threshold: float) -> None:
    """The application's processes go through the proxy; the test itself does not."""
    application.configure(
        database_url=proxy.url(application.database_url, connect_timeout=2),
        process_heartbeat_interval=0.5,
        process_alive_threshold=threshold,
        workers={"threads": 2},
    )


def test_connections_that_fall_silent_are_replaced_before_anybody_is_pruned(
    killable_application: Application, proxy: Proxy
) -> None:
    application = killable_application
    configure(application, proxy, threshold=4.5)
    application.start()
    before = registered(application)
    enqueue_all([("jobs.wait", ("one",)), ("jobs.wait", ("two",))])
    enqueue_all([("jobs.note", ("late",))], wait=1)
    application.wait_until_ran("one began", "two began")

    proxy.strand()
    stranded_at = time.monotonic()
    application.open()

    application.wait_until_jobs(finished=3)
    wait_until(lambda: time.monotonic() > stranded_at + 6.5, application, "6.5 s have passed")
    assert registered(application) == before
    assert "Buried" not in application.printed()
    enqueue_all([("jobs.note", ("afterwards",))])
    application.wait_until_jobs(finished=4)
    assert Counter(application.ran()).most_common(1)[0][1] == 1
    application.stop()
    assert_clean_termination(application)


def test_a_job_that_tells_its_progress_into_the_silence_ends_soon_all_the_same(
    killable_application: Application, proxy: Proxy
) -> None:
    """Its own connection, too, counts as lost when it has said nothing for a while."""
    application = killable_application
    configure(application, proxy, threshold=4.5)
    application.start()
    enqueue_all([("jobs.wait_and_tell", ("it",))])
    application.wait_until_ran("it began")

    proxy.strand()
    application.open()

    wait_until(lambda: application.jobs() == {"finished": 1}, application, "it ends", patience=20)
    assert ask("select done, total from queuekit_progress") == [(2, 3)]
    application.stop()
    assert_clean_termination(application)


def test_a_network_that_falls_silent_and_speaks_again_is_one_outage(
    killable_application: Application, proxy: Proxy
) -> None:
    application = killable_application
    configure(application, proxy, threshold=12)
    application.start()
    before = registered(application)
    enqueue_all([("jobs.wait", ("one",)), ("jobs.wait", ("two",))])
    application.wait_until_ran("one began", "two began")

    proxy.freeze()
    application.open()
    wait_until_all_said(application, "waits for the database")
    enqueue_all([("jobs.note", (f"{number}",)) for number in range(20)])
    proxy.thaw()  # what was sent meanwhile, turns among it, is carried out after all

    application.wait_until_jobs(finished=22)
    wait_until_all_said(application, "can use the database again")
    assert said(application, "waits for the database") == Counter(TALKERS)
    assert Counter(application.ran()).most_common(1)[0][1] == 1
    assert registered(application) == before
    application.stop()
    assert_clean_termination(application)


def test_who_was_silent_for_too_long_is_pruned_and_its_late_results_change_nothing(
    killable_application: Application, proxy: Proxy
) -> None:
    application = killable_application
    configure(application, proxy, threshold=3)
    application.start()
    (receipt,) = enqueue_all([("jobs.wait", ("one",))])
    application.wait_until_ran("one began")
    cut_off = application.worker()

    proxy.freeze()
    other = Application(application.folder.with_name("other"), application.database_url)
    other.configure(process_heartbeat_interval=0.5, process_alive_threshold=3)
    try:
        other.start()
        other.wait_until_jobs(failed=1)
        assert_failed(receipt, "queuekit.errors.ProcessPrunedError", f"Worker {cut_off.pid} on ")
        other.wait_until_printed("Buried ", times=3)
        application.open()
        application.wait_until_ran("one ended")
        proxy.thaw()

        application.wait_until_printed("was taken for dead and pruned", times=3)
        wait_until(lambda: len(registered(application)) == 6, application, "all register again")
        assert application.jobs() == {"failed": 1}
        other.stop()
        enqueue_all([("jobs.note", ("afterwards",))])
        application.wait_until_ran("afterwards")
    finally:
        other.close()
    application.stop()
    assert_clean_termination(application)
