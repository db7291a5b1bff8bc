"""Posting: the notice, its tags, and the jobs that are part of its transaction."""

from __future__ import annotations

import sqlite3

import pytest
from noticeboard import board
from noticeboard.accounts import Account
from noticeboard.jobs import DeleteUnusedTags, DispatchWebhooks, NotifyMembers
from noticeboard.notices import Tag

import queuekit
from queuekit.testing import Jobs


def test_posting_tells_the_webhooks_and_the_members(account: Account, jobs: Jobs) -> None:
    notice = board.post("Tea at four", "tea")

    jobs.assert_enqueued_with(DispatchWebhooks, args=(notice,), queue="webhooks")
    jobs.assert_enqueued_with(NotifyMembers, args=(notice,), queue="default")
    jobs.assert_enqueued_jobs(2)


def test_what_cannot_be_posted_tells_nobody(account: Account, jobs: Jobs) -> None:
    with pytest.raises(ValueError, match="needs a title"):
        board.post(" ")

    jobs.assert_no_enqueued_jobs()


def test_the_jobs_are_in_the_transaction_of_the_notice(
    account: Account, connection: sqlite3.Connection, queued_jobs: Jobs
) -> None:
    connection.execute("savepoint before_the_notice")
    board.post("Tea at four")
    assert queuekit.status.gather().jobs["ready"] == 2

    connection.execute("rollback to before_the_notice")

    queued_jobs.assert_no_enqueued_jobs()


def test_jobs_about_a_notice_that_was_removed_are_discarded(
    account: Account, queued_jobs: Jobs
) -> None:
    notice = board.post("Tea at four")
    notice.remove()

    assert queued_jobs.perform_enqueued_jobs() == 2

    queued_jobs.assert_no_enqueued_jobs()
    assert queuekit.failed.count() == 0


def test_unused_tags_are_deleted(account: Account, jobs: Jobs) -> None:
    board.post("Tea at four", "tea", "today")
    board.post("Coffee at five", "coffee", "today").remove()

    DeleteUnusedTags.perform_now()

    assert [tag.name for tag in Tag.where("true")] == ["tea", "today"]
