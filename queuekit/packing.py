"""Jobs as the parameters of the queries that write them: columns of one, and lists as JSON.

A list has a row for each job, with everything that is said of it. Of jobs that share all but their
ids and arguments it has only these: a third of the bytes, and databases look up nothing by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from queuekit import arguments
from queuekit.database import DuplicateError
from queuekit.database.dialect import Dialect
from queuekit.description import SHARED, Description
from queuekit.receipts import Times

T = TypeVar("T")


def are_alike(descriptions: Sequence[Description]) -> bool:
    """Whether they are due at once, new and free of limits, and differ in nothing but ids and
    arguments: most lists are, since one call makes them."""
    first, *others = descriptions
    if not first.is_due_and_new:
        return False
    shared = first[SHARED]
    for other in others:  # noqa: SIM110 - `all` takes twice the time
        if other[SHARED] != shared:
            return False
    return True


def columns(description: Description) -> dict[str, Any]:
    """What every query has of a job that it writes."""
    own = shared_columns(description)
    own["uuid"] = description.job_id
    own["arguments"] = description.arguments
    return own


def shared_columns(description: Description) -> dict[str, Any]:
    """The same but for what is one job's own."""
    return {
        "queue_name": description.queue,
        "class_name": description.class_name,
        "priority": description.priority,
        "max_process_deaths": description.max_process_deaths,
        "context": description.context,
    }


def entries(descriptions: Sequence[Description], dialect: Dialect, size: int) -> Iterator[str]:
    """The ids and arguments as JSON, in parts of about so many characters.

    Raises DuplicateError, as the database would, when a job is among them twice.
    """
    by_id = {description.job_id: description.arguments for description in descriptions}
    if len(by_id) < len(descriptions):
        raise DuplicateError("a job is to be written twice")
    if sum(map(len, by_id.values())) <= size:
        yield arguments.encode(dialect.entries(by_id))
    else:
        for part in _cut(by_id.items(), size, lambda item: len(item[1])):
            yield arguments.encode(dialect.entries(dict(part)))


def rows(descriptions: Sequence[Description], times: Times, size: int) -> Iterator[str]:
    """All that is said of the jobs as JSON arrays of about so many characters."""
    encoded = (arguments.encode(_row(description, times)) for description in descriptions)
    for part in _cut(encoded, size, len):
        yield f"[{','.join(part)}]"


def _cut(items: Iterable[T], size: int, length: Callable[[T], int]) -> Iterator[list[T]]:
    part: list[T] = []
    used = 0
    for item in items:
        if part and used + length(item) > size:
            yield part
            part, used = [], 0
        part.append(item)
        used += length(item)
    yield part


def _row(description: Description, times: Times) -> dict[str, Any]:
    row = {name: value for name, value in columns(description).items() if value is not None}
    if description.executions:
        row["executions"] = description.executions
        row["exception_executions"] = description.exception_executions
    if description.limit is not None:
        key, to, duration, on_conflict = description.limit
        row["concurrency_key"] = key
        row["concurrency_limit"] = to
        row["concurrency_duration"] = duration
        if on_conflict is not None:
            row["concurrency_on_conflict"] = on_conflict
    if description.throttle is not None:
        row["throttle_key"], row["throttle_to"], row["throttle_per"] = description.throttle
    if description.wait is not None:
        row["wait"] = description.wait
    if description.at is not None:
        row["at"] = times.to_database(description.at)
    return row
