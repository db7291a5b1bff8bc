"""The jobs of this application. Workers find them here by their import path, `jobs.count_words`."""

from __future__ import annotations

import words

import queuekit


@queuekit.job
def count_words(path: str) -> None:
    """Hash a file, count its words, and write both down.

    A job can run twice: when its process dies before the queue knows that it is done, it may be
    retried. So its result replaces a row, and adds nothing to what is there.
    """
    words.record(path, words.measure(path))
