"""Unique jobs whose commit is not answered: they are sent again, and the receipts are the same."""

from __future__ import annotations

import pytest

import queuekit
from queuekit import Receipt, application, enqueueing
from tests.database.proxy import Proxy
from tests.dialects.sample_jobs import note
from tests.dialects.support import ask, claim, counts, finished, register, take
from tests.dialects.unique_jobs import never_waits, one_at_a_time, refresh

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")


@pytest.fixture(autouse=True)
def connected(proxy: Proxy) -> None:
    note.enqueue("connected")
    worker = register()
    take(worker, [finished(*claim(worker))], preserve_finished=False)


def test_the_job_is_enqueued_once_and_not_its_own_duplicate(proxy: Proxy) -> None:
    proxy.lose_answer_to("commit")

    receipt = refresh.using(wait=60).enqueue("a")

    assert proxy.losses == 1
    assert receipt.status == "enqueued"
    ((job_id, row_id, scheduled_at),) = ask("select uuid, id, scheduled_at from queuekit_jobs")
    assert (str(job_id), row_id) == (receipt.job_id, receipt.row_id)
    assert application.database().from_database(scheduled_at) == receipt.scheduled_at
    assert refresh.enqueue("a").job_id == receipt.job_id


def test_a_request_that_never_arrived_is_sent_again(proxy: Proxy) -> None:
    proxy.lose_request("commit")

    receipt = refresh.enqueue("a")

    assert (proxy.losses, receipt.status) == (1, "enqueued")
    assert counts() == {"ready": 1}


@pytest.mark.parametrize("size", [2_000_000, 1000])
def test_of_many_each_has_the_receipt_it_would_have_had(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(enqueueing, "_PARAMETER_SIZE", size)
    before = refresh.enqueue("before")
    proxy.lose_answer_to("commit")

    jobs = [refresh.bind(key) for key in ("a", "before", "a", "b")]
    receipts = queuekit.enqueue_all([*jobs, note.bind(), one_at_a_time.bind("x")])

    assert proxy.losses == 1
    assert [receipt.status for receipt in receipts] == [
        *("enqueued", "existing", "existing", "enqueued", "enqueued", "enqueued")
    ]
    assert receipts[1] == Receipt(before.job_id, before.row_id, "default", None, "existing")
    assert receipts[2].row_id == receipts[0].row_id
    assert counts() == {"ready": 5}


def test_where_all_are_there_already_they_still_are(proxy: Proxy) -> None:
    first = refresh.enqueue("a")
    proxy.lose_answer_to("commit")

    again = refresh.enqueue("a")

    assert proxy.losses == 1
    assert (again.status, again.job_id) == ("existing", first.job_id)


def test_one_that_its_limit_discards_is_discarded(proxy: Proxy) -> None:
    never_waits.enqueue("a")
    proxy.lose_answer_to("commit")

    receipt = never_waits.enqueue("b")

    assert (proxy.losses, receipt.status) == (1, "discarded")
