"""Whose board it is. Code acts for an account, and so do the jobs that it enqueues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import queuekit
from noticeboard.database import Record

_account: ContextVar[Account | None] = ContextVar("account", default=None)


@dataclass(frozen=True)
class Account(Record):
    name: str

    table = "accounts"


@dataclass(frozen=True)
class Member(Record):
    account_id: int
    email: str

    table = "members"


class Current:
    """What the code that runs now acts for."""

    @staticmethod
    def account() -> Account:
        account = _account.get()
        if account is None:
            raise LookupError("no account: wrap this in Current.acting_for(account)")
        return account

    @staticmethod
    @contextmanager
    def acting_for(account: Account) -> Iterator[None]:
        token = _account.set(account)
        try:
            yield
        finally:
            _account.reset(token)


# What is current when a job is enqueued is current again when it runs.
queuekit.propagate("account", capture=_account.get, restore=Current.acting_for)
