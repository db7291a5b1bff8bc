"""Jobs that raise, on each database: new rows of the same job, with all that it carries along."""

from __future__ import annotations

import json
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import queuekit
from queuekit import (
    Discard,
    EnqueueError,
    EnqueueOptionError,
    JobNotFoundError,
    ProcessExitError,
    Receipt,
    Rescue,
    Retry,
    application,
    arguments,
    context,
    declaration,
    propagation,
)
from queuekit.executions.claimed import ClaimedJob
from queuekit.executions.turn import RETRIED, NextAttempt, Result
from queuekit.performing import Performer
from queuekit.processes import registration
from tests.dialects.sample_jobs import note
from tests.dialects.support import (
    ask,
    attempts,
    broken,
    claim,
    configure,
    counts,
    fail,
    register,
    states,
    take,
)

tenant: ContextVar[str] = ContextVar("tenant")
seen: list[Any] = []


def handled(job: queuekit.CurrentJob, error: BaseException) -> None:
    seen.append((job.name.rpartition(".")[2], str(error)))


@queuekit.job(
    queue="calls",
    priority=4,
    retry_on=[
        Retry(ConnectionError, wait=0, attempts=3),
        Retry(TimeoutError, wait=60, jitter=0, queue="slow", priority=9),
    ],
    discard_on=Discard(LookupError, handler=handled),
    rescue_from=Rescue(ArithmeticError, handler=handled),
)
def call(error: str = "") -> None:
    seen.append((context.attempt, context.executions, tenant.get(None)))
    if error:
        raise {
            "connection": ConnectionError,
            "timeout": TimeoutError,
            "lookup": LookupError,
            "arithmetic": ArithmeticError,
            "value": ValueError,
        }[error](error)


def by_arguments(account: int, *, full: bool = False) -> Any:
    return {1: "one", 2: "two" if full else "half"}.get(account)


@queuekit.job(queue=by_arguments)
def sorted_out(account: int, *, full: bool = False) -> None: ...


class SortedOut(queuekit.Job):
    queue = by_arguments

    def perform(self, account: int, *, full: bool = False) -> None: ...


class SortedOutInside(queuekit.Job):
    def queue(account: int) -> str:  # type: ignore[misc] # noqa: N805
        return f"account-{account % 2}"

    def perform(self, account: int) -> None: ...


@queuekit.job
def again() -> None:
    if context.attempt == 1:
        again.enqueue()


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen.clear()
    monkeypatch.setattr(propagation, "_propagated", {})


def run(*, queue: str | None = None, performer: Performer | None = None) -> list[Result]:
    """Let a worker run all that is ready, and settle it."""
    worker = register()
    results = [perform(job, performer) for job in claim(worker, queue=queue)]
    take(worker, results, limit=0, preserve_finished=preserves())
    registration.release(application.database(), worker)
    return results


def perform(job: ClaimedJob, performer: Performer | None = None) -> Result:
    result = (performer or Performer()).perform(job)
    assert result is not None
    return result


def preserves() -> bool:
    return application.configuration().preserve_finished_jobs


def rows(job: Receipt, columns: str) -> list[Any]:
    return ask(
        f"select {columns} from queuekit_jobs where uuid = :uuid order by attempt", uuid=job.job_id
    )


# Attempt after attempt


def test_a_retry_is_a_new_row_of_the_same_job_and_the_old_one_keeps_its_error() -> None:
    job = call.enqueue("connection")

    for _ in range(3):
        run()

    assert attempts(job.job_id) == [(1, "retried"), (2, "retried"), (3, "failed")]
    assert [
        attempt.error and attempt.error.message for attempt in queuekit.jobs.history(job.job_id)
    ]
    assert [entry[:2] for entry in seen] == [(1, 1), (2, 2), (3, 3)]
    assert rows(job, "executions, exception_executions") == [
        (0, None),
        (1, '{"ConnectionError": 1}'),
        (2, '{"ConnectionError": 2}'),
    ]
    assert (
        rows(job, "queue_name, class_name, arguments, priority")
        == [("calls", "tests.dialects.test_retries.call", '{"args":["connection"],"kwargs":{}}', 4)]
        * 3
    )


def test_a_retry_waits_on_another_queue_when_the_policy_says_so() -> None:
    job = call.enqueue("timeout")
    run()

    assert attempts(job.job_id) == [(1, "retried"), (2, "scheduled")]
    assert rows(job, "queue_name, priority") == [("calls", 4), ("slow", 9)]
    first, second = queuekit.jobs.history(job.job_id)
    assert second.scheduled_at - second.enqueued_at == timedelta(seconds=60)
    assert first.ended_at is not None
    assert abs(first.ended_at - second.enqueued_at) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("error", "outcome", "message", "handlers"),
    [
        ("lookup", "discarded", "lookup", [("call", "lookup")]),
        ("arithmetic", "finished", None, [("call", "arithmetic")]),
        ("value", "failed", "value", []),
        ("", "finished", None, []),
    ],
)
def test_every_other_end_is_the_last(
    error: str, outcome: str, message: str | None, handlers: list[Any]
) -> None:
    job = call.enqueue(error)
    run()
    run()

    assert attempts(job.job_id) == [(1, outcome)]
    (attempt,) = queuekit.jobs.history(job.job_id)
    assert (attempt.error.message if attempt.error else None) == message
    assert seen[1:] == handlers


def test_without_finished_jobs_only_the_newest_row_is_kept() -> None:
    configure(preserve_finished_jobs=False)
    job = call.enqueue("connection")
    run()

    assert attempts(job.job_id) == [(2, "ready")]
    assert rows(job, "executions, exception_executions") == [(1, '{"ConnectionError": 1}')]


def test_a_retry_by_hand_resets_the_counters_and_goes_on_counting_attempts() -> None:
    job = call.enqueue("connection")
    for _ in range(3):
        run()

    queuekit.failed.retry(job.job_id)

    assert rows(job, "attempt, executions, exception_executions")[-1] == (4, 0, None)
    for _ in range(3):
        run()
    assert [state for _, state in attempts(job.job_id)] == ["retried"] * 5 + ["failed"]


def test_the_death_of_its_process_keeps_the_counters_and_counts_as_a_run() -> None:
    @queuekit.job(name="retries.mortal", on_process_death="retry", retry_on=Retry(OSError, wait=0))
    def mortal() -> None:
        raise OSError

    job = mortal.enqueue()
    run()
    claim(worker := register())
    died = ProcessExitError("was killed by SIGKILL")
    registration.bury(application.database(), application.configuration(), worker, died)

    assert attempts(job.job_id) == [(1, "retried"), (2, "retried"), (3, "ready")]
    assert rows(job, "process_deaths, executions, exception_executions") == [
        (0, 0, None),
        (0, 1, '{"OSError": 1}'),
        (1, 2, '{"OSError": 1}'),
    ]
    run()
    assert rows(job, "process_deaths, executions, exception_executions")[-1] == (
        1,
        3,
        '{"OSError": 2}',
    )


def test_a_pruned_process_retries_nothing() -> None:
    job = call.enqueue("connection")
    (claimed,) = claim(worker := register())
    result = perform(claimed)
    died = ProcessExitError("pruned")
    registration.bury(application.database(), application.configuration(), worker, died)

    turn = take(worker, [result])

    assert (turn.registered, turn.settled) == (False, frozenset())
    assert attempts(job.job_id) == [(1, "failed")]


def test_what_another_has_claimed_is_not_retried() -> None:
    job = call.enqueue("connection")
    (claimed,) = claim(register())
    other = register()

    take(other, [perform(claimed)])

    assert attempts(job.job_id) == [(1, "claimed")]


def test_ten_thousand_are_retried_in_one_turn() -> None:
    queuekit.enqueue_all(note.bind(number) for number in range(10_000))
    worker = register()
    jobs = claim(worker, limit=10_000)
    results = [
        Result(
            job.row_id,
            RETRIED,
            "{}",
            0.0,
            NextAttempt(0.0 if job.row_id % 2 else 60.0, 1, '{"OSError": 1}'),
        )
        for job in jobs
    ]

    turn = take(worker, results, limit=0)

    assert len(turn.settled) == 10_000
    assert counts() == {"finished": 10_000, "ready": 5_000, "scheduled": 5_000}
    assert ask(
        "select attempt, executions, exception_executions, count(*) from queuekit_jobs"
        " group by attempt, executions, exception_executions order by attempt"
    ) == [(1, 0, None, 10_000), (2, 1, '{"OSError": 1}', 10_000)]
    assert ask(
        "select count(*) from queuekit_jobs fresh join queuekit_jobs old on old.uuid = fresh.uuid"
        " and old.attempt = 1 and old.arguments = fresh.arguments where fresh.attempt = 2"
    ) == [(10_000,)]


def test_retries_stay_in_the_order_of_their_jobs() -> None:
    jobs = [call.enqueue("connection") for _ in range(20)]
    run()

    assert [job.job_id for job in claim(register())] == [job.job_id for job in jobs]


def test_settling_retries_and_claiming_them_is_one_turn() -> None:
    job = call.enqueue("connection")
    (claimed,) = claim(worker := register())

    (next_one,) = take(worker, [perform(claimed)]).claimed

    assert (next_one.job_id, next_one.attempt, next_one.executions) == (job.job_id, 2, 1)


def test_a_retry_on_a_paused_queue_waits_until_that_is_resumed() -> None:
    @queuekit.job(name="retries.moved", retry_on=Retry(OSError, wait=0, queue="paused"))
    def moved() -> None:
        seen.append(context.queue)
        if context.queue != "paused":
            raise OSError

    queuekit.queues.pause("paused")
    job = moved.enqueue()
    run(queue="default")
    run(queue="paused")
    assert attempts(job.job_id) == [(1, "retried"), (2, "ready")]

    queuekit.queues.resume("paused")
    run(queue="paused")

    assert attempts(job.job_id) == [(1, "retried"), (2, "finished")]
    assert seen == ["default", "paused"]


def test_a_job_may_enqueue_itself() -> None:
    job = again.enqueue()
    for _ in range(5):
        run()

    assert counts() == {"finished": 5, "ready": 1}
    assert attempts(job.job_id) == [(1, "finished")]


@pytest.mark.parametrize("wait", [0.0, 0.0004, 3.2e9])
def test_any_wait_that_a_policy_can_make_can_be_stored(wait: float) -> None:
    job = note.enqueue()
    (claimed,) = claim(worker := register())

    take(worker, [Result(claimed.row_id, RETRIED, None, 0.0, NextAttempt(wait, 1))], limit=0)

    second = queuekit.jobs.history(job.job_id)[-1]
    assert second.state in ("ready", "scheduled")
    assert abs(second.scheduled_at - second.enqueued_at - timedelta(seconds=wait)) < timedelta(
        milliseconds=2
    )


def test_the_times_of_a_job_are_the_databases() -> None:
    seen_times: list[Any] = []

    @queuekit.job(name="retries.timed")
    def timed() -> None:
        seen_times.append((context.enqueued_at, context.scheduled_at))

    timed.enqueue()
    timed.using(at=datetime(2020, 1, 31, 12, tzinfo=UTC)).enqueue()
    run()

    (enqueued, due), (_, earlier) = seen_times
    assert abs(enqueued - datetime.now(UTC)) < timedelta(minutes=1)
    assert due == enqueued
    assert earlier == datetime(2020, 1, 31, 12, tzinfo=UTC)


# perform_now


def test_a_retry_of_what_was_performed_now_is_enqueued() -> None:
    assert call.perform_now("timeout") is None
    assert call.perform_now("connection") is None

    (scheduled,), (ready,) = states()["scheduled"], states()["ready"]
    columns = "queue_name, priority, attempt, executions, exception_executions"
    query = f"select {columns} from queuekit_jobs where id = :id"
    assert ask(query, id=scheduled) == [("slow", 9, 1, 1, '{"TimeoutError": 1}')]
    assert ask(query, id=ready) == [("calls", 4, 1, 1, '{"ConnectionError": 1}')]
    for _ in range(2):
        run()
    assert counts() == {"scheduled": 1, "finished": 1, "failed": 1}


# Context


def test_the_context_travels_and_retries_keep_it() -> None:
    queuekit.propagate("tenant", tenant)
    token = tenant.set("größe 🚀")
    job = call.enqueue("connection")
    (other,) = queuekit.enqueue_all([call.bind("connection")])
    tenant.reset(token)

    for _ in range(2):
        run()
    fail(*(Receipt(each.job_id, max(row_ids(each)), "") for each in (job, other)))
    queuekit.failed.retry(job.job_id, other.job_id)
    run()

    assert [entry[2] for entry in seen] == ["größe 🚀"] * 6
    assert tenant.get(None) is None


def row_ids(job: Receipt) -> list[int]:
    return [row[0] for row in rows(job, "id")]


def test_a_process_death_keeps_the_context() -> None:
    @queuekit.job(name="retries.mortal_tenant", on_process_death="retry")
    def mortal() -> None:
        seen.append(tenant.get(None))

    queuekit.propagate("tenant", tenant)
    token = tenant.set("acme")
    mortal.enqueue()
    tenant.reset(token)
    claim(worker := register())
    died = ProcessExitError("was killed")
    registration.bury(application.database(), application.configuration(), worker, died)
    run()

    assert seen == ["acme"]


# Unknown jobs


def test_a_job_that_nobody_knows_is_tried_again_later_and_later_and_then_fails() -> None:
    @queuekit.job(name="retries.unknown")
    def unknown() -> None: ...

    job = unknown.enqueue()
    declaration._registered.pop("retries.unknown")
    waits = []
    for _ in range(11):
        (result,) = run()
        if result.next_attempt is not None:
            waits.append(result.next_attempt.wait)
            make_due()

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert [state for _, state in attempts(job.job_id)] == ["retried"] * 10 + ["failed"]
    assert {executions for (executions,) in rows(job, "executions")} == {0}
    error = queuekit.failed.show(job.job_id).error
    assert error.exception_class == "queuekit.errors.UnknownJobError"
    assert error.message.startswith("job retries.unknown is not known")


def test_the_next_worker_may_know_it() -> None:
    @queuekit.job(name="retries.deployed", retry_on=Retry(OSError, wait=0))
    def deployed() -> None:
        seen.append((context.attempt, context.executions))

    job = deployed.enqueue()
    known = declaration._registered.pop("retries.deployed")
    run()
    declaration._registered["retries.deployed"] = known
    make_due()
    run()

    assert attempts(job.job_id) == [(1, "retried"), (2, "finished")]
    assert seen == [(2, 1)]


def make_due() -> None:
    """Let the time pass that scheduled jobs wait for."""
    for (row_id,) in ask("select job_id from queuekit_scheduled_executions"):
        ask("delete from queuekit_scheduled_executions where job_id = :id", id=row_id)
        ask(
            "insert into queuekit_ready_executions (job_id, queue_name, priority, created_at)"
            " select id, queue_name, priority, created_at from queuekit_jobs where id = :id",
            id=row_id,
        )


# Names


def test_a_renamed_job_runs_what_is_stored_under_its_old_names() -> None:
    @queuekit.job(name="retries.new", aliases=["retries.old", "app.gone.old"])
    def renamed(number: int) -> None:
        seen.append((context.name, number))

    for number, name in enumerate(["retries.new", "retries.old", "app.gone.old"]):
        enqueue_as(name, number)
    run()

    assert seen == [("retries.new", number) for number in range(3)]
    assert counts() == {"finished": 3}


def test_a_class_does_not_inherit_its_superclasss_names() -> None:
    class Old(queuekit.Job):
        name = "retries.class"
        aliases = ("retries.class.old",)

        def perform(self) -> None:
            seen.append(type(self).__name__)

    class New(Old): ...

    assert declaration.find("retries.class.old") is Old._declaration
    assert New._declaration is not None
    assert New._declaration.name.endswith("<locals>.New")


def enqueue_as(name: str, number: int) -> None:
    bound = note.bind(number)._description._replace(class_name=name)
    queuekit.enqueue_all([queuekit.BoundJob(bound, (number,), {})])


# Queues that depend on the arguments


@pytest.mark.parametrize("job", [sorted_out, SortedOut])
def test_the_queue_may_depend_on_the_arguments(job: Any) -> None:
    assert job.enqueue(1).queue == "one"
    assert job.enqueue(2, full=True).queue == "two"
    assert job.enqueue(account=2).queue == "half"
    assert job.using(queue="mine").enqueue(2).queue == "mine"
    assert [receipt.queue for receipt in queuekit.enqueue_all([job.bind(1), job.bind(2)])] == [
        "one",
        "half",
    ]
    assert ask("select queue_name from queuekit_ready_executions order by job_id") == [
        ("one",),
        ("two",),
        ("half",),
        ("mine",),
        ("one",),
        ("half",),
    ]


def test_a_function_in_the_class_body_is_called_with_the_arguments_alone() -> None:
    assert [SortedOutInside.enqueue(number).queue for number in (1, 2)] == [
        "account-1",
        "account-0",
    ]


@pytest.mark.parametrize("job", [sorted_out, SortedOut])
def test_what_is_no_queue_is_refused_when_enqueueing(job: Any) -> None:
    with pytest.raises(EnqueueOptionError) as raised:
        job.enqueue(3)

    assert str(raised.value) == (
        f"{job._declaration.name}: what its queue function returned: queue is a text, not None"
    )
    assert counts() == {}


# History


def test_a_history_has_every_attempt_with_all_that_is_known_of_it() -> None:
    job = call.enqueue("connection")
    run()
    claim(worker := register())

    first, second = queuekit.jobs.history(job.job_id)

    assert (first.job_id, first.row_id, first.attempt) == (job.job_id, job.row_id, 1)
    assert (first.state, first.outcome, first.executions) == ("finished", "retried", 0)
    assert first.error is not None
    assert (first.error.exception_class, first.error.message) == ("ConnectionError", "connection")
    assert (first.process_id, first.claimed_at) == (None, None)
    assert first.ended_at is not None
    assert (second.attempt, second.state, second.outcome) == (2, "claimed", None)
    assert (second.queue, second.priority, second.executions) == ("calls", 4, 1)
    assert second.class_name == "tests.dialects.test_retries.call"
    assert second.arguments == '{"args":["connection"],"kwargs":{}}'
    assert (second.error, second.ended_at, second.process_id) == (None, None, worker)
    assert second.pid is not None
    assert second.hostname
    assert second.claimed_at is not None
    assert second.enqueued_at <= second.claimed_at


@pytest.mark.parametrize(
    ("how", "state"), [({}, "ready"), ({"wait": 60}, "scheduled"), ({"wait": 0}, "ready")]
)
def test_a_history_begins_when_the_job_is_enqueued(how: dict[str, Any], state: str) -> None:
    job = note.using(**how).enqueue()

    (attempt,) = queuekit.jobs.history(job.job_id.upper())
    assert (attempt.state, attempt.outcome, attempt.ended_at) == (state, None, None)


@pytest.mark.parametrize(
    "job_id", ["00000000-0000-7000-8000-000000000000", "42", "", "🚀", None, 7]
)
def test_a_job_that_is_not_there_has_none(job_id: Any) -> None:
    note.enqueue()

    with pytest.raises(JobNotFoundError, match="no job has the id"):
        queuekit.jobs.history(job_id)


def test_counters_are_readable_json() -> None:
    @queuekit.job(name="retries.scripts", retry_on=Retry(OSError, ValueError, wait=0))
    def job() -> None:
        raise OSError("größe 🚀")

    receipt = job.enqueue()
    run()

    assert json.loads(rows(receipt, "exception_executions")[-1][0]) == {"OSError, ValueError": 1}
    assert queuekit.jobs.history(receipt.job_id)[0].error is not None


@pytest.fixture(autouse=True)
def names_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "_registered", dict(declaration._registered))


# What is redacted


@queuekit.job(redact=["password"], retry_on=Retry(OSError, wait=0))
def sign_in(user: str, password: str) -> None:
    seen.append(password)
    raise OSError("the server is down")


def test_redacted_arguments_reach_every_attempt_and_no_error() -> None:
    job = sign_in.enqueue("ada", "s3cret")
    run()
    run()

    assert seen == ["s3cret", "s3cret"]
    history = queuekit.jobs.history(job.job_id)
    assert [arguments.describe(attempt.arguments) for attempt in history] == [
        "'ada', [redacted]"
    ] * 3
    assert "s3cret" not in repr(history)


def test_what_the_database_refuses_shows_no_redacted_argument() -> None:
    with pytest.raises(EnqueueError) as raised:
        queuekit.enqueue_all([broken(sign_in.bind("ada", "s3cret"))])

    assert "s3cret" not in str(raised.value)
