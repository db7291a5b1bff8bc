"""What a process has used, as Linux tells it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.running import BenchmarkError

_MEGABYTE = 1_000_000


def memory(pid: int, what: str) -> float:
    """Megabytes of memory: Rss is what is resident, Pss this process's share of it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise BenchmarkError(f"/proc/{pid}/smaps_rollup has no {what}")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time, user's and system's, that these processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
