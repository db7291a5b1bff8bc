"""Job ids: UUIDs of version 7 (RFC 9562), whose text sorts by the time they were made."""

import os
import time
import uuid


def new_job_id() -> str:
    """A new id, in the usual form of 36 characters. Its time is this host's, for sorting only."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | 0x7 << 76 | (noise & 0xFFF) << 64 | 0b10 << 62 | noise >> 18
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def canonical(job_id: object) -> str | None:
    """An id in its usual form, however it was written; None for what cannot be one."""
    try:
        return str(uuid.UUID(job_id))  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        return None
