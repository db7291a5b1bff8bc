"""Bundles: one mail for each member, once it is due, from the account that it is about."""

from __future__ import annotations

from noticeboard import board
from noticeboard.accounts import Account, Current
from noticeboard.bundles import Bundle
from noticeboard.database import transaction
from noticeboard.jobs import DeliverBundle, DeliverBundles

from queuekit.testing import Jobs


def mails() -> list[tuple[str, str, str]]:
    with transaction() as connection:
        return connection.execute(
            "select recipient, subject, body from mails order by id"
        ).fetchall()


def become_due() -> None:
    for bundle in Bundle.where("delivered_at is null"):
        bundle.update(due_at=0)


def test_notices_are_bundled_until_the_bundle_is_due(account: Account, jobs: Jobs) -> None:
    board.post("Tea at four")
    board.post("Cake at five")
    jobs.perform_due_jobs()
    DeliverBundles.enqueue()
    jobs.perform_due_jobs()
    assert mails() == []

    become_due()
    DeliverBundles.enqueue()
    jobs.perform_due_jobs()

    assert mails() == [
        ("ada@example.org", "New at Tea House", "Tea at four\nCake at five"),
        ("grace@example.org", "New at Tea House", "Tea at four\nCake at five"),
    ]


def test_each_mail_is_its_own_accounts(account: Account, jobs: Jobs) -> None:
    """The job that looks for what is due acts for nobody."""
    for other in (account, board.open_account("Coffee Bar", "mary@example.org")):
        with Current.acting_for(other):
            board.post(f"Hello from {other.name}")
    jobs.perform_due_jobs()
    become_due()

    DeliverBundles.perform_now()
    jobs.perform_due_jobs()

    assert [(recipient, subject) for recipient, subject, _ in mails()] == [
        ("ada@example.org", "New at Tea House"),
        ("grace@example.org", "New at Tea House"),
        ("mary@example.org", "New at Coffee Bar"),
    ]


def test_nobody_gets_a_mail_twice(account: Account, queued_jobs: Jobs) -> None:
    board.post("Tea at four")
    queued_jobs.perform_due_jobs()
    become_due()

    DeliverBundles.enqueue()
    DeliverBundles.enqueue()
    queued_jobs.perform_due_jobs()

    queued_jobs.assert_performed_jobs(4, only=DeliverBundle)
    assert len(mails()) == 2


def test_nobody_gets_a_mail_twice_from_two_jobs_at_once(account: Account, jobs: Jobs) -> None:
    """Both have loaded the bundle before either writes."""
    board.post("Tea at four")
    jobs.perform_due_jobs()
    one, other = Bundle.where("true"), Bundle.where("true")

    for bundle in (*one, *other):
        bundle.deliver()

    assert len(mails()) == 2
