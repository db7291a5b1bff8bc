"""The supervisor's table of children: which places there are, and who fills each. No system calls.

A place is one configured process; its occupant changes when a child dies and another is forked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from queuekit.config import Configuration, DispatcherSettings, WorkerSettings
from queuekit.processes.throttle import Throttle

Settings = WorkerSettings | DispatcherSettings


@dataclass
class Place:
    """One process that is to be running."""

    settings: Settings
    pid: int | None = None
    forked_at: float = 0.0
    may_fork_at: float = 0.0
    throttle: Throttle = field(default_factory=Throttle)


class Children:
    """All places, and the children that fill them."""

    def __init__(self, configuration: Configuration) -> None:
        self._places = [
            *(Place(settings) for settings in configuration.dispatchers),
            *(
                Place(settings)
                for settings in configuration.workers
                for _ in range(settings.processes)
            ),
        ]

    def __len__(self) -> int:
        """How many children there are."""
        return len(self.pids())

    def pids(self) -> list[int]:
        return [place.pid for place in self._places if place.pid is not None]

    def vacant(self, now: float) -> Iterator[Place]:
        """The places that have nobody and may be filled at this moment."""
        return (place for place in self._places if place.pid is None and place.may_fork_at <= now)

    def next_vacancy(self) -> float | None:
        """The next moment at which an empty place may be filled."""
        return min((place.may_fork_at for place in self._places if place.pid is None), default=None)

    def forked(self, place: Place, pid: int, now: float) -> None:
        place.pid = pid
        place.forked_at = now

    def died(self, pid: int, now: float) -> bool:
        """Note that a child has died. False when it was not one of ours."""
        place = next((place for place in self._places if place.pid == pid), None)
        if place is None:
            return False
        place.pid = None
        place.may_fork_at = now + place.throttle.pause_after(now - place.forked_at)
        return True
