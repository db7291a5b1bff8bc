"""Job ids."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from queuekit.ids import new_job_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    parsed = uuid.UUID(new_job_id())

    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert abs((parsed.int >> 80) / 1000 - time.time()) < 60
    assert str(parsed) == str(uuid.UUID(int=parsed.int))


def test_ids_sort_by_their_time() -> None:
    first = new_job_id()
    began = time.time_ns()
    while time.time_ns() - began < 2_000:
        pass
    assert first < new_job_id()


def test_ids_do_not_repeat() -> None:
    assert len({new_job_id() for _ in range(50_000)}) == 50_000


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    new_job_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join(random_half(new_job_id()) for _ in range(20)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()

    assert len(told) == 20 * 17
    assert not any(random_half(new_job_id()) in told for _ in range(1_000))


def test_threads_that_make_ids_at_once_get_different_ones() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(lambda _: [new_job_id() for _ in range(2_000)], range(8))
        assert len({random_half(job_id) for ids in made for job_id in ids}) == 8 * 2_000


def random_half(job_id: str) -> str:
    return job_id[19:]
