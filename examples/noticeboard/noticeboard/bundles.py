"""Bundles: what a member has not been told yet, to be told in one mail when the bundle is due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from noticeboard.accounts import Account, Current, Member
from noticeboard.database import Record, transaction
from noticeboard.notices import Notice

#: Seconds from the first notice in a bundle to its mail.
DELAY = 30 * 60.0


@dataclass(frozen=True)
class Bundle(Record):
    account_id: int
    member_id: int
    due_at: float
    delivered_at: float | None

    table = "bundles"

    @property
    def account(self) -> Account:
        return Account.find(self.account_id)

    @property
    def notices(self) -> list[Notice]:
        return Notice.where("id in (select notice_id from bundled where bundle_id = ?)", self.id)

    def deliver(self) -> None:
        """Write the mail, unless somebody has. That is asked here, where nobody else writes: this
        record may be older."""
        with transaction() as connection:
            if Bundle.find(self.id).delivered_at is not None:
                return
            connection.execute(
                "insert into mails (recipient, subject, body) values (?, ?, ?)",
                (
                    Member.find(self.member_id).email,
                    f"New at {Current.account().name}",
                    "\n".join(notice.title for notice in self.notices),
                ),
            )
            self.update(delivered_at=time.time())


def add_to_bundles(notice: Notice) -> None:
    """Put a notice into the open bundle of each member. Doing it twice changes nothing."""
    with transaction() as connection:
        for member in Member.where("account_id = ?", notice.account_id):
            bundle = _open_bundle(member)
            connection.execute(
                "insert into bundled values (?, ?) on conflict do nothing", (bundle.id, notice.id)
            )


def _open_bundle(member: Member) -> Bundle:
    now = time.time()
    found = Bundle.where("member_id = ? and delivered_at is null and due_at > ?", member.id, now)
    if found:
        return found[0]
    return Bundle.create(account_id=member.account_id, member_id=member.id, due_at=now + DELAY)


def due_in_batches(size: int = 500) -> Iterator[list[Bundle]]:
    due = iter(Bundle.where("delivered_at is null and due_at <= ?", time.time()))
    while batch := list(islice(due, size)):
        yield batch
