"""Notices and their tags."""

from __future__ import annotations

from dataclasses import dataclass

from noticeboard.database import Record, transaction


@dataclass(frozen=True)
class Notice(Record):
    account_id: int
    title: str

    table = "notices"

    def tag(self, name: str) -> None:
        with transaction() as connection:
            connection.execute("insert into tags (name) values (?) on conflict do nothing", (name,))
            connection.execute(
                "insert into taggings select ?, id from tags where name = ? on conflict do nothing",
                (self.id, name),
            )

    def remove(self) -> None:
        """With all that was to be said of it. Tags that nothing has any more stay: see
        `delete_unused_tags`."""
        with transaction() as connection:
            for table in ("taggings", "deliveries", "bundled"):
                connection.execute(f"delete from {table} where notice_id = ?", (self.id,))
            connection.execute("delete from notices where id = ?", (self.id,))


@dataclass(frozen=True)
class Tag(Record):
    name: str

    table = "tags"


def delete_unused_tags() -> int:
    """Delete the tags that no notice has; how many those were."""
    with transaction() as connection:
        return connection.execute(
            "delete from tags where id not in (select tag_id from taggings)"
        ).rowcount
