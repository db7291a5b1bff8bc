"""Sizes of memory as people write them: a number with its unit (`512 MB`, `1.5 GiB`).

A KB is 1,000 bytes and a KiB 1,024, as the standards have it. A letter alone (`512M`) is refused:
some programs mean the one by it and some the other.
"""

import re

# From the largest down.
_BYTES = {
    "TiB": 1024**4,
    "TB": 1000**4,
    "GiB": 1024**3,
    "GB": 1000**3,
    "MiB": 1024**2,
    "MB": 1000**2,
    "KiB": 1024,
    "KB": 1000,
    "bytes": 1,
}
_BY_LOWER_CASE = {name.lower(): unit for name, unit in _BYTES.items()}

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)[ .]?([a-z]{1,5})", re.IGNORECASE)


def parse_size(text: str) -> int | None:
    """The bytes that `text` means; None when it is not a number with a unit."""
    match = _SIZE.fullmatch(text.strip())
    unit = _BY_LOWER_CASE.get(match[2].lower()) if match else None
    if match is None or unit is None:
        return None
    return round(float(match[1]) * unit)


def format_size(size: int) -> str:
    """In the largest unit that needs no fraction: `512 MB`, `1536 MiB`, `1000001 bytes`."""
    for name, unit in _BYTES.items():
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
