"""Names of test cases that are the same in every process of a run: no addresses, no process ids."""

from __future__ import annotations

import os
import re


def case_name(value: object, limit: int | None = None) -> str:
    """What a test case with this value is called."""
    text = value if isinstance(value, str) else repr(value)
    return re.sub(rf" at 0x[0-9a-f]+|\b{os.getpid()}\b", "", text)[:limit]
