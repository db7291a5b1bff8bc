"""Checks what the jobs have written against a plain loop over the same files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import printing
import words
from words import Measure


class Totals(NamedTuple):
    files: int
    bytes: int
    words: int
    contents: int
    unreadable: int


def check(paths: Sequence[str]) -> bool:
    """Print both totals. Whether they, and every single file's, are the same.

    A file that was changed between its job and the loop is named, and left out of both.
    """
    by_jobs = words.recorded()
    by_loop = {path: words.measure(path) for path in paths}
    changed = {path for path in by_jobs if _was_changed(by_jobs[path], by_loop[path])}
    different = [
        path for path in paths if path not in changed and by_jobs.get(path) != by_loop[path]
    ]
    jobs_totals, loop_totals = _totals(by_jobs, changed), _totals(by_loop, changed)

    printing.name("changed meanwhile, not compared", sorted(changed))
    printing.name(
        "unreadable", [f"{path}: {m.problem}" for path, m in by_loop.items() if m.problem]
    )
    printing.name("different", different)
    _print({"jobs": jobs_totals, "plain loop": loop_totals})
    is_same = jobs_totals == loop_totals and not different
    print("The results are the same." if is_same else "The results differ.")
    return is_same


def _was_changed(before: Measure, after: Measure) -> bool:
    """Whether a file was written to, removed or put back between its job and the loop."""
    if before.problem or after.problem:
        return before.is_missing or after.is_missing
    return before.changed_at != after.changed_at


def _totals(measures: Mapping[str, Measure], left_out: Collection[str]) -> Totals:
    counted = [measure for path, measure in measures.items() if path not in left_out]
    readable = [measure for measure in counted if not measure.problem]
    return Totals(
        files=len(counted),
        bytes=sum(measure.size for measure in readable),
        words=sum(measure.words for measure in readable),
        contents=len({measure.digest for measure in readable}),
        unreadable=len(counted) - len(readable),
    )


def _print(totals: Mapping[str, Totals]) -> None:
    print(f"{'':10}" + "".join(f"{heading:>16}" for heading in Totals._fields))
    for name, row in totals.items():
        print(f"{name:10}" + "".join(f"{number:16,}" for number in row))
