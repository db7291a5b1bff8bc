"""What ps shows: the kind of process and what it was told, as in `queuekit worker queues=* ...`."""

from collections.abc import Mapping
from typing import Any

from setproctitle import setproctitle


def set_title(kind: str, metadata: Mapping[str, Any]) -> None:
    """Name this process for ps, top and pgrep."""
    details = " ".join(f"{key}={value}" for key, value in metadata.items())
    setproctitle(f"queuekit {kind.lower()} {details}".strip())
