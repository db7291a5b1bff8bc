"""Webhooks: told once, asked again after trouble, left alone when they do not want it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import OtherServer
from noticeboard import board
from noticeboard.accounts import Account
from noticeboard.jobs import DeliverWebhook, DispatchWebhooks
from noticeboard.notices import Notice
from noticeboard.webhooks import Delivery, ServerTroubleError, Webhook

from queuekit.testing import Jobs


def dispatch(jobs: Jobs) -> Delivery:
    """Post a notice, and have the only webhook's delivery enqueued."""
    board.post("Tea at four")
    jobs.perform_enqueued_jobs(only=DispatchWebhooks)
    return delivery()


def delivery() -> Delivery:
    (delivery,) = Delivery.where("true")
    return delivery


def test_each_active_webhook_gets_a_delivery(account: Account, jobs: Jobs) -> None:
    board.subscribe("http://one.test/")
    board.subscribe("http://two.test/")
    board.subscribe("http://three.test/").update(is_active=0)

    board.post("Tea at four")
    jobs.perform_enqueued_jobs(only=DispatchWebhooks)

    deliveries = Delivery.where("true")
    assert [(d.webhook.url, d.state) for d in deliveries] == [
        ("http://one.test/", "pending"),
        ("http://two.test/", "pending"),
    ]
    for one in deliveries:
        jobs.assert_enqueued_with(DeliverWebhook, args=(one,), queue="webhooks")


def test_a_webhook_is_told_and_told_once(account: Account, jobs: Jobs, server: OtherServer) -> None:
    board.subscribe(server.url)
    DeliverWebhook.enqueue(dispatch(jobs))

    assert jobs.perform_enqueued_jobs(only=DeliverWebhook) == 2

    assert server.told == ['{"notice": "Tea at four"}']
    assert delivery().state == "completed"


def test_trouble_is_waited_out(account: Account, jobs: Jobs, server: OtherServer) -> None:
    board.subscribe(server.url)
    server.answers = [503, 429]
    dispatch(jobs)

    jobs.perform_due_jobs(only=DeliverWebhook)
    assert delivery().state == "errored"
    assert delivery().error == "ServerTroubleError: it answered 503"
    jobs.assert_enqueued_with(DeliverWebhook, args=(delivery(),), at=timedelta(seconds=3))

    jobs.travel(timedelta(seconds=4))
    jobs.perform_due_jobs(only=DeliverWebhook)
    jobs.travel(timedelta(seconds=21))
    jobs.perform_due_jobs(only=DeliverWebhook)
    assert delivery().state == "completed"
    assert len(server.told) == 3


def test_after_the_fifth_time_somebody_has_to_look(
    account: Account, jobs: Jobs, server: OtherServer
) -> None:
    board.subscribe(server.url)
    server.answers = [500] * 9
    dispatch(jobs)

    with pytest.raises(ServerTroubleError):
        for _ in range(9):
            jobs.perform_enqueued_jobs(only=DeliverWebhook)

    jobs.assert_performed_jobs(5, only=DeliverWebhook)
    assert delivery().state == "errored"


@pytest.mark.parametrize(("status", "stays_active"), [(404, 1), (410, 0)])
def test_who_refuses_is_not_asked_again(
    account: Account, jobs: Jobs, server: OtherServer, status: int, stays_active: int
) -> None:
    board.subscribe(server.url)
    server.answers = [status]
    dispatch(jobs)

    jobs.perform_due_jobs(only=DeliverWebhook)

    jobs.assert_no_enqueued_jobs(only=DeliverWebhook)
    assert delivery().state == "errored"
    assert [webhook.is_active for webhook in Webhook.where("true")] == [stays_active]


def test_a_notice_that_was_removed_is_told_to_nobody(
    account: Account, jobs: Jobs, server: OtherServer
) -> None:
    board.subscribe(server.url)
    dispatch(jobs)
    (notice,) = Notice.where("true")
    notice.remove()

    assert jobs.perform_due_jobs(only=DeliverWebhook) == 1

    assert server.told == []
    jobs.assert_no_enqueued_jobs(only=DeliverWebhook)


def test_errors_are_sorted(account: Account, jobs: Jobs, server: OtherServer) -> None:
    server.server_close()
    board.subscribe(server.url)
    board.subscribe("http://nobody.invalid/")
    board.post("Tea at four")

    jobs.perform_due_jobs()

    assert [one.error for one in Delivery.where("true")] == [
        "NotReachedError: destination_unreachable",
        "NotReachedError: dns_lookup_failed",
    ]
    jobs.assert_enqueued_jobs(2, only=DeliverWebhook)
