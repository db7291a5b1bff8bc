"""Uniqueness as a job declares it: of the jobs with one key only the first is enqueued.

    @queuekit.job(unique=Unique("account_id"))
    def refresh(account_id: int) -> None: ...

What it does is in `executions/unique_keys.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from queuekit.checks import in_seconds, unusable_span
from queuekit.keys import MAX_KEY_LENGTH, Call, Key, key_of, unusable_key

_DIGEST_LENGTH = 64


class HeldUnique(NamedTuple):
    """The uniqueness of one job: its key, whether a job that runs counts, too, and for how many
    seconds the first counts in any case."""

    key: str
    counts_running: bool
    window: float | None


@dataclass(frozen=True)
class Unique:
    """Of the jobs with the same key there is one at a time: enqueueing another returns the receipt
    of the one that is there, marked as existing, and writes nothing.

    `key` is as for a Limit: the name of an argument or attribute, a text, or a function of the
    job's arguments. Without one it is all arguments, as they are given: one left out is not the
    same as its default. Keys are the job's own: jobs of different names never meet.

    With `while_="pending"` a job is there until it begins to run: while it is scheduled, ready or
    blocked, or waits to be retried. So whatever is committed before a job is enqueued is seen by a
    run that begins afterwards. With "pending_or_running" it is there until it has ended. A job that
    has failed has ended; retried by hand, it runs even when another has been enqueued meanwhile.

    With `window` (a timedelta or seconds) the first counts for that long after it was enqueued,
    too, whatever has become of it: finished, failed, discarded or cleared.

    With `using(connection=...)` the key stays locked until the caller's transaction ends, and
    whoever enqueues the same meanwhile waits for it, as at any unique index: two transactions that
    take two keys in opposite order can deadlock, and `enqueue_all` takes those of its jobs in their
    order. A pending job that was found there is not begun before that transaction ends, either,
    except one that is blocked by a concurrency limit: this may get its slot at any time.
    """

    key: Key | None = None
    while_: Literal["pending", "pending_or_running"] = "pending"
    window: timedelta | float | None = None

    def problem(self) -> str | None:
        """Why this cannot be; None when it can."""
        return (
            (None if self.key is None else unusable_key(self.key))
            or _unusable_while(self.while_)
            or (None if self.window is None else unusable_span("window", self.window))
        )

    def held(self, call: Call, stored_arguments: str, names: Sequence[str]) -> HeldUnique:
        """The uniqueness of one job. `names` are what arguments by position are called.

        Raises EnqueueOptionError when there is no key for it.
        """
        if self.key is None:
            key = _key_of_all(call.name, stored_arguments, names)
        else:
            key = key_of("unique key", self.key, None, call)
        return HeldUnique(key, self.while_ == "pending_or_running", in_seconds(self.window))


def _key_of_all(name: str, stored_arguments: str, names: Sequence[str]) -> str:
    """A key of all arguments. By position or by name, and dicts in whatever order, are the same."""
    given = json.loads(stored_arguments)
    args, kwargs = given["args"], given["kwargs"]
    named = dict(zip(names, args, strict=False))
    if not named.keys() & kwargs.keys():
        args, kwargs = args[len(names) :], named | kwargs
    text = json.dumps([name, args, kwargs], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{name[: MAX_KEY_LENGTH - _DIGEST_LENGTH - 1]}/{digest}"


def _unusable_while(while_: Any) -> str | None:
    if while_ in ("pending", "pending_or_running"):
        return None
    return f"while_ is 'pending' or 'pending_or_running', not {while_!r}"
