"""Receipts: what enqueueing returns, made of the rows that were written or found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from queuekit import application
from queuekit.database import Row
from queuekit.description import Description
from queuekit.executions import semaphores
from queuekit.executions.unique_keys import Holder


@dataclass(frozen=True, slots=True)
class Receipt:
    """What enqueueing returns.

    `job_id` is the job's id for the API and the command line, shared by all its attempts; `row_id`
    the row of this first attempt; `scheduled_at` the time it waits for, None when it runs at once.
    `status` is "enqueued"; "blocked" when it waits for a slot of its concurrency limit; "discarded"
    when its limit says so of a job that finds none; "deferred" when the job is written after the
    commit of the transaction that is open; "aborted" when a callback did not let it happen. Those
    deferred or aborted have no row, and those discarded only where finished jobs are kept.

    "existing" says that nothing was written, since another job has its unique key: the rest is that
    job's, with `row_id` the row of its newest attempt, None when that is gone.
    """

    job_id: str
    row_id: int | None
    queue: str
    scheduled_at: datetime | None = None
    status: Literal["enqueued", "blocked", "existing", "discarded", "deferred", "aborted"] = (
        "enqueued"
    )

    @property
    def is_enqueued(self) -> bool:
        """Whether the job was written, and is going to run."""
        return self.status in ("enqueued", "blocked")

    @property
    def is_existing(self) -> bool:
        """Whether it is the receipt of a job that was there already."""
        return self.status == "existing"


def receipt_of_one(description: Description, row_id: int) -> Receipt:
    """The receipt of a job that was due at once. Made without the class's own `__init__`, which
    goes through names and takes twice the time: in bulk there is one for each job."""
    receipt = object.__new__(Receipt)
    _set_job_id(receipt, description.job_id)
    _set_row_id(receipt, row_id)
    _set_queue(receipt, description.queue)
    _set_scheduled_at(receipt, None)
    _set_status(receipt, "enqueued")
    return receipt


_set_job_id, _set_row_id, _set_queue, _set_scheduled_at, _set_status = (
    vars(Receipt)[field.name].__set__ for field in fields(Receipt)
)


class Times(Protocol):
    """Whoever knows how times travel: a database, or the dialect of a caller's connection."""

    def to_database(self, moment: datetime) -> str | float: ...
    def from_database(self, value: Any) -> datetime | None: ...


def receipts(
    descriptions: Sequence[Description],
    rows: list[Row],
    times: Times,
    states: Mapping[int, str],
    holders: Mapping[str, Holder],
) -> list[Receipt]:
    """The receipts of these jobs, from their rows where they were written, from where those with a
    concurrency limit were placed, and from who had the unique keys of the others."""
    found = {str(row[0]): (row[1], row[2]) for row in rows}
    firsts: dict[str, Receipt] = {}
    made = []
    for description in descriptions:
        key = None if description.unique is None else description.unique.key
        if key is not None and key in firsts:
            receipt = _receipt_of_same(description, firsts[key])
        elif description.job_id in found:
            receipt = _receipt(description, *found[description.job_id], times, states)
        elif key is not None and key in holders:
            receipt = _receipt_of_holder(description, holders[key], times)
        else:
            # Asked for after a lost answer, and not kept.
            status: Literal["enqueued", "discarded"] = (
                "enqueued" if description.limit is None else "discarded"
            )
            receipt = Receipt(description.job_id, None, description.queue, status=status)
        if key is not None:
            firsts.setdefault(key, receipt)
        made.append(receipt)
    return made


def _receipt_of_same(description: Description, first: Receipt) -> Receipt:
    """Of a job with the key of another one that came with it."""
    if first.status == "discarded":
        return Receipt(description.job_id, None, description.queue, status="discarded")
    return replace(first, status="existing")


def _receipt_of_holder(description: Description, holder: Holder, times: Times) -> Receipt:
    # After a lost answer the holder may be this very job, which has ended and is not kept.
    is_own = holder.job_id == description.job_id
    return Receipt(
        holder.job_id,
        holder.row_id,
        holder.queue,
        times.from_database(holder.scheduled_at),
        "enqueued" if is_own else "existing",
    )


def _receipt(
    description: Description,
    row_id: int,
    scheduled_at: Any,
    times: Times,
    states: Mapping[int, str],
) -> Receipt:
    state = states.get(row_id)
    if state == semaphores.DISCARDED:
        keeps = application.configuration().preserve_finished_jobs
        return Receipt(
            description.job_id, row_id if keeps else None, description.queue, status="discarded"
        )
    return Receipt(
        description.job_id,
        row_id,
        description.queue,
        times.from_database(scheduled_at) if description.is_scheduled else None,
        "blocked" if state == semaphores.BLOCKED else "enqueued",
    )
