"""The supervisor's table: places, who fills them, and how a reload replaces them one by one."""

from __future__ import annotations

import itertools
import random
import signal
from collections.abc import Iterator

import pytest

from queuekit.config import (
    Configuration,
    DispatcherSettings,
    SchedulerSettings,
    WorkerSettings,
)
from queuekit.processes.children import Children, Place
from queuekit.processes.scheduler import Scheduling
from queuekit.processes.scoreboard import Scoreboard


def configuration(*processes: int) -> Configuration:
    """A dispatcher, and workers of so many processes each."""
    return Configuration(
        workers=tuple(
            WorkerSettings(
                queues=(f"queue{number}",),
                threads=number + 1,
                async_concurrency=10,
                prefetch_limit=0,
                processes=count,
            )
            for number, count in enumerate(processes)
        ),
        dispatchers=(DispatcherSettings(),),
    )


class Table:
    """A table of children with a clock, and the supervisor's hands: forking, ending, retiring."""

    def __init__(self, *processes: int) -> None:
        self.children = Children(configuration(*processes))
        self.now = 1000.0
        self.pids = itertools.count(100)

    def fork(self, *, registered: bool = True) -> list[int]:
        """Fill the places that are vacant now."""
        return [self.fork_at(place, registered=registered) for place in self.vacant()]

    def fork_at(self, place: Place, *, registered: bool = True) -> int:
        pid, scoreboard = next(self.pids), Scoreboard(place.claims)
        if registered:
            scoreboard.register()
        self.children.forked(place, pid, scoreboard, self.now)
        return pid

    def end(self, pid: int, *, well: bool = False) -> Place:
        ended = self.children.ended(pid, self.now, well=well)
        assert ended is not None
        return ended

    def vacant(self) -> list[Place]:
        return list(self.children.vacant(self.now))

    def running(self) -> list[int]:
        return sorted(place.pid or 0 for place in self.children.occupied())

    def register(self, pid: int) -> None:
        (place,) = (place for place in self.children.occupied() if place.pid == pid)
        assert place.scoreboard is not None
        place.scoreboard.register()

    def retire(self) -> int | None:
        """Tell the next child to end, if it is time for one."""
        place = self.children.next_to_retire()
        if place is None:
            return None
        place.told = signal.SIGTERM
        return place.pid


# Places


def test_there_is_a_place_for_each_configured_process() -> None:
    table = Table(2, 1)

    assert [(place.kind, place.claims) for place in table.vacant()] == [
        ("Dispatcher", 0),
        ("Worker", 22),
        ("Worker", 22),
        ("Worker", 24),
    ]
    assert table.running() == []


def test_who_was_forked_fills_a_place() -> None:
    table = Table(2)

    assert table.fork() == [100, 101, 102]

    assert table.running() == [100, 101, 102]
    assert table.vacant() == []
    assert table.children.next_vacancy() is None


def test_all_have_registered_when_every_place_is_filled_by_one_that_has() -> None:
    table = Table(1)
    assert not table.children.all_registered()

    first, second = table.fork(registered=False)
    table.register(first)
    assert not table.children.all_registered()

    table.register(second)
    assert table.children.all_registered()

    table.end(first)
    assert not table.children.all_registered()


def test_the_place_of_one_that_ended_is_vacant_at_once() -> None:
    table = Table(2)
    table.fork()

    ended = table.end(101)

    assert (ended.pid, ended.kind, ended.forked_at) == (101, "Worker", 1000.0)
    assert ended.scoreboard is not None
    assert table.running() == [100, 102]
    assert [place.kind for place in table.vacant()] == ["Worker"]
    assert table.fork() == [103]


def test_a_stranger_is_nobodys_child() -> None:
    table = Table(1)
    table.fork()

    assert table.children.ended(4711, table.now, well=True) is None
    assert table.running() == [100, 101]


def test_a_place_whose_children_die_young_waits_and_the_others_do_not() -> None:
    table = Table(2)
    table.fork()
    table.end(101)
    (again,) = table.fork()

    table.end(again)
    assert table.vacant() == []
    assert table.children.next_vacancy() == pytest.approx(1000.5)

    table.end(102)
    assert len(table.vacant()) == 1

    table.now += 0.5
    assert len(table.fork()) == 2


@pytest.mark.parametrize("why", ["it ended well", "it was told to"])
def test_who_was_to_end_is_replaced_at_once_however_young(why: str) -> None:
    table = Table(1)
    pid, _ = table.fork()
    for _ in range(5):
        if why == "it was told to":
            table.children.occupied()[0].told = signal.SIGTERM
        table.end(pid, well=why == "it ended well")
        (pid,) = table.fork()


# Deadlines


def test_who_should_be_gone_by_now_is_overdue() -> None:
    table = Table(1)
    table.fork()
    children = table.children
    assert children.next_deadline() == float("inf")

    place = children.occupied()[1]
    place.told, place.deadline = signal.SIGTERM, 1010.0

    assert children.next_deadline() == 1010.0
    assert children.overdue(1009.9) == []
    assert children.overdue(1010.0) == [place]


def test_what_a_child_was_told_does_not_reach_the_next() -> None:
    table = Table(1)
    table.fork()
    place = table.children.occupied()[1]
    place.told, place.deadline = signal.SIGQUIT, 1010.0

    ended = table.end(101)
    assert (ended.told, ended.deadline) == (signal.SIGQUIT, 1010.0)

    table.fork()
    assert [(place.told, place.deadline) for place in table.children.occupied()] == [
        (None, float("inf"))
    ] * 2


# Reloading


def step(table: Table) -> tuple[list[int], int | None]:
    """What the supervisor does each time its loop comes round: who is forked, who retires."""
    return table.fork(registered=False), table.retire()


def test_children_are_replaced_one_after_the_other() -> None:
    table = Table(2)
    table.fork()
    table.children.reconfigure(configuration(2))
    assert table.children.is_retiring

    assert step(table) == ([], 100)  # no more children than places, so one ends first
    assert step(table) == ([], None)
    table.end(100, well=True)
    assert step(table) == ([103], None)  # not before the new one has registered
    table.register(103)
    assert step(table) == ([], 101)
    table.end(101, well=True)
    assert step(table) == ([104], None)
    table.register(104)
    assert step(table) == ([], 102)
    assert table.children.is_retiring
    table.end(102, well=True)
    assert step(table) == ([105], None)

    assert not table.children.is_retiring
    assert table.running() == [103, 104, 105]
    table.register(105)
    assert table.children.all_registered()


def test_places_that_are_more_than_before_are_filled_first() -> None:
    table = Table(1)
    table.fork()
    table.children.reconfigure(configuration(3))

    forked, retired = step(table)
    assert (len(forked), retired) == (2, None)
    for pid in forked:
        table.register(pid)
    assert step(table) == ([], 100)


def test_places_that_are_fewer_than_before_are_filled_when_enough_have_retired() -> None:
    table = Table(3)
    table.fork()
    table.children.reconfigure(configuration(1))

    for pid in (100, 101, 102):
        assert step(table) == ([], pid)
        table.end(pid, well=True)
    (new,), _ = step(table)
    table.register(new)
    assert step(table) == ([], 103)
    table.end(103, well=True)
    step(table)

    assert len(table.running()) == 2
    assert not table.children.is_retiring


def test_one_that_dies_while_others_retire_is_replaced_by_a_new_one() -> None:
    table = Table(2)
    table.fork()
    table.children.reconfigure(configuration(2))
    table.end(102)

    forked, retired = step(table)

    assert (forked, retired) == ([103], None)
    assert table.running() == [100, 101, 103]


def test_one_more_reload_on_the_way_replaces_the_new_ones_too() -> None:
    table = Table(1)
    table.fork()
    table.children.reconfigure(configuration(1))
    step(table)
    table.end(100, well=True)
    (new,), _ = step(table)
    table.register(new)

    table.children.reconfigure(configuration(1))

    replaced = set()
    while (pid := table.retire()) is not None:
        replaced.add(pid)
        table.end(pid, well=True)
        table.fork()
    assert replaced == {101, new}
    assert not table.children.is_retiring
    assert len(table.running()) == 2


def test_whatever_happens_there_are_never_more_children_than_places() -> None:
    chance = random.Random(4711)
    for _ in range(200):
        table = Table(chance.randint(1, 4))
        places = most = len(table.fork())
        for _ in range(3):
            configured = configuration(chance.randint(1, 4))
            table.children.reconfigure(configured)
            places = 1 + configured.workers[0].processes
            most = max(len(table.running()), places)
            for _ in live_on(table, chance):
                assert len(table.running()) <= most
                told = [place for place in table.children.occupied() if place.told is not None]
                assert len(told) <= 1
        settle(table)
        assert len(table.running()) == places


def live_on(table: Table, chance: random.Random) -> Iterator[None]:
    """The supervisor's loop with children that register, end as told, and die, at random."""
    for _ in range(chance.randint(0, 12)):
        table.now += 100
        step(table)
        yield
        for place in table.children.occupied():
            assert place.pid is not None
            if place.told is not None and chance.random() < 0.5:
                table.end(place.pid, well=True)
            elif chance.random() < 0.1:
                table.end(place.pid)
            elif chance.random() < 0.5:
                table.register(place.pid)
        yield


def settle(table: Table) -> None:
    """Until the reload is over and every place is filled."""
    for _ in range(100):
        table.now += 100
        step(table)
        for place in table.children.occupied():
            assert place.pid is not None
            if place.told is not None:
                table.end(place.pid, well=True)
            else:
                table.register(place.pid)
        if not table.children.is_retiring and table.children.all_registered():
            return
    raise AssertionError("the reload came to no end")


def test_there_is_one_scheduler_where_there_is_something_to_schedule() -> None:
    scheduling = Scheduling(SchedulerSettings(), [])
    children = Children(configuration(), scheduling)
    assert [place.kind for place in children.vacant(now=0.0)] == ["Scheduler", "Dispatcher"]

    children.reconfigure(configuration())

    assert [place.kind for place in children.vacant(now=0.0)] == ["Dispatcher"]
