"""The supervisor's table of children: which places there are, and who fills each. No system calls.

A place is one configured process; its occupant changes when a child ends and another is forked.
When the configuration is reloaded there are new places, and the old ones retire one at a time: each
gives way to a new one, and the next follows when that one has registered.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from queuekit.config import Configuration, DispatcherSettings, WorkerSettings
from queuekit.processes.scheduler import Scheduling
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.throttle import Throttle

Settings = WorkerSettings | DispatcherSettings | Scheduling

_KINDS = {
    WorkerSettings: "Worker",
    DispatcherSettings: "Dispatcher",
    Scheduling: "Scheduler",
}


def kind_of(settings: Settings) -> str:
    return _KINDS[type(settings)]


@dataclass(eq=False)
class Place:
    """One process that is to be running.

    `told` is the last signal by which the supervisor has ended the child, `deadline` when it has to
    be gone; None and infinity for one that may go on. `hanging_since` is when it was first seen
    without a sign of life for too long; `is_killed` says that it has been sent KILL.
    """

    settings: Settings
    pid: int | None = None
    scoreboard: Scoreboard | None = None
    forked_at: float = 0.0
    may_fork_at: float = 0.0
    told: signal.Signals | None = None
    deadline: float = float("inf")
    hanging_since: float | None = None
    is_killed: bool = False
    throttle: Throttle = field(default_factory=Throttle)

    @property
    def kind(self) -> str:
        return kind_of(self.settings)

    @property
    def claims(self) -> int:
        """How many claims its occupant may hold at a time, those being settled included."""
        return self.settings.claims if isinstance(self.settings, WorkerSettings) else 0


class Children:
    """All places, and the children that fill them. `scheduling` is None where no scheduler is to
    run."""

    def __init__(self, configuration: Configuration, scheduling: Scheduling | None = None) -> None:
        self._places = _places(configuration, scheduling)
        self._retiring: list[Place] = []

    def reconfigure(
        self, configuration: Configuration, scheduling: Scheduling | None = None
    ) -> None:
        """Have the places of another configuration, and let those there are retire."""
        self._retiring += [place for place in self._places if place.pid is not None]
        self._places = _places(configuration, scheduling)

    def occupied(self) -> list[Place]:
        """The places that have a child, those that retire included."""
        return [place for place in (*self._places, *self._retiring) if place.pid is not None]

    def vacant(self, now: float) -> Iterator[Place]:
        """The places to be filled now. While old ones retire, there are never more children than
        places, so that a reload does not ask for twice the memory."""
        room = len(self._places) - len(self.occupied())
        waiting = [place for place in self._places if place.pid is None]
        return (place for place in waiting[: max(room, 0)] if place.may_fork_at <= now)

    def next_vacancy(self) -> float | None:
        """The next moment at which an empty place may be filled."""
        return min((place.may_fork_at for place in self._places if place.pid is None), default=None)

    def next_to_retire(self) -> Place | None:
        """The child to end next for a reload: one at a time, and none before the replacement of the
        one before it has registered."""
        if not self._retiring or any(place.told is not None for place in self._retiring):
            return None
        if len(self.occupied()) < len(self._places):
            return None
        replaced = [place for place in self._places if place.pid is not None]
        if not all(place.scoreboard and place.scoreboard.is_registered for place in replaced):
            return None
        return self._retiring[0]

    @property
    def is_retiring(self) -> bool:
        """Whether a reload is still under way."""
        return bool(self._retiring)

    def all_registered(self) -> bool:
        """Whether every place is filled by a child that has registered."""
        return all(
            place.scoreboard is not None and place.scoreboard.is_registered
            for place in self._places
        )

    def overdue(self, now: float) -> list[Place]:
        """The children that should be gone by now."""
        return [place for place in self.occupied() if now >= place.deadline]

    def next_deadline(self) -> float:
        return min((place.deadline for place in self.occupied()), default=float("inf"))

    def forked(self, place: Place, pid: int, scoreboard: Scoreboard, now: float) -> None:
        place.pid, place.scoreboard, place.forked_at = pid, scoreboard, now
        place.told, place.deadline = None, float("inf")
        place.hanging_since, place.is_killed = None, False

    def not_forked(self, place: Place, now: float) -> None:
        """The system would not fork. That counts as a death, and a young one."""
        place.may_fork_at = now + place.throttle.pause_after(0.0)

    def ended(self, pid: int, now: float, *, well: bool) -> Place | None:
        """Note that a child has ended, and return a picture of the place as it was; None when it
        was not one of ours. A place whose child ended well may be filled at once."""
        place = next((place for place in self.occupied() if place.pid == pid), None)
        if place is None:
            return None
        before = Place(
            place.settings, pid, place.scoreboard, place.forked_at, 0.0, place.told, place.deadline
        )
        place.pid = place.scoreboard = place.told = None
        place.deadline = float("inf")
        place.may_fork_at = now
        if not well and before.told is None:
            place.may_fork_at += place.throttle.pause_after(now - place.forked_at)
        self._retiring = [place for place in self._retiring if place.pid is not None]
        return before


def _places(configuration: Configuration, scheduling: Scheduling | None) -> list[Place]:
    return [
        *([] if scheduling is None else [Place(scheduling)]),
        *(Place(settings) for settings in configuration.dispatchers),
        *(Place(settings) for settings in configuration.workers for _ in range(settings.processes)),
    ]
