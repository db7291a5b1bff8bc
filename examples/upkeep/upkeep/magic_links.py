"""Links that somebody gets by mail to log in with. Each is good for a quarter of an hour."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from upkeep.database import transaction

GOOD_FOR = timedelta(minutes=15)


class MagicLink:
    """A row of magic_links."""

    @staticmethod
    def issue(email: str, good_for: timedelta = GOOD_FOR) -> str:
        """A new link's token."""
        token = secrets.token_urlsafe()
        with transaction() as connection:
            connection.execute(
                "insert into magic_links (email, token, expires_at) values (?, ?, ?)",
                (email, token, (datetime.now(UTC) + good_for).isoformat()),
            )
        return token

    @staticmethod
    def cleanup(limit: int = 500) -> int:
        """Delete the links that have expired, so many in a transaction; how many those were."""
        deleted, count = limit, 0
        while deleted == limit:
            with transaction() as connection:
                deleted = connection.execute(
                    "delete from magic_links where id in "
                    "(select id from magic_links where expires_at <= ? limit ?)",
                    (datetime.now(UTC).isoformat(), limit),
                ).rowcount
            count += deleted
        return count

    @staticmethod
    def count() -> int:
        with transaction() as connection:
            (count,) = connection.execute("select count(*) from magic_links").fetchone()
        return int(count)
