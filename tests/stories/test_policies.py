"""Jobs that do not succeed at once: what their policies make of it, with real workers."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import queuekit
from queuekit.enqueueing import Receipt
from queuekit.executions.errors import read_error
from tests.dialects.support import ask
from tests.stories.promises import (
    assert_clean_termination,
    assert_ended_once,
    assert_failed,
    attempts,
)
from tests.stories.support import POLICIES, Application, enqueue_all, wait_until
from tests.stories.times import pass_time_until_jobs, waits


@pytest.fixture
def application(application: Application) -> Application:
    """The same, with the jobs of this story. Each looks often for what has become due."""
    shutil.copyfile(POLICIES, application.folder / "policies.py")
    application.configure(dispatchers={"polling_interval": 0.1})
    return application


def end(application: Application, *receipts: Receipt, **outcomes: int) -> None:
    """How every story ends: no job is lost, so many ended in each way; no process is left."""
    application.stop()
    assert_clean_termination(application)
    assert_ended_once(receipts, outcomes=outcomes)
    assert Counter(ends[-1][1] for ends in attempts().values()) == outcomes


def enqueue_there(application: Application, code: str) -> list[Receipt]:
    """Run code in the application's folder, which prints the ids of the jobs it has enqueued."""
    return [Receipt(job_id, None, "") for job_id in application.python(code).split()]


def errors(outcome: str) -> list[str]:
    """What the errors say that are kept with the attempts that ended like this."""
    rows = ask(
        "select error from queuekit_finished_executions where outcome = :outcome order by job_id",
        outcome=outcome,
    )
    return [read_error(error).message for (error,) in rows]


# The web


class FlakyServer(ThreadingHTTPServer):
    """Answers /N/text with the text, after it was asked N times in vain."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: Counter[str] = Counter()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Answer(BaseHTTPRequestHandler):
    server: FlakyServer

    def do_GET(self) -> None:
        _, failures, text = self.path.split("/")
        self.server.asked[self.path] += 1
        status = 503 if self.server.asked[self.path] <= int(failures) else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Said in `asked`."""


@pytest.fixture
def web() -> Iterator[FlakyServer]:
    with FlakyServer() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_flaky_server_is_asked_again_after_longer_and_longer_waits(
    application: Application, web: FlakyServer
) -> None:
    application.write("frozen.py", "import random\n\nrandom.random = lambda: 0.5\n")
    application.configure(dispatchers={"polling_interval": 0.1}, imports=["frozen"])
    application.start()
    flaky = application.enqueue("policies.fetch", web.url("/4/plain"))
    jittery = application.enqueue("policies.fetch_with_jitter", web.url("/3/jittery"))
    in_vain = application.enqueue("policies.fetch", web.url("/99/nothing"))

    pass_time_until_jobs(application, finished=4 + 1 + 3 + 1 + 4, failed=1)

    assert waits(flaky) == pytest.approx([3, 18, 83, 258], abs=0.2)
    assert waits(jittery) == pytest.approx([3.5, 26, 123.5], abs=0.2)
    assert waits(in_vain) == pytest.approx([3, 18, 83, 258], abs=0.2)
    assert_failed(in_vain, "urllib.error.HTTPError", "HTTP Error 503")
    assert sorted(application.ran()) == ["got jittery", "got plain"]
    assert web.asked == {"/4/plain": 5, "/3/jittery": 4, "/99/nothing": 5}

    web.asked["/99/nothing"] = 97  # two more times, and it answers
    queuekit.failed.retry(in_vain.job_id)
    pass_time_until_jobs(application, finished=(4 + 1) + (3 + 1) + (5 + 2 + 1))
    assert waits(in_vain)[5:] == pytest.approx([3, 18], abs=0.2)
    assert application.ran()[-1] == "got nothing"
    end(application, flaky, jittery, in_vain, finished=3)


# Records


def test_a_record_deleted_before_its_job_runs_discards_or_fails_it_as_the_job_says(
    application: Application,
) -> None:
    receipts = enqueue_there(
        application,
        "from policies import Record, greet, greet_if_there\n"
        "for name in ('kept', 'gone'):\n"
        "    record = Record(name).save()\n"
        "    print(greet.enqueue(record).job_id, greet_if_there.enqueue(record).job_id)\n",
    )
    (application.folder / "gone.record").unlink()

    application.start()
    application.wait_until_jobs(finished=3, failed=1)

    not_found = "there is no policies.Record with the key 'gone'"
    assert application.ran() == ["hello kept", "hello kept"]
    assert_failed(receipts[2], "queuekit.errors.RecordNotFound", not_found)
    assert errors("discarded") == [not_found]
    end(application, *receipts, finished=2, discarded=1, failed=1)


# Handlers and callbacks


def test_a_handler_that_raises_fails_the_job_with_both_errors_to_be_read(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    worker = application.worker()
    handlers = [
        "trip_when_exhausted",
        "trip_when_discarded",
        "trip_when_rescued",
        "trip_after_discard",
    ]
    receipts = [application.enqueue(f"policies.{handler}") for handler in handlers]
    over_the_wait = application.enqueue("policies.trip_over_the_wait")

    application.wait_until_jobs(failed=5)

    assert application.ran() == [f"policies.{handler} trips" for handler in handlers]
    for receipt in receipts:
        message = "while handling the first error"
        failed = assert_failed(receipt, "policies.HandlerError", message)
        assert "ValueError: the first error" in failed.error.traceback
        assert failed.error.traceback.count("During handling of the above exception") == 1
        assert "StopIteration" not in failed.error.traceback
    assert_failed(over_the_wait, "policies.HandlerError", "after 1")
    assert application.worker().pid == worker.pid
    end(application, *receipts, over_the_wait, failed=5)


def test_a_callback_that_aborts_gives_the_job_up_and_no_policy_sees_it(
    application: Application,
) -> None:
    application.start()
    said = application.python(
        "from policies import refused\n"
        "receipt = refused.enqueue()\n"
        "print(receipt.status, receipt.row_id, receipt.is_enqueued)\n"
    )
    assert said == "aborted None False\n"
    assert application.jobs() == {}

    given_up = application.enqueue("policies.given_up")
    attended = application.enqueue("policies.attended")
    application.wait_until_jobs(finished=3)

    assert errors("discarded") == ["not today"]
    assert application.ran().count("policies.given_up is given up") == 1
    assert [text for text in application.ran() if "given_up" not in text] == [
        "before 1",
        "before 2",
        "attended ran",
        "after 2",
    ]
    end(application, given_up, attended, discarded=1, finished=1)


# Again


def test_a_retry_whose_new_queue_is_paused_waits_for_it_and_holds_nobody_up(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    queuekit.queues.pause("slow")
    application.start()

    moved = application.enqueue("policies.move")
    note = application.enqueue("jobs.note", "another")
    application.wait_until_jobs(finished=2, ready=1)
    assert application.ran() == ["1 on default with 0", "another"]
    assert queuekit.queues.sizes() == {"slow": 1}

    queuekit.queues.resume("slow")
    application.wait_until_jobs(finished=3)
    assert application.ran()[-1] == "2 on slow with 7"
    end(application, moved, note, finished=2)


def test_an_error_of_any_text_is_kept_with_the_attempt_that_is_retried(
    application: Application,
) -> None:
    application.start()
    receipt = application.enqueue("policies.swear")

    application.wait_until_jobs(finished=1, failed=1)

    failed = assert_failed(receipt, "policies.Ärger", "\N{SNOWMAN}")
    assert failed.attempt == 2
    assert errors("retried") == [failed.error.message]
    end(application, receipt, failed=1)


def test_a_job_that_is_retried_for_ever_keeps_nobody_from_running_or_stopping(
    application: Application,
) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    for_ever = application.enqueue("policies.try_for_ever")
    application.wait_until_ran("the third time")

    note = application.enqueue("jobs.note", "another")
    application.wait_until_ran("another")
    application.stop()

    assert_clean_termination(application)
    *before, last = attempts()[for_ever.job_id]
    assert last == (len(before) + 1, "ready")
    assert before == [(number, "retried") for number in range(1, len(before) + 1)]
    assert attempts()[note.job_id] == [(1, "finished")]


def test_a_job_enqueues_itself_a_thousand_times(application: Application) -> None:
    application.configure(workers={"processes": 2})
    application.start()

    application.enqueue("policies.count_down", 1000)

    application.wait_until_ran("counted down")
    application.wait_until_jobs(finished=1001)
    application.stop()
    assert_clean_termination(application)
    assert Counter(map(tuple, attempts().values())) == {((1, "finished"),): 1001}


def test_ten_thousand_jobs_are_retried_and_none_is_lost(application: Application) -> None:
    """Many threads: each turn then settles many of them."""
    application.configure(workers={"processes": 2, "threads": 50})
    receipts = enqueue_all([("policies.stumble", (number,)) for number in range(10_000)])
    application.start()
    began = time.perf_counter()

    wait_until(lambda: not any_waits(), application, "all are done")

    print(f"10,000 retries in {time.perf_counter() - began:.1f} s")
    end(application, *receipts, finished=10_000)
    assert Counter(map(tuple, attempts().values())) == {((1, "retried"), (2, "finished")): 10_000}


def any_waits() -> bool:
    """Cheaper to ask than how many have finished."""
    return any(
        ask(f"select 1 from queuekit_{state}_executions limit 1") for state in ("ready", "claimed")
    )


# Context, and stopping


def test_the_request_and_the_account_travel_with_a_job_its_retries_and_what_it_enqueues(
    application: Application,
) -> None:
    """One thread: what a run leaves behind, the next would have."""
    application.configure(workers={"threads": 1})
    application.start()

    application.python(
        "from policies import Current, arrive, request_id, travel\n"
        "arrive.enqueue('before')\n"
        "request_id.set('request 1')\n"
        "with Current.acting_for(7):\n"
        "    travel.enqueue()\n"
        "arrive.enqueue('without an account')\n"
    )

    application.wait_until_jobs(finished=6)
    assert sorted(application.ran()) == [
        "arrive before: no request for None",
        "arrive for another: request 1 for 8",
        "arrive nested: request 1 for 7",
        "arrive without an account: request 1 for None",
        "travel 1: request 1 for 7",
        "travel 2: request 1 for 7",
    ]
    application.stop()
    assert_clean_termination(application)


def test_a_long_job_sees_that_its_process_stops_and_is_run_again_later(
    application: Application,
) -> None:
    application.configure(shutdown_timeout=300)
    application.start()
    receipt = application.enqueue("policies.work_until_told", "long")
    application.wait_until_ran("long began")

    application.stop()

    assert_clean_termination(application)
    assert application.ran() == ["long began", "long makes room"]
    assert attempts() == {receipt.job_id: [(1, "retried"), (2, "ready")]}

    application.start()
    application.wait_until_ran("long began", "long began")
    application.stop()
    assert_clean_termination(application)
    assert attempts()[receipt.job_id][1:] == [(2, "retried"), (3, "ready")]
