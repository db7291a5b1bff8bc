"""When a child counts as hung: before others take it for dead, and no sooner than needed."""

from __future__ import annotations

import pytest

from queuekit.config import Configuration, WorkerSettings
from queuekit.processes import hanging, scoreboard
from queuekit.processes.children import Place
from queuekit.processes.scoreboard import Scoreboard

ALWAYS = 0.0  # the supervisor was awake


class Clock:
    """What the scoreboard takes for the module `time`."""

    now = 0.0

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(scoreboard, "time", clock)
    return clock


def place(clock: Clock, *, ticked: float | None, beat: float | None, registered: bool) -> Place:
    """A place whose child was forked at 1000."""
    board = Scoreboard(1)
    if ticked is not None:
        clock.now = ticked
        board.tick()
    if beat is not None:
        board.beat(beat)
    if registered:
        board.register()
    return Place(WorkerSettings(), pid=9, scoreboard=board, forked_at=1000.0)


def hung_at(place: Place, awake_since: float = ALWAYS, **settings: float) -> float:
    usual = {"process_heartbeat_interval": 60, "process_alive_threshold": 300, "boot_timeout": 30}
    return hanging.hung_at(place, Configuration(**(usual | settings)), awake_since)  # type: ignore[arg-type]


def test_one_that_has_not_come_up_gets_the_boot_timeout_since_it_last_came_round(
    clock: Clock,
) -> None:
    assert hung_at(place(clock, ticked=None, beat=None, registered=False)) == 1030
    waiting = place(clock, ticked=5000, beat=None, registered=False)
    assert hung_at(waiting) == 5030


@pytest.mark.parametrize("interval", [1, 20, 60])
@pytest.mark.parametrize("since_the_last_beat", [0, 0.5, 1])
def test_one_that_neither_comes_round_nor_beats_is_killed_a_beat_before_others_prune_it(
    clock: Clock, interval: float, since_the_last_beat: float
) -> None:
    beat = 2000 - since_the_last_beat * interval
    settings: dict[str, float] = {"process_heartbeat_interval": interval}
    held = place(clock, ticked=2000, beat=beat, registered=True)

    killed_at = hung_at(held, **settings) + hanging.benefit_of_the_doubt(
        Configuration(process_heartbeat_interval=interval)
    )

    assert killed_at == beat + 300 - interval


def test_one_that_beats_gets_the_whole_threshold(clock: Clock) -> None:
    waiting = place(clock, ticked=2000, beat=2250, registered=True)
    assert hung_at(waiting) == 2300


def test_one_that_cannot_beat_but_comes_round_gets_half_the_threshold(clock: Clock) -> None:
    """The database is lost: others are as blind, and what takes long is waiting for it."""
    waiting = place(clock, ticked=9000, beat=2000, registered=True)
    assert hung_at(waiting) == 9150


def test_the_time_in_which_the_supervisor_was_suspended_does_not_count(clock: Clock) -> None:
    woken = place(clock, ticked=2000, beat=2000, registered=True)
    assert hung_at(woken, awake_since=7000) == 7150
    booting = place(clock, ticked=None, beat=None, registered=False)
    assert hung_at(booting, awake_since=7000) == 7030


def test_a_child_gets_less_of_the_doubt_where_heartbeats_are_short() -> None:
    doubts = [
        hanging.benefit_of_the_doubt(Configuration(process_heartbeat_interval=interval))
        for interval in (0.5, 1, 60)
    ]
    assert doubts == [0.5, 1, 2]


def test_the_words_say_for_how_long(clock: Clock) -> None:
    configuration = Configuration(boot_timeout=30)
    held = place(clock, ticked=2000, beat=2000, registered=True)
    assert hanging.why_hung(held, configuration, 2181.4) == (
        "has not shown a sign of life for 181 s"
    )
    booting = place(clock, ticked=None, beat=None, registered=False)
    assert hanging.why_hung(booting, configuration, 1032.0) == "has not come up within 30 s"
