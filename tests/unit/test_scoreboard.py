"""The scoreboard: what a child wrote is there for its supervisor, whatever the child died of."""

from __future__ import annotations

import mmap
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from queuekit.processes.scoreboard import Scoreboard

#: More than any page has words.
PAGE = mmap.PAGESIZE // 8


def die_after(write: Callable[[], object]) -> None:
    """Fork a child that writes and is then killed; return when it is dead."""
    child = os.fork()
    if child == 0:
        write()
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def test_a_new_one_knows_nothing() -> None:
    board = Scoreboard(3)
    assert (board.ticked_at, board.is_registered) == (None, False)
    assert (board.begun(), board.knows_all) == ([], True)


def test_ticks_and_the_registration_are_seen_across_the_fork() -> None:
    board = Scoreboard(0)
    before = time.monotonic()

    def come_up() -> None:
        board.tick()
        board.register()

    die_after(come_up)
    assert board.ticked_at is not None
    assert before <= board.ticked_at <= time.monotonic()
    assert board.is_registered


def test_the_last_heartbeat_is_seen_across_the_fork() -> None:
    board = Scoreboard(0)
    assert board.beat_at is None
    sent_at = time.monotonic()

    die_after(lambda: board.beat(sent_at))

    assert board.beat_at == pytest.approx(sent_at, abs=1e-6)
    assert board.begun() == []


def test_a_child_that_is_killed_leaves_what_had_begun_and_was_not_settled() -> None:
    board = Scoreboard(4)

    def work() -> None:
        for row_id in (11, 12, 13, 2**63 - 1):
            board.reserve(row_id)
        for row_id in (11, 12, 2**63 - 1):
            in_a_thread(lambda row_id=row_id: board.begin(row_id))  # type: ignore[misc]
        board.settle(11)

    die_after(work)
    assert sorted(board.begun()) == [12, 2**63 - 1]


def test_entries_are_used_again() -> None:
    board = Scoreboard(1)
    for row_id in range(1, 10 * PAGE):
        board.reserve(row_id)
        board.begin(row_id)
        board.settle(row_id)
    assert (board.begun(), board.knows_all) == ([], True)


def test_there_is_room_for_as_many_claims_as_were_asked_for() -> None:
    board = Scoreboard(20_000)
    for row_id in range(1, 20_001):
        board.reserve(row_id)
        board.begin(row_id)
    assert (len(board.begun()), board.knows_all) == (20_000, True)


def test_one_that_is_full_raises_nothing_and_says_that_it_does_not_know_all() -> None:
    board = Scoreboard(1)

    def overfill() -> None:
        for row_id in range(1, PAGE + 1):
            board.reserve(row_id)
            board.begin(row_id)

    die_after(overfill)
    assert not board.knows_all

    overfill()
    for row_id in range(1, PAGE + 1):
        board.settle(row_id)
    assert (board.begun(), board.knows_all) == ([], True)


def test_claims_that_it_never_heard_of_do_no_harm() -> None:
    board = Scoreboard(2)
    board.begin(5)
    board.settle(5)
    assert board.begun() == []


def test_reserving_twice_takes_one_entry() -> None:
    board = Scoreboard(1)
    for _ in range(2 * PAGE):
        board.reserve(5)
    board.begin(5)
    board.settle(5)
    assert (board.begun(), board.knows_all) == ([], True)


def test_words_are_never_seen_half_written() -> None:
    """The child writes two numbers that differ in every byte, while this process reads."""
    board = Scoreboard(1)
    low, high = 0x0101010101010101, 0x7E7E7E7E7E7E7E7E
    board.reserve(low)
    entry = board._entries[low]
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        while os.getppid() == parent:
            for _ in range(1000):
                board._words[entry] = low
                board._words[entry] = high
        os._exit(0)
    try:
        seen: set[int] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 2 or len(board.begun()) != 1:
            seen.update(board.begun())
            assert time.monotonic() < deadline, "the child's words were not seen"
        for _ in range(50_000):
            seen.update(board.begun())
        assert seen == {low, high}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def in_a_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
