"""Connections that are lost while an operator discards a job or releases a slot."""

from __future__ import annotations

import pytest

import queuekit
from tests.database.proxy import Proxy
from tests.database.test_losses_retries import on_the_wire
from tests.dialects.limited_jobs import one_at_a_time
from tests.dialects.sample_jobs import note
from tests.dialects.support import claim, configure, register, states

pytestmark = pytest.mark.databases("postgresql", "mariadb", "mysql")


@pytest.mark.parametrize("preserve", [True, False])
@pytest.mark.parametrize("place", [0, 1])
def test_a_discard_whose_commit_is_not_answered_was_done(
    proxy: Proxy, product: str, place: int, preserve: bool
) -> None:
    configure(preserve_finished_jobs=preserve)
    receipts = [one_at_a_time.enqueue("a") for _ in range(3)]
    proxy.lose_answer_to(on_the_wire("commit", product))

    queuekit.jobs.discard(receipts[place].job_id)

    assert proxy.losses == 1
    gone = receipts.pop(place)
    found = states()
    assert found.pop("finished", []) == ([gone.row_id] if preserve else [])
    assert found == {"ready": [receipts[0].row_id], "blocked": [receipts[1].row_id]}


def test_a_discard_that_never_reached_the_server_is_sent_again(proxy: Proxy, product: str) -> None:
    receipt = note.enqueue()
    proxy.lose_request(on_the_wire("commit", product))

    queuekit.jobs.discard(receipt.job_id)

    assert states() == {"finished": [receipt.row_id]}


def test_a_release_whose_commit_is_not_answered_was_done(proxy: Proxy, product: str) -> None:
    first, second, third = (one_at_a_time.enqueue("a") for _ in range(3))
    claim(register())
    proxy.lose_answer_to(on_the_wire("commit", product))

    assert queuekit.slots.release(first.job_id).ready == (second.job_id,)

    assert proxy.losses == 1
    assert states() == {
        "claimed": [first.row_id],
        "ready": [second.row_id],
        "blocked": [third.row_id],
    }
