"""When a child that died may be replaced: at once, unless its like die young again and again.

Policy only; the supervisor forks. After a second death within `YOUNG` seconds of life the pauses
begin, and double each time, so that a worker that cannot even boot does not keep the machine busy
with forking.
"""

from __future__ import annotations

YOUNG = 5.0
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 60.0


class Throttle:
    """The pauses of one place among the children."""

    def __init__(self) -> None:
        self._young_deaths = 0

    def pause_after(self, lived: float) -> float:
        """Seconds to wait before the next one is forked, after one that lived so many seconds."""
        self._young_deaths = 0 if lived >= YOUNG else self._young_deaths + 1
        if self._young_deaths <= 1:
            return 0.0
        return float(min(_FIRST_PAUSE * 2 ** min(self._young_deaths - 2, 10), _LAST_PAUSE))
