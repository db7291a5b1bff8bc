"""Many jobs, many threads, many processes: each job runs exactly once."""

from __future__ import annotations

from collections import Counter

from tests.stories.support import (
    Application,
    assert_clean_termination,
    assert_invariant,
    enqueue_all,
)


def test_each_of_3000_jobs_runs_exactly_once(application: Application) -> None:
    application.configure(workers={"processes": 2, "threads": 5})
    enqueue_all([("jobs.note", (f"{number}",)) for number in range(3000)])

    application.start()
    application.wait_until_jobs(finished=3000)

    assert Counter(application.ran()) == Counter(f"{number}" for number in range(3000))
    assert len({pid for pid, _ in application.ran_where()}) == 2
    assert_invariant()
    application.stop()
    assert_clean_termination(application)


def test_jobs_enqueue_jobs_from_the_threads_that_run_them(application: Application) -> None:
    application.configure(workers={"processes": 2, "threads": 5})
    application.start()

    enqueue_all([("jobs.lead", (number,)) for number in range(50)])

    application.wait_until_jobs(finished=250)
    assert Counter(application.ran()) == Counter(
        f"{number} {what}"
        for number in range(50)
        for what in ("alone", "with 0", "with 1", "with 2")
    )
    application.stop()
    assert_clean_termination(application)
