"""When a child that died may be replaced: at once, unless it died young.

Policy only; the supervisor forks. One that lived for less than `YOUNG` seconds is replaced after a
pause that doubles each time, so that a worker that cannot even boot does not keep the machine busy
with forking.
"""

from __future__ import annotations

YOUNG = 5.0
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 60.0


class Throttle:
    """The pauses of one place among the children."""

    def __init__(self) -> None:
        self._pause = 0.0

    def pause_after(self, lived: float) -> float:
        """Seconds to wait before the next one is forked, after one that lived so many seconds."""
        if lived >= YOUNG:
            self._pause = 0.0
        else:
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LAST_PAUSE)
        return self._pause
