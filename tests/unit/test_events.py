"""Events: whoever subscribes hears them, and nobody is harmed by whom else does."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import queuekit
from queuekit import events
from queuekit.errors import JobTimeout
from queuekit.events import ErrorOccurred, Event, JobsEnqueued, QueuePaused
from tests.dialects.sample_jobs import note
from tests.dialects.support import in_use

PAUSED = QueuePaused(queue="mailers")


@pytest.fixture(autouse=True)
def nobody_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_handlers", [])


@pytest.fixture
def heard() -> list[Event]:
    heard: list[Event] = []
    queuekit.events.subscribe(heard.append)
    return heard


def fail(event: Event) -> None:
    raise ValueError(f"no room for {type(event).__name__}")


def test_subscribers_hear_every_event_in_the_order_they_came(heard: list[Event]) -> None:
    later: list[Event] = []
    events.emit(PAUSED)
    events.subscribe(later.append)
    events.emit(QueuePaused(queue="other"))

    assert heard == [PAUSED, QueuePaused(queue="other")]
    assert later == [QueuePaused(queue="other")]


def test_subscribe_is_a_decorator_and_leaves_the_function_as_it_is() -> None:
    heard = []

    @events.subscribe
    def note_it(event: Event) -> None:
        heard.append(event)

    events.emit(PAUSED)
    note_it(PAUSED)

    assert heard == [PAUSED, PAUSED]


def test_who_has_unsubscribed_hears_nothing_more(heard: list[Event]) -> None:
    events.unsubscribe(heard.append)
    events.unsubscribe(heard.append)
    events.emit(PAUSED)

    assert heard == []


def test_a_handler_may_unsubscribe_while_it_is_called(heard: list[Event]) -> None:
    once = []

    @events.subscribe
    def hear_once(event: Event) -> None:
        once.append(event)
        events.unsubscribe(hear_once)

    last: list[Event] = []
    events.subscribe(last.append)
    for _ in range(2):
        events.emit(PAUSED)

    assert (len(once), len(heard), len(last)) == (1, 2, 2)


def test_a_handler_that_raises_is_reported_and_the_others_are_called(heard: list[Event]) -> None:
    events.subscribe(fail)
    last: list[Event] = []
    events.subscribe(last.append)

    events.emit(PAUSED)

    for ears in (heard, last):
        (error,) = (event for event in ears if isinstance(event, ErrorOccurred))
        assert error.where == "a handler of QueuePaused"
        assert str(error.error) == "no room for QueuePaused"
        assert PAUSED in ears


def test_a_handler_that_raises_at_every_event_is_reported_once_for_each(heard: list[Event]) -> None:
    events.subscribe(fail)
    events.subscribe(fail)

    events.emit(PAUSED)

    assert len([event for event in heard if isinstance(event, ErrorOccurred)]) == 2


def test_the_interpreters_own_exceptions_go_through() -> None:
    @events.subscribe
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        events.emit(PAUSED)


def test_a_timeout_that_hits_a_handler_reaches_the_job(heard: list[Event]) -> None:
    """It is the job's, in whose thread the handler is called, and is raised only once."""
    events.subscribe(heard.append)

    @events.subscribe
    def run_into_it(event: Event) -> None:
        raise JobTimeout

    with pytest.raises(JobTimeout):
        events.emit(PAUSED)
    assert heard == [PAUSED, PAUSED]


def test_events_know_their_process_and_cannot_be_changed() -> None:
    assert PAUSED.pid == os.getpid()
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAUSED.queue = "other"  # type: ignore[misc]


# Nobody listens


@pytest.fixture
def _database(tmp_path: Path) -> Iterator[None]:
    with in_use(f"sqlite:///{tmp_path / 'queue.sqlite3'}"):
        yield


@pytest.mark.usefixtures("_database")
def test_with_nobody_listening_enqueueing_makes_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotToBeMade(JobsEnqueued):
        def __init__(self, *, count: int, duration: float) -> None:
            raise AssertionError("nobody listens")

    monkeypatch.setattr(events, "JobsEnqueued", NotToBeMade)
    assert not events.has_handlers()

    note.enqueue()


@pytest.mark.usefixtures("_database")
def test_enqueueing_and_operating_are_heard(heard: list[Event]) -> None:
    assert events.has_handlers()
    queuekit.enqueue_all(note.bind(number) for number in range(3))
    queuekit.queues.pause("default")
    queuekit.queues.resume("default")

    enqueued, *others = heard
    assert isinstance(enqueued, JobsEnqueued)
    assert enqueued.count == 3
    assert 0 < enqueued.duration < 60
    assert others == [QueuePaused(queue="default"), events.QueueResumed(queue="default")]


def test_who_passes_over_a_kind_of_event_wants_it_as_soon_as_that_ends() -> None:
    def log(event: Event) -> None: ...

    passes = [True]
    events.subscribe(log)
    assert events.is_wanted(QueuePaused)
    events.pass_over(log, QueuePaused, lambda: passes[0])
    assert not events.is_wanted(QueuePaused)
    assert events.is_wanted(JobsEnqueued)

    passes[0] = False
    assert events.is_wanted(QueuePaused)


def test_anybody_else_wants_it_all_the_same(heard: list[Event]) -> None:
    class Unhashable(list[Event]):
        def __call__(self, event: Event) -> None: ...

    def log(event: Event) -> None: ...

    events.subscribe(log)
    events.pass_over(log, QueuePaused, lambda: True)
    assert events.is_wanted(QueuePaused)
    events.unsubscribe(heard.append)
    assert not events.is_wanted(QueuePaused)
    events.subscribe(Unhashable())
    assert events.is_wanted(QueuePaused)
