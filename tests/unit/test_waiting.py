"""The jobs that wait for a thread: who has one, and for how long the first has waited."""

from __future__ import annotations

import threading
import time

from queuekit.executions.claimed import ClaimedJob
from queuekit.processes.waiting import WaitingJobs


def job(row_id: int) -> ClaimedJob:
    return ClaimedJob(row_id, f"id-{row_id}", 1, "default", "jobs.note", "", 0)


JOBS = [job(number) for number in range(10)]


def test_they_come_out_in_the_order_they_were_put_in() -> None:
    waiting = WaitingJobs()
    waiting.put(JOBS[:2])
    waiting.put(JOBS[2:4])
    assert len(waiting) == 4
    assert [waiting.get() for _ in range(4)] == JOBS[:4]
    assert len(waiting) == 0


def test_the_first_one_tells_since_when() -> None:
    waiting = WaitingJobs()
    assert waiting.since is None
    before = time.monotonic()
    waiting.put(JOBS[:2])
    between = time.monotonic()
    waiting.put(JOBS[2:4])

    assert waiting.since is not None
    assert before <= waiting.since <= between
    waiting.get()
    assert waiting.since <= between
    waiting.get()
    assert waiting.since >= between
    waiting.get()
    waiting.get()
    assert waiting.since is None


def test_what_is_taken_back_is_in_no_threads_hands() -> None:
    waiting = WaitingJobs()
    waiting.put(JOBS[:4])
    assert waiting.get() is JOBS[0]
    assert waiting.take_back() == JOBS[1:4]
    assert (len(waiting), waiting.since, waiting.take_back()) == (0, None, [])

    waiting.put(JOBS[4:5])
    assert waiting.since is not None
    assert waiting.get() is JOBS[4]


def test_each_job_is_taken_once_however_many_take() -> None:
    waiting = WaitingJobs()
    many = [job(number) for number in range(5_000)]
    taken: list[ClaimedJob] = []

    def take() -> None:
        while (found := waiting.get()) is not None:
            taken.append(found)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    back = []
    for start in range(0, len(many), 50):
        waiting.put(many[start : start + 50])
        back += waiting.take_back()
    waiting.close(len(threads))
    for thread in threads:
        thread.join()

    assert sorted(found.row_id for found in taken + back) == list(range(5_000))


def test_once_closed_each_thread_is_told_to_end_and_what_waited_is_there_to_be_taken_back() -> None:
    waiting = WaitingJobs()
    waiting.put(JOBS[:4])
    waiting.close(2)
    assert (len(waiting), waiting.since) == (0, None)
    assert [waiting.get(), waiting.get()] == [None, None]

    waiting.put(JOBS[4:6])
    assert waiting.since is None
    assert waiting.take_back() == JOBS[:6]
    assert waiting.take_back() == []


def test_whoever_closes_it_meanwhile_no_job_is_lost() -> None:
    for _ in range(50):
        waiting = WaitingJobs()
        closing = threading.Thread(target=waiting.close, args=(1,))
        back = []
        for start in range(0, len(JOBS), 2):
            if start == 4:
                closing.start()
            waiting.put(JOBS[start : start + 2])
            taken = waiting.take_back()
            waiting.put(taken[:1])
            back += taken[1:]
        closing.join()
        back += waiting.take_back()
        assert sorted(found.row_id for found in back) == list(range(len(JOBS)))
        assert waiting.get() is None
