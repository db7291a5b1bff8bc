"""When jobs began: they write it into one file, whichever process runs them.

A stamp is two numbers of 8 bytes: when the job was sent, or due, which it got as its argument, and
when it began. Both are of the monotonic clock, which all processes of a machine share and nobody
sets. Writes of a few bytes to the end of a file do not mix. It costs the job a few microseconds,
whoever runs it: also in other libraries, for whose sake nothing is imported here.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

VARIABLE = "BENCHMARK_STAMPS"

_STAMP = struct.Struct("<dd")

_file: int | None = None


class Stamp(NamedTuple):
    sent_at: float
    began_at: float

    @property
    def milliseconds(self) -> float:
        """How long the job has waited."""
        return (self.began_at - self.sent_at) * 1000


def mark(sent_at: float) -> None:
    """What a job does."""
    global _file
    now = time.monotonic()
    if _file is None:
        _file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND)
    os.write(_file, _STAMP.pack(sent_at, now))


class Stamps:
    """The file, for who reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.environment = {VARIABLE: str(path)}

    def __len__(self) -> int:
        return self._path.stat().st_size // _STAMP.size

    def read(self) -> list[Stamp]:
        return [Stamp(*numbers) for numbers in _STAMP.iter_unpack(self._path.read_bytes())]


@contextmanager
def new_file() -> Iterator[Stamps]:
    with tempfile.TemporaryDirectory(prefix="queuekit-benchmark-") as folder:
        path = Path(folder, "stamps")
        path.touch()
        path.chmod(0o666)
        yield Stamps(path)
