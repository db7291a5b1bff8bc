"""A job's life: enqueued here, run there; in which order, when, and how often."""

from __future__ import annotations

import json
import time

import queuekit
from tests.stories.support import (
    Application,
    assert_clean_termination,
    assert_failed,
    assert_invariant,
    assert_registered,
    wait_until,
)


def test_what_one_process_enqueues_another_runs(application: Application) -> None:
    application.start()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)

    printed = application.python(
        "import jobs, os; jobs.note.enqueue('from a script'); jobs.Export.enqueue(7, full=True);"
        "print(os.getpid())"
    )

    application.wait_until_jobs(finished=2)
    assert sorted(application.ran()) == ["export of 7, full=True", "from a script"]
    assert {pid for pid, _ in application.ran_where()} == {application.worker().pid}
    assert int(printed) != application.worker().pid

    application.stop()
    assert_clean_termination(application)


def test_the_command_line_enqueues_too(application: Application) -> None:
    application.start()

    application.run("enqueue", "jobs.Export", "7", "full=true")

    application.wait_until_ran("export of 7, full=True")
    application.stop()
    assert_clean_termination(application)


def test_a_process_says_what_it_is_when_it_starts(application: Application) -> None:
    application.configure(workers={"queues": ["mail*", "default"], "threads": 4})
    application.start()
    application.stop()

    starts = [line for line in application.printed().splitlines() if "Starting" in line]
    assert len(starts) == 3
    (worker,) = [line for line in starts if "Worker(" in line]
    for part in ("pid=", "hostname=", '"mail*,default"', "thread_pool_size: 4", "polling_interval"):
        assert part in worker
    assert_clean_termination(application)


def test_lower_priorities_run_first_then_as_enqueued(application: Application) -> None:
    application.configure(workers={"threads": 1})
    for number, priority in enumerate((5, -5, 0, 5, -5)):
        application.enqueue("jobs.note", f"{priority} as {number}", priority=priority)

    application.start()
    application.wait_until_jobs(finished=5)

    assert application.ran() == ["-5 as 1", "-5 as 4", "0 as 2", "5 as 0", "5 as 3"]
    application.stop()
    assert_clean_termination(application)


def test_a_list_of_queues_comes_before_priorities(application: Application) -> None:
    application.configure(workers={"queues": ["urgent", "mail*", "late"], "threads": 1})
    application.enqueue("jobs.note", "late", queue="late", priority=-9)
    application.enqueue("jobs.note", "mail b", queue="mail_b", priority=-9)
    application.enqueue("jobs.note", "mail a", queue="mail_a", priority=9)
    application.enqueue("jobs.note", "urgent second", queue="urgent", priority=7)
    application.enqueue("jobs.note", "urgent first", queue="urgent", priority=6)
    application.enqueue("jobs.note", "not ours", queue="other", priority=-9)

    application.start()
    application.wait_until_jobs(finished=5, ready=1)

    ran = application.ran()
    assert ran[:2] == ["urgent first", "urgent second"]
    assert set(ran[2:4]) == {"mail a", "mail b"}
    assert ran[4:] == ["late"]
    application.stop()
    assert_clean_termination(application)


def test_a_paused_queue_rests_until_it_is_resumed(application: Application) -> None:
    application.start()
    application.enqueue("jobs.note", "before", queue="mailers")
    application.wait_until_ran("before")

    assert queuekit.queues.pause("mailers")
    application.enqueue("jobs.note", "paused", queue="mailers", priority=-1)
    application.enqueue("jobs.note", "another queue", queue="default")
    application.wait_until_ran("another queue")
    application.enqueue("jobs.note", "once more", queue="default")
    application.wait_until_jobs(finished=3, ready=1)
    assert "paused" not in application.ran()

    assert queuekit.queues.resume("mailers")
    application.wait_until_jobs(finished=4)
    application.stop()
    assert_clean_termination(application)


def test_jobs_that_run_when_their_queue_is_paused_finish(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    application.enqueue("jobs.wait", "running", queue="mailers")
    application.enqueue("jobs.note", "behind it", queue="mailers")
    application.wait_until_ran("running began")

    queuekit.queues.pause("mailers")
    application.open()

    application.wait_until_jobs(finished=1, ready=1)
    assert application.ran() == ["running began", "running ended"]
    queuekit.queues.resume("mailers")
    application.wait_until_ran("behind it")
    application.stop()
    assert_clean_termination(application)


def test_a_scheduled_job_runs_when_it_is_due_and_not_before(application: Application) -> None:
    application.start()
    enqueued_at = time.monotonic()
    application.enqueue("jobs.note", "soon", wait=1.5)
    application.enqueue("jobs.note", "much later", wait=3600)
    application.enqueue("jobs.note", "now")

    application.wait_until_ran("now")
    application.wait_until_ran("soon")

    assert time.monotonic() - enqueued_at >= 1.5
    application.wait_until_jobs(finished=2, scheduled=1)
    application.stop()
    assert_clean_termination(application)


def test_what_was_due_while_nothing_ran_runs_at_the_next_start(application: Application) -> None:
    application.configure(dispatchers={"batch_size": 2}, workers={"threads": 1})
    for number in range(5):
        application.enqueue("jobs.note", f"{number}", wait=0.001 * (5 - number))

    application.start()
    application.wait_until_jobs(finished=5)
    application.stop()
    assert_clean_termination(application)


def test_a_failed_job_keeps_its_error_and_succeeds_when_retried(application: Application) -> None:
    application.start()
    receipt = application.enqueue("jobs.fail_unless_open", "door")
    application.wait_until_jobs(failed=1)

    failed = assert_failed(receipt, "ValueError", "door is closed: \N{SNOWMAN}\0")
    assert failed.error.traceback.startswith("Traceback (most recent call last):\n")
    assert "in fail_unless_open" in failed.error.traceback
    assert failed.error.traceback.count("  File ") == 1
    assert (failed.attempt, failed.queue, failed.class_name) == (
        1,
        "default",
        "jobs.fail_unless_open",
    )
    assert json.loads(failed.arguments) == {"args": ["door"], "kwargs": {}}
    application.wait_until_printed(f"Failed jobs.fail_unless_open ({receipt.job_id}, attempt 1)")

    queuekit.failed.retry(receipt.job_id)
    application.wait_until_printed(f"Failed jobs.fail_unless_open ({receipt.job_id}, attempt 2)")
    application.wait_until_jobs(failed=1, finished=1)
    assert queuekit.failed.show(receipt.job_id).attempt == 2

    application.open("door")
    queuekit.failed.retry(receipt.job_id)
    application.wait_until_jobs(finished=3)
    assert application.ran() == ["door is open"]
    application.stop()
    assert_clean_termination(application)


def test_failed_jobs_are_retried_and_discarded_together(application: Application) -> None:
    application.start()
    for number in range(6):
        application.enqueue("jobs.fail_unless_open", "door", queue=f"queue_{number % 2}")
    application.wait_until_jobs(failed=6)

    assert queuekit.failed.discard_all(queue="queue_0") == 3
    assert application.jobs() == {"failed": 3, "finished": 3}
    assert_invariant()

    application.open("door")
    assert queuekit.failed.retry_all() == 3
    application.wait_until_jobs(finished=9)
    assert application.ran() == ["door is open"] * 3
    application.stop()
    assert_clean_termination(application)


def test_finished_jobs_need_not_be_kept(application: Application) -> None:
    application.configure(preserve_finished_jobs=False)
    application.start()
    application.enqueue("jobs.note", "gone")
    application.enqueue("jobs.fail_unless_open", "door")
    application.wait_until_ran("gone")

    application.wait_until_jobs(failed=1)
    application.stop()
    assert_clean_termination(application)


def test_two_supervisors_share_the_work(application: Application) -> None:
    application.configure(workers={"threads": 1})
    application.start()
    first = application.supervisor
    application.start()
    assert_registered(application, Supervisor=2, Dispatcher=2, Worker=2)

    application.enqueue("jobs.wait", "one")
    application.enqueue("jobs.wait", "two")
    application.wait_until_ran("one began", "two began")
    assert len({pid for pid, _ in application.ran_where()}) == 2

    application.open()
    application.wait_until_jobs(finished=2)
    application.stop()
    assert_registered(application, Supervisor=1, Dispatcher=1, Worker=1)
    assert first is not None
    first.terminate()
    wait_until(lambda: first.poll() == 0, application, "the other supervisor ends")
    assert_clean_termination(application)
