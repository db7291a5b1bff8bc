"""What people do on the board. Jobs are enqueued in the transaction of what they are about: both
are there, or neither is."""

from __future__ import annotations

from noticeboard.accounts import Account, Current, Member
from noticeboard.database import transaction
from noticeboard.jobs import DispatchWebhooks, NotifyMembers
from noticeboard.notices import Notice
from noticeboard.webhooks import Webhook


def open_account(name: str, *emails: str) -> Account:
    with transaction():
        account = Account.create(name=name)
        for email in emails:
            Member.create(account_id=account.id, email=email)
    return account


def subscribe(url: str) -> Webhook:
    return Webhook.create(account_id=Current.account().id, url=url)


def post(title: str, *tags: str) -> Notice:
    if not title.strip():
        raise ValueError("a notice needs a title")
    with transaction() as connection:
        notice = Notice.create(account_id=Current.account().id, title=title)
        for tag in tags:
            notice.tag(tag)
        DispatchWebhooks.using(connection=connection).enqueue(notice)
        NotifyMembers.using(connection=connection).enqueue(notice)
    return notice
