"""Jobs to enqueue. They are claimed and settled by the tests, never run."""

from __future__ import annotations

from typing import Any

import queuekit


@queuekit.job
def note(value: Any = None, **more: Any) -> None: ...


@queuekit.job(queue="mailers", priority=5)
def mail(user_id: int) -> None: ...


class Export(queuekit.Job):
    queue = "exports"
    priority = 7

    def perform(self, account_id: int, *, full: bool = False) -> None: ...
