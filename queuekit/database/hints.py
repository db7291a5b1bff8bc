"""Hints: the word that jobs have become ready or were scheduled, for processes that wait for it.

It travels with the commit (`notify`), so that a transaction that rolls back tells nobody. Nothing
rests on it: a process that hears nothing polls.

PostgreSQL takes one lock of the whole database for each commit with a word in it. So a process says
the same at most once in `MERGED` seconds: whoever has just heard a word looks again for so long.
Not counted are words in a caller's transaction, which are heard when that commits, and no sooner.
"""

from __future__ import annotations

import time
from collections.abc import Collection

READY = "ready"
SCHEDULED = "scheduled"
KINDS = frozenset((READY, SCHEDULED))

#: Under this name words travel.
CHANNEL = "queuekit"

#: Seconds within which a process does not say again what it has said.
MERGED = 0.01


class Hints:
    """What this process says to one database, for all its threads: two that say the same at once do
    no harm."""

    def __init__(self, *, are_sent: bool) -> None:
        self.are_sent = are_sent
        self._last: dict[str, float] = {}

    def word(self, kinds: Collection[str], *, merged: bool = True) -> str | None:
        """What to send with the next commit, None for nothing. Of a long statement nobody knows
        when it commits: it is not `merged`, but speaks for itself."""
        if not (kinds and self.are_sent):
            return None
        due = time.monotonic() - MERGED
        if merged:
            kinds = [kind for kind in kinds if self._last.get(kind, due) <= due]
        return written(kinds) if kinds else None

    def sent(self, word: str | None) -> None:
        """Note that this was committed."""
        if word is not None:
            now = time.monotonic()
            for kind in read(word):
                self._last[kind] = now


def written(kinds: Collection[str]) -> str:
    return " ".join(sorted(kinds))


def read(word: str) -> frozenset[str]:
    """The kinds in a word; of one that a later version has sent, those that are known."""
    return KINDS.intersection(word.split())
