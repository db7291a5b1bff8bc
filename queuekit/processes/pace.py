"""How soon a worker that has found nothing looks again.

    no hints       every `polling_interval`; for some seconds after work a tenth of that, but
                   not below 10 ms, since where there was work there may soon be more.

    hints come     when one comes, and once a second (or `polling_interval`, where that is longer)
                   in case that one was lost. After work and after a hint a few times at once:
                   whoever sends merges what he says within 10 ms.

    one was lost   as without hints, for a minute: whoever enqueues may send none, being of an
                   earlier version or told so.

A hint is worth a look, not more: when those before it came to nothing, because other workers were
faster or the jobs were of other queues, looks are up to `polling_interval` apart. So hints never
cost more than polling does.
"""

from __future__ import annotations

import time

from queuekit.processes.hints import LIVELY, Hints

#: Seconds between polls where hints come.
_SAFETY = 1.0

#: Seconds between polls soon after work, at the least, and for how much of the polling interval.
_SHORTEST, _SHORTENED = 0.01, 0.1

#: What has been merged is there some milliseconds after the hint: looked for so often, so long.
_MERGED_INTERVAL, _MERGED_FOR = 0.01, 0.05

#: The first pause after a hint that came to nothing; seconds without trust after a lost one.
_FIRST_PAUSE, _DISTRUST = 0.005, 60.0

_NEVER = float("-inf")


class Pace:
    """1. `may_look` unless a look would come too soon after others that were in vain.
    2. `look` before each look, and `looked` after it.
    3. `seconds` until the next one.
    """

    def __init__(self, interval: float, hints: Hints) -> None:
        self._interval = interval
        self._hints = hints
        self._is_by_hint = False
        self._sleeps_long = False
        self._pause = 0.0
        self._not_before = _NEVER
        self._worked_at = _NEVER
        self._heard_at = _NEVER
        self._distrusts_until = _NEVER

    def may_look(self) -> bool:
        return time.monotonic() >= self._not_before

    def look(self) -> None:
        self._is_by_hint = self._hints.take()

    def looked(self, *, found: bool, alone: bool) -> None:
        """Whether anything was found. It was looked for `alone`, or on the way, in a turn that had
        results to settle: what that finds may be about to be heard of."""
        now = time.monotonic()
        if self._is_by_hint:
            self._heard_at = now
        if found:
            if self._sleeps_long and alone and not self._is_by_hint:
                self._distrusts_until = now + _DISTRUST
            self._worked_at = now
            self._pause = 0.0
            self._hints.expect_more()
        elif self._is_by_hint:
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), self._interval)
            self._not_before = now + self._pause
        self._sleeps_long = False

    def seconds(self) -> float:
        now = time.monotonic()
        if self._hints.pending:
            return max(self._not_before - now, 0.0)
        if not self._hints.work or now < self._distrusts_until:
            if now - self._worked_at < LIVELY:
                return min(self._interval, max(self._interval * _SHORTENED, _SHORTEST))
            return self._interval
        if self._hints.merged and now - max(self._worked_at, self._heard_at) < _MERGED_FOR:
            return min(self._interval, _MERGED_INTERVAL)
        self._sleeps_long = True
        return max(self._interval, _SAFETY)
