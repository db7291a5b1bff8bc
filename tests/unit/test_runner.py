"""The runner: one process's life in a role, on a real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import queuekit
from queuekit import application, events, hooks
from queuekit.config import Configuration
from queuekit.database import Database
from queuekit.errors import DatabaseUnavailableError
from queuekit.events import Event
from queuekit.processes.hints import Hints
from queuekit.processes.registration import Registration
from queuekit.processes.runner import (
    EXIT_PRUNED,
    EXIT_TIMED_OUT,
    PrunedError,
    Runner,
    ThreadDiedError,
)
from queuekit.processes.scoreboard import Scoreboard
from queuekit.processes.wakeup import Wakeup
from tests.dialects.support import ask, in_use

PATIENCE = 60.0


class Role:
    """A role that says what it is called for, and does at each poll what the test wants."""

    name = "Worker"
    exit_status = 0
    leaves_because: str | None = None
    hints: Hints | None = None

    def __init__(self, said: list[Any], work: Callable[[int], float]) -> None:
        self._said = said
        self._work = work
        self.polls = 0
        self.is_done = True
        self.is_abandoned = False

    def metadata(self) -> dict[str, Any]:
        return {"queues": "*"}

    def start(self, process_id: int) -> None:
        self._said.append(("start", process_id))

    def poll(self) -> float:
        self.polls += 1
        return self._work(self.polls)

    def stop(self) -> None:
        self._said.append("stop")

    def close(self) -> None:
        self._said.append("close")

    def abandon(self) -> None:
        self.is_abandoned = True


class Process:
    """A runner with its role, in this thread."""

    def __init__(self, database: Database, work: Callable[[int], float], **settings: Any) -> None:
        self.said: list[Any] = []
        self.role = Role(self.said, work)
        self.database = database
        self.scoreboard = Scoreboard(0)
        self.wakeup = Wakeup()
        self.look_around: Callable[[Runner], object] = lambda runner: None
        url = application.configuration().database_url
        self.runner = Runner(
            self.role,
            database,
            Configuration(database_url=url, **settings),
            self.wakeup,
            self.scoreboard,
            supervisor_id=17,
            look_around=lambda runner: self.look_around(runner),
        )

    def stop_at(self, poll: int) -> None:
        self.look_around = lambda runner: (
            runner.stop("told to") if self.role.polls >= poll else None
        )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with in_use(f"sqlite:///{tmp_path / 'queue.sqlite3'}") as database:
        yield database


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    heard: list[Event] = []
    monkeypatch.setattr(events, "_handlers", [heard.append])
    monkeypatch.setattr(hooks, "_processes", {})
    return heard


def kinds(heard: list[Event]) -> list[str]:
    return [type(event).__name__ for event in heard]


def registered() -> list[Any]:
    return [row[0] for row in ask("select id from queuekit_processes order by id")]


def test_a_process_registers_polls_and_leaves(database: Database, heard: list[Event]) -> None:
    process = Process(database, lambda poll: 0.0)
    process.stop_at(poll=3)

    assert process.runner.run() == 0

    ((start, process_id), *rest) = process.said
    assert (start, rest) == ("start", ["stop", "close"])
    assert process.role.polls >= 3
    assert process.role.is_abandoned
    assert process.scoreboard.is_registered
    assert process.scoreboard.ticked_at is not None
    assert registered() == []
    assert isinstance(process_id, int)
    assert kinds(heard) == ["ProcessStarted", "ProcessStopping", "ProcessStopped"]
    assert heard[:2] == [
        events.ProcessStarted(kind="Worker", metadata={"queues": "*"}),
        events.ProcessStopping(kind="Worker", reason="told to"),
    ]


def test_it_is_registered_under_its_supervisor_while_it_runs(database: Database) -> None:
    seen = []

    def work(poll: int) -> float:
        seen.extend(ask("select kind, supervisor_id from queuekit_processes"))
        return 0.0

    process = Process(database, work)
    process.stop_at(poll=1)
    process.runner.run()

    assert seen[0] == ("Worker", 17)


def test_it_sleeps_as_long_as_the_role_says_unless_woken(database: Database) -> None:
    process = Process(database, lambda poll: 3600.0)
    process.stop_at(poll=2)
    began = time.monotonic()
    timer = threading.Timer(0.1, process.wakeup.set)
    timer.start()
    stopper = threading.Timer(0.3, process.wakeup.set)
    stopper.start()

    process.runner.run()

    assert process.role.polls >= 2
    assert 0.1 <= time.monotonic() - began < 30
    timer.join()
    stopper.join()


def test_it_shows_that_its_loop_comes_round_while_it_sleeps(database: Database) -> None:
    process = Process(database, lambda poll: 3600.0)
    ticks = set()

    def look_around(runner: Runner) -> None:
        ticks.add(process.scoreboard.ticked_at)
        if len(ticks) == 4:
            runner.stop("told to")

    process.look_around = look_around
    process.runner.run()

    assert process.role.polls == 1


def test_stopping_waits_until_the_role_is_done(database: Database) -> None:
    def work(poll: int) -> float:
        process.role.is_done = poll == 5
        return 0.0

    process = Process(database, work)
    process.stop_at(poll=1)

    assert process.runner.run() == 0
    assert process.role.polls == 5


def test_stopping_twice_is_stopping_once(database: Database, heard: list[Event]) -> None:
    process = Process(database, lambda poll: 0.0)

    def look_around(runner: Runner) -> None:
        runner.stop("first")
        runner.stop("second")

    process.look_around = look_around

    process.runner.run()

    assert process.said.count("stop") <= 1
    assert [event.reason for event in heard if isinstance(event, events.ProcessStopping)] == [
        "first"
    ]


def test_quitting_waits_for_nothing(database: Database) -> None:
    def work(poll: int) -> float:
        process.role.is_done = False
        process.runner.quit()
        return 3600.0

    process = Process(database, work)

    assert process.runner.run() == 0
    assert process.role.polls == 1
    assert process.runner.is_stopping
    assert process.said[-1] == "close"


def test_one_that_takes_too_long_to_finish_quits(database: Database) -> None:
    def work(poll: int) -> float:
        process.role.is_done = False
        process.runner.stop("its supervisor is gone", quit_after=0.05)
        return 0.01

    process = Process(database, work)

    assert process.runner.run() == 0
    assert registered() == []


def test_it_leaves_when_the_role_wants_to(database: Database, heard: list[Event]) -> None:
    def work(poll: int) -> float:
        process.role.leaves_because = "it has had its max_jobs"
        return 3600.0

    process = Process(database, work)

    assert process.runner.run() == 0
    assert events.ProcessStopping(kind="Worker", reason="it has had its max_jobs") in heard


def test_one_with_a_stuck_job_leaves_its_row_to_the_supervisor(database: Database) -> None:
    process = Process(database, lambda poll: 0.0)
    process.role.exit_status = EXIT_TIMED_OUT
    process.stop_at(poll=1)

    assert process.runner.run() == EXIT_TIMED_OUT
    assert len(registered()) == 1
    assert process.said[-1] == "close"


def test_told_to_stop_before_it_has_registered_it_never_begins(
    database: Database, heard: list[Event]
) -> None:
    process = Process(database, lambda poll: 0.0)
    process.runner.stop("told to")

    assert process.runner.run() == 0
    assert process.said == ["stop"]
    assert process.role.polls == 0
    assert kinds(heard) == ["ProcessStopping"]


# Hooks


def test_hooks_are_called_at_their_moments(database: Database) -> None:
    def work(poll: int) -> float:
        process.said.append("poll")
        process.role.is_done = poll == 3
        return 0.0

    process = Process(database, work)
    process.stop_at(poll=1)
    queuekit.on_worker_start(lambda p: process.said.append(f"start hook of {p.kind} {p.id}"))
    queuekit.on_worker_stop(lambda p: process.said.append("stop hook"))
    queuekit.on_worker_exit(lambda p: process.said.append(f"exit hook, {len(registered())} left"))
    queuekit.on_start(lambda p: process.said.append("of another kind"))

    process.runner.run()

    ((_, process_id), *rest) = process.said
    assert rest == [
        f"start hook of Worker {process_id}",
        "poll",
        "stop",
        "stop hook",  # while jobs still run, which it may want to tell
        "poll",
        "poll",
        "exit hook, 1 left",  # what was cut short still runs, and stays its own so long
        "close",
    ]


def test_stop_hooks_are_called_when_it_quits_too(database: Database) -> None:
    def work(poll: int) -> float:
        process.runner.quit()
        return 0.0

    process = Process(database, work)
    queuekit.on_worker_stop(lambda p: process.said.append("stop hook"))

    process.runner.run()

    assert process.said[1:] == ["stop hook", "close"]


def test_a_hook_that_raises_stops_nothing(database: Database, heard: list[Event]) -> None:
    @queuekit.on_worker_start
    def warm_up(process: hooks.Process) -> None:
        raise ValueError("cold")

    process = Process(database, lambda poll: 0.0)
    process.stop_at(poll=2)

    assert process.runner.run() == 0
    assert process.role.polls >= 2
    assert "ErrorOccurred" in kinds(heard)


# Pruned


def test_one_whose_heartbeat_finds_no_registration_leaves(
    database: Database, heard: list[Event]
) -> None:
    def work(poll: int) -> float:
        ask("delete from queuekit_processes")
        return 3600.0

    process = Process(database, work, process_heartbeat_interval=0.02)

    assert process.runner.run() == EXIT_PRUNED
    assert "close" not in process.said
    assert process.role.is_abandoned
    consequence = "its heartbeat found no registration"
    assert heard[-1] == events.ProcessWasPruned(kind="Worker", consequence=consequence)


def test_one_whose_role_finds_no_registration_leaves(
    database: Database, heard: list[Event]
) -> None:
    def work(poll: int) -> float:
        raise PrunedError("2 results change nothing")

    process = Process(database, work)
    queuekit.on_worker_exit(lambda p: process.said.append("exit hook"))

    assert process.runner.run() == EXIT_PRUNED
    assert process.said[1:] == ["exit hook"]
    assert isinstance(heard[-1], events.ProcessWasPruned)


def test_heartbeats_come_whatever_the_role_does(database: Database) -> None:
    def heartbeat() -> Any:
        return ask("select last_heartbeat_at from queuekit_processes")[0][0]

    def work(poll: int) -> float:
        before = heartbeat()
        deadline = time.monotonic() + PATIENCE
        while heartbeat() == before:
            assert time.monotonic() < deadline
        process.runner.stop("seen")
        return 0.0

    process = Process(database, work, process_heartbeat_interval=0.02)

    assert process.runner.run() == 0


def test_the_scoreboard_tells_when_the_last_heartbeat_was_sent(database: Database) -> None:
    """No later than the database took it for: the supervisor reckons with it when others prune."""

    def work(poll: int) -> float:
        registered = process.scoreboard.beat_at
        assert registered is not None
        assert began <= registered <= time.monotonic()
        deadline = time.monotonic() + PATIENCE
        while process.scoreboard.beat_at == registered:
            assert time.monotonic() < deadline
        process.runner.stop("seen")
        return 0.0

    began = time.monotonic()
    process = Process(database, work, process_heartbeat_interval=0.02)

    assert process.runner.run() == 0


# What goes wrong


def test_an_outage_is_said_once_and_tried_again(database: Database, heard: list[Event]) -> None:
    def work(poll: int) -> float:
        if poll < 4:
            raise DatabaseUnavailableError("no route")
        process.runner.stop("done")
        return 0.0

    process = Process(database, work)

    assert process.runner.run() == 0
    assert process.role.polls == 4
    lost, back = (event for event in heard if type(event).__name__.startswith("Database"))
    assert lost == events.DatabaseLost(who="Worker", error="no route")
    assert isinstance(back, events.DatabaseBack)
    assert back.duration > 0


def test_it_registers_as_soon_as_the_database_can_be_reached(
    database: Database, tmp_path: Path, heard: list[Event]
) -> None:
    missing = tmp_path / "not mounted yet"
    with in_use(f"sqlite:///{missing / 'queue.sqlite3'}") as database:
        missing.write_text("in the way")  # of the folder
        process = Process(database, lambda poll: 0.0)
        rounds: list[None] = []

        def look_around(runner: Runner) -> None:
            rounds.append(None)
            if len(rounds) == 3:
                missing.unlink()
            if process.role.polls:
                runner.stop("told to")

        process.look_around = look_around
        assert process.runner.run() == 0

    assert kinds(heard)[:3] == ["DatabaseLost", "DatabaseBack", "ProcessStarted"]


def test_one_that_cannot_say_goodbye_says_so(database: Database, heard: list[Event]) -> None:
    def work(poll: int) -> float:
        process.runner.stop("told to")
        return 0.0

    def close() -> None:
        raise DatabaseUnavailableError("no route")

    process = Process(database, work)
    process.role.close = close  # type: ignore[method-assign]

    assert process.runner.run() == 1
    assert heard[-1] == events.ProcessLeftClaims(kind="Worker", error="no route")
    assert len(registered()) == 1


def test_what_the_role_raises_ends_the_process(database: Database) -> None:
    def work(poll: int) -> float:
        raise ZeroDivisionError("a bug")

    process = Process(database, work)
    queuekit.on_worker_exit(lambda p: process.said.append("exit hook"))

    with pytest.raises(ZeroDivisionError):
        process.runner.run()
    assert process.said[-1] == "exit hook"
    assert process.role.is_abandoned
    assert len(registered()) == 1  # the supervisor buries it


def test_a_heartbeat_that_dies_takes_the_process_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beat(self: Registration) -> bool:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Registration, "beat", beat)
    process = Process(database, lambda poll: 3600.0, process_heartbeat_interval=0.02)

    with pytest.raises(ThreadDiedError, match="the heartbeat's thread ended") as raised:
        process.runner.run()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
